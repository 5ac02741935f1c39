package simphone

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"xflash/internal/simphone/mkimage"
	"xflash/usbproto"
)

func TestMain(m *testing.M) {
	if os.Getenv(killHelper) != "" {
		os.Exit(runKillHelper())
	}
	goleak.VerifyTestMain(m)
}

// answerTime is far more than an answer takes, silenceTime is how long a phone
// that must not answer is watched.
const (
	answerTime  = 20 * time.Second
	silenceTime = 150 * time.Millisecond
)

// testAuthority is the root that test phones trust besides Sony's.
var testAuthority = sync.OnceValues(func() (*mkimage.Authority, error) {
	return mkimage.NewTestAuthority("S1_Root_test-authority")
})

func authority(t testing.TB) *mkimage.Authority {
	t.Helper()
	a, err := testAuthority()
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// rootFile writes the root of an authority as PEM.
func rootFile(t testing.TB, a *mkimage.Authority) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "root.pem")
	if err := os.WriteFile(name, a.RootPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// openPhone opens a phone that trusts the test authority.
func openPhone(t testing.TB, o Options) *Phone {
	t.Helper()
	o.RootFiles = append(o.RootFiles, rootFile(t, authority(t)))
	p, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// A host talks to the phone in raw bytes. It shares no code with the phone: its
// CRC is built from hash/crc32, its packets by hand.
type host struct {
	t    testing.TB
	conn usbproto.Conn
}

func connect(t testing.TB, p *Phone) *host {
	t.Helper()
	c := p.Conn()
	t.Cleanup(func() { c.Close() })
	return &host{t, c}
}

// openLoader opens a phone and brings it into the loader stage with the test
// loader.
func openLoader(t testing.TB, o Options) (*Phone, *host) {
	t.Helper()
	p := openPhone(t, o)
	h := connect(t, p)
	h.startLoader(testLoader(t, 4, "GPTP ADDR LZ4A FILL MTKP MTKM"))
	return p, h
}

// restart puts the phone into flash mode again and starts the test loader.
func restart(t testing.TB, p *Phone) *host {
	t.Helper()
	p.FlashMode()
	h := connect(t, p)
	h.startLoader(testLoader(t, 4, "GPTP ADDR LZ4A FILL MTKP MTKM"))
	return h
}

// startLoader reads the hello, uploads a loader and reads its hello.
func (h *host) startLoader(loader []byte) string {
	h.t.Helper()
	h.expectHello()
	h.sendSIN(loader, 0x10000)
	return h.expectHello()
}

func packet(command, flags uint32, data []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, command)
	b = binary.BigEndian.AppendUint32(b, flags)
	b = binary.BigEndian.AppendUint32(b, uint32(len(data)))
	var x byte
	for _, c := range b {
		x ^= c
	}
	b = append(b, x+7)
	b = append(b, data...)
	crc := crc32.Update(0xFFFFFFFF, crc32.IEEETable, data) ^ 0xFFFFFFFF
	return binary.BigEndian.AppendUint32(b, crc)
}

func (h *host) write(b []byte) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), answerTime)
	defer cancel()
	if n, err := h.conn.Write(ctx, b); err != nil || n != len(b) {
		h.t.Fatalf("write of %d bytes: %d, %v", len(b), n, err)
	}
}

// readFull reads exactly n bytes, however they come.
func (h *host) readFull(n int, limit time.Duration) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	b := make([]byte, n)
	for got := 0; got < n; {
		k, err := h.conn.Read(ctx, b[got:])
		got += k
		if err != nil && got < n {
			return b[:got], err
		}
	}
	return b, nil
}

// A reply is one packet from the phone.
type reply struct {
	command, flags uint32
	data           []byte
	crc            uint32
}

func (h *host) read() reply {
	h.t.Helper()
	r, err := h.tryRead(answerTime)
	if err != nil {
		h.t.Fatalf("no reply: %v", err)
	}
	return r
}

func (h *host) tryRead(limit time.Duration) (reply, error) {
	head, err := h.readFull(13, limit)
	if err != nil {
		return reply{}, err
	}
	r := reply{command: binary.BigEndian.Uint32(head), flags: binary.BigEndian.Uint32(head[4:])}
	if r.data, err = h.readFull(int(binary.BigEndian.Uint32(head[8:])), limit); err != nil {
		return r, err
	}
	trailer, err := h.readFull(4, limit)
	if err != nil {
		return r, err
	}
	r.crc = binary.BigEndian.Uint32(trailer)
	return r, nil
}

// ask sends a packet and returns the reply, which must be to the same command.
func (h *host) ask(command, flags uint32, data []byte) reply {
	h.t.Helper()
	h.write(packet(command, flags, data))
	r := h.read()
	if r.command != command {
		h.t.Fatalf("command %d was answered with %d", command, r.command)
	}
	return r
}

// ok asks and wants to be accepted.
func (h *host) ok(command uint32, data ...byte) []byte {
	h.t.Helper()
	r := h.ask(command, 3, data)
	if r.flags&1 == 0 {
		h.t.Fatalf("command %d was refused: %s", command, h.lastError())
	}
	return r.data
}

// refused asks and wants to be refused with this text of command 7, for example
// "MINOR 0017 80080021".
func (h *host) refused(want string, command, flags uint32, data ...byte) {
	h.t.Helper()
	if r := h.ask(command, flags, data); r.flags != 0 || len(r.data) != 0 || r.crc != 0 {
		h.t.Fatalf("command %d: flags %d, %d bytes, CRC %08X: not a refusal (wanted %s)", command, r.flags, len(r.data), r.crc, want)
	}
	if got := h.lastError(); got != want {
		h.t.Fatalf("command %d was refused with %s, want %s", command, got, want)
	}
}

// lastError asks command 7 and returns "SEVERITY CODE DYNAMIC".
func (h *host) lastError() string {
	h.t.Helper()
	r := h.ask(7, 3, nil)
	if r.flags != 1 {
		h.t.Fatalf("command 7: flags %d", r.flags)
	}
	info := parseInfo(h.t, r.data)
	return strings.TrimSpace(info["ERR_SEVERITY"] + " " + info["ERR_CODE"] + " " + info["ERR_DYNAMIC"])
}

// parseInfo reads KEY="VALUE"; pairs and the NUL.
func parseInfo(t testing.TB, b []byte) map[string]string {
	t.Helper()
	text, ok := strings.CutSuffix(string(b), "\x00")
	if !ok {
		t.Fatalf("text %q has no NUL at its end", b)
	}
	m := map[string]string{}
	for _, pair := range strings.Split(strings.TrimSuffix(text, ";"), ";") {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || len(value) < 2 || value[0] != '"' || value[len(value)-1] != '"' {
			t.Fatalf("pair %q in %q", pair, text)
		}
		m[key] = value[1 : len(value)-1]
	}
	return m
}

// expectHello reads an unsolicited command 1 packet.
func (h *host) expectHello() string {
	h.t.Helper()
	r := h.read()
	if r.command != 1 || r.flags != 1 || len(r.data) == 0 {
		h.t.Fatalf("not a hello: command %d, flags %d, %d bytes", r.command, r.flags, len(r.data))
	}
	return parseInfo(h.t, r.data)["TYPE"]
}

// silent wants no byte from the phone for a while.
func (h *host) silent() {
	h.t.Helper()
	b, err := h.readFull(1, silenceTime)
	if len(b) > 0 && err == nil {
		h.t.Fatalf("the phone answers with % X", b)
	}
	if !errors.Is(err, usbproto.ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) {
		h.t.Fatalf("silence ended with %v", err)
	}
}

// sendSIN uploads a file and wants every packet accepted.
func (h *host) sendSIN(file []byte, chunk int) {
	h.t.Helper()
	if why := h.trySIN(file, chunk); why != "" {
		h.t.Fatalf("upload was refused: %s", why)
	}
}

// trySIN uploads a file as all hosts do; it returns where and how it was refused,
// "header: MINOR ..." or "packet N of M: MINOR ...".
func (h *host) trySIN(file []byte, chunk int) string {
	h.t.Helper()
	size := int(binary.BigEndian.Uint32(file[4:]))
	if h.ask(5, 3, file[:size]).flags != 1 {
		return "header: " + h.lastError()
	}
	return h.tryPayload(file[size:], chunk)
}

func (h *host) tryPayload(payload []byte, chunk int) string {
	h.t.Helper()
	packets := (len(payload) + chunk - 1) / chunk
	for i := range packets {
		part := payload[i*chunk : min((i+1)*chunk, len(payload))]
		flags := uint32(7)
		if i == packets-1 {
			flags = 3
		}
		if h.ask(6, flags, part).flags != 1 {
			return "packet " + itoa(i+1) + " of " + itoa(packets) + ": " + h.lastError()
		}
	}
	return ""
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
