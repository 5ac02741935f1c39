package capture_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"xflash/fastboot"
	"xflash/internal/simphone"
	"xflash/usbproto"
	"xflash/usbproto/capture"
	"xflash/usbproto/s1"
)

// memory is a file.
type memory struct {
	bytes.Buffer
	closed bool
}

func (m *memory) Close() error { m.closed = true; return nil }

// wire is a Conn that keeps all bytes that go over another one.
type wire struct {
	usbproto.Conn
	out, in bytes.Buffer
}

func (w *wire) Write(ctx context.Context, p []byte) (int, error) {
	n, err := w.Conn.Write(ctx, p)
	w.out.Write(p[:n])
	return n, err
}

func (w *wire) Read(ctx context.Context, p []byte) (int, error) {
	n, err := w.Conn.Read(ctx, p)
	w.in.Write(p[:n])
	return n, err
}

// What identifies the phone of the tests.
const (
	serial = "CB5A77QZ19"
	imei   = "00499901064000" // of every simulated phone
)

var secretUnit = []byte("\x01\xfe secret of this very phone \x80\x81")

func phone(t *testing.T, o simphone.Options) *simphone.Phone {
	t.Helper()
	o.Serial, o.Disk = serial, 4<<30
	p, err := simphone.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := p.SetUnit(2, 2560, secretUnit); err != nil {
		t.Fatal(err)
	}
	return p
}

// talk is a session that asks for everything that a phone tells; what it learns.
func talk(t *testing.T, conn usbproto.Conn) (told string) {
	t.Helper()
	ctx := t.Context()
	s, err := s1.Open(ctx, conn, s1.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	var b strings.Builder
	for _, key := range s.Info().Keys() {
		v, _ := s.Info().Get(key)
		b.WriteString(key + "=" + v + "\n")
	}
	if err := s.OpenTA(ctx, 2); err != nil {
		t.Fatal(err)
	}
	for _, unit := range []uint32{2003, 2210, 2560, 4900} {
		data, err := s.ReadUnit(ctx, unit)
		if err != nil {
			t.Fatal(unit, err)
		}
		b.Write(data)
	}
	if _, err := s.ReadUnit(ctx, 999999); err == nil {
		t.Error("a unit that is not there was read")
	}
	if err := s.CloseTA(ctx); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// traced is a session with a capture of it.
func traced(t *testing.T, mask capture.Masker) (told string, w *wire, file *memory) {
	t.Helper()
	w, file = &wire{Conn: phone(t, simphone.Options{}).Conn()}, &memory{}
	told = talk(t, capture.Record(w, file, capture.Options{Mask: mask}))
	if !file.closed {
		t.Error("the file was not closed")
	}
	return told, w, file
}

// The recorder changes nothing on the wire, and the capture holds every byte of it.
func TestRecordIsFaithful(t *testing.T) {
	plain := &wire{Conn: phone(t, simphone.Options{}).Conn()}
	told := talk(t, plain)
	told2, w, file := traced(t, nil)
	if told != told2 || !bytes.Equal(plain.out.Bytes(), w.out.Bytes()) || !bytes.Equal(plain.in.Bytes(), w.in.Bytes()) {
		t.Error("with a trace other bytes go over the wire")
	}
	var out, in []byte
	last := time.Time{}
	for _, e := range events(t, file.Bytes()) {
		if e.Time.Before(last) {
			t.Error("time goes backwards")
		}
		last = e.Time
		switch {
		case e.Kind == capture.Submit && !e.In():
			out = append(out, e.Data...)
		case e.Kind == capture.Complete && e.In():
			in = append(in, e.Data...)
		}
	}
	if !bytes.Equal(out, w.out.Bytes()) || !bytes.Equal(in, w.in.Bytes()) {
		t.Error("the capture holds other bytes than the wire")
	}
}

func events(t *testing.T, data []byte) (all []capture.Event) {
	t.Helper()
	r, err := capture.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	for {
		e, err := r.Next()
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
}

// forms are the ways in which a secret could be in a file.
func forms(secret string) map[string][]byte {
	f := map[string][]byte{"as text": []byte(secret), "as hex": []byte(hex.EncodeToString([]byte(secret))), "backwards": nil}
	var wide []byte
	for _, u := range utf16.Encode([]rune(secret)) {
		wide = binary.LittleEndian.AppendUint16(wide, u)
	}
	f["as UTF-16"] = wide
	if bcd, err := hex.DecodeString(secret); err == nil {
		f["as BCD"] = bcd
		swapped := make([]byte, len(bcd))
		for i, b := range bcd {
			swapped[i] = b<<4 | b>>4
		}
		f["as swapped BCD"] = swapped
	}
	delete(f, "backwards")
	return f
}

// No secret is in a masked capture, in any form; and the test would see it if it were.
func TestMaskedCaptureHoldsNoIdentity(t *testing.T) {
	_, _, masked := traced(t, capture.FlashMask())
	_, _, open := traced(t, nil)
	for _, secret := range []string{serial, imei, string(secretUnit)} {
		if !bytes.Contains(open.Bytes(), []byte(secret)) {
			t.Fatalf("%q is not even in the open capture", secret)
		}
		for form, b := range forms(secret) {
			if bytes.Contains(masked.Bytes(), b) {
				t.Errorf("%q is in the capture %s", secret, form)
			}
		}
	}
	if len(masked.Bytes()) != len(open.Bytes()) {
		t.Errorf("masked it has %d bytes, open %d", masked.Len(), open.Len())
	}
}

// A dump of all units comes in several packets and transfers. Of each unit number and length
// are kept, of most the content is not, and every packet stays whole.
func TestMaskOfADump(t *testing.T) {
	var dump []byte
	for unit, data := range map[uint32][]byte{2560: secretUnit, 2210: []byte("D5803\x00"), 4900: []byte(serial), 100: nil} {
		dump = binary.BigEndian.AppendUint32(dump, unit)
		dump = binary.BigEndian.AppendUint32(dump, uint32(len(data)))
		dump = append(dump, data...)
	}
	half := len(dump)/2 + 3
	reply := s1.Packet{Command: s1.CmdReadAll, Flags: 5, Data: dump[:half]}.Append(nil)
	reply = s1.Packet{Command: s1.CmdReadAll, Flags: 1, Data: dump[half:]}.Append(reply)
	for piece := 1; piece <= len(reply); piece += 7 {
		got := bytes.Clone(reply)
		mask := capture.FlashMask()
		mask.Host(s1.Packet{Command: s1.CmdReadAll, Flags: 3}.Append(nil))
		settled := false
		for rest := got; len(rest) > 0; {
			n := min(piece, len(rest))
			settled = mask.Phone(rest[:n:n])
			rest = rest[n:]
		}
		if !settled {
			t.Fatal("it still waits")
		}
		var p s1.Parser
		p.MaxData = 1 << 16
		p.Feed(got)
		var masked []byte
		for range 2 {
			packet, ok, err := p.Next()
			if !ok || err != nil {
				t.Fatalf("in pieces of %d: %v %v", piece, ok, err)
			}
			masked = append(masked, packet.Data...)
		}
		if bytes.Contains(masked, []byte(serial)) || bytes.Contains(masked, secretUnit[2:8]) || !bytes.Contains(masked, []byte("D5803")) || len(masked) != len(dump) {
			t.Fatalf("in pieces of %d: %q", piece, masked)
		}
	}
}

// A capture plays back to the same session: an open one to the same words, a masked one
// to packets that are whole, with the model and without the serial number.
func TestReplay(t *testing.T) {
	for name, mask := range map[string]capture.Masker{"open": nil, "masked": capture.FlashMask()} {
		t.Run(name, func(t *testing.T) {
			told, _, file := traced(t, mask)
			p, err := capture.NewReplay(bytes.NewReader(file.Bytes()))
			if err != nil {
				t.Fatal(err)
			}
			again := talk(t, p)
			if mask == nil && again != told {
				t.Error("the phone says something else")
			}
			if mask != nil && (strings.Contains(again, serial) || !strings.Contains(again, "D5803") || !strings.Contains(again, `REV="`)) {
				t.Errorf("the masked phone says %q", again)
			}
		})
	}
}

// A host that does something else learns where.
func TestReplayNoticesOtherHosts(t *testing.T) {
	_, _, file := traced(t, nil)
	p, err := capture.NewReplay(bytes.NewReader(file.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	for range 3 { // the greeting: header, text and checksum
		if _, err := p.Read(ctx, make([]byte, 4096)); err != nil {
			t.Fatal(err)
		}
	}
	_, err = p.Write(ctx, []byte{0, 0, 0, 99})
	var mismatch *capture.MismatchError
	if !errors.As(err, &mismatch) || mismatch.Byte != 3 {
		t.Errorf("%v", err)
	}
	if _, again := p.Read(ctx, make([]byte, 10)); !errors.As(again, &mismatch) {
		t.Errorf("afterwards: %v", again)
	}
}

// Faults of the cable are in the capture, and come again from it.
func TestReplayOfFaults(t *testing.T) {
	for _, fault := range []error{usbproto.ErrGone, usbproto.ErrStalled, usbproto.ErrOverflow} {
		file := &memory{}
		c := capture.Record(broken{fault}, file, capture.Options{})
		for _, f := range []func() (int, error){
			func() (int, error) { return c.Read(t.Context(), make([]byte, 64)) },
			func() (int, error) { return c.Write(t.Context(), []byte("0123456789")) },
		} {
			if _, err := f(); !errors.Is(err, fault) {
				t.Fatal(err)
			}
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		p, err := capture.NewReplay(bytes.NewReader(file.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Read(t.Context(), make([]byte, 64)); !errors.Is(err, fault) {
			t.Errorf("read: %v, want %v", err, fault)
		}
		if n, err := p.Write(t.Context(), []byte("0123456789")); !errors.Is(err, fault) || n != 4 {
			t.Errorf("write: %d bytes, %v, want %v", n, err, fault)
		}
	}
	// Silence is played back as silence.
	file := &memory{}
	c := capture.Record(broken{usbproto.ErrTimeout}, file, capture.Options{})
	if _, err := c.Read(t.Context(), make([]byte, 64)); !errors.Is(err, usbproto.ErrTimeout) {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	p, err := capture.NewReplay(bytes.NewReader(file.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := p.Read(ctx, make([]byte, 64)); !errors.Is(err, usbproto.ErrTimeout) {
		t.Error(err)
	}
}

// broken is a Conn on which everything fails, writes after four bytes.
type broken struct{ err error }

func (b broken) Read(context.Context, []byte) (int, error) { return 0, b.fail("read", 0) }

func (b broken) Write(_ context.Context, p []byte) (int, error) { return 4, b.fail("write", 4) }

func (b broken) Close() error { return nil }

func (b broken) fail(op string, n int) error {
	return &usbproto.TransferError{Op: op, Device: "test", N: n, Err: b.err}
}

// A file that cannot be written is reported at the end, and disturbs nothing before.
func TestRecordOnAFullDisk(t *testing.T) {
	w := &wire{Conn: phone(t, simphone.Options{}).Conn()}
	c := capture.Record(w, full{}, capture.Options{})
	s, err := s1.Open(t.Context(), c, s1.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var file *capture.FileError
	if err := s.Close(); !errors.As(err, &file) || !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("closing says %v", err)
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func (full) Close() error { return nil }

// In fastboot mode the serial number and the unlock code are masked, the images are not.
func TestFastbootMask(t *testing.T) {
	p := phone(t, simphone.Options{InFastboot: true, Aboot: simphone.Aboot2014})
	file := &memory{}
	c, err := fastboot.Open(t.Context(), capture.Record(p.Fastboot().Conn(), file, capture.Options{Mask: capture.FastbootMask()}), fastboot.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if v, err := c.Getvar(t.Context(), "serialno"); err != nil || v != serial {
		t.Fatalf("%q, %v", v, err)
	}
	if _, err := c.Variables(t.Context()); err != nil {
		t.Fatal(err)
	}
	image := bytes.Repeat([]byte("image "), 1<<16)
	if err := c.Download(t.Context(), bytes.NewReader(image), int64(len(image))); err != nil {
		t.Fatal(err)
	}
	var q *fastboot.Question
	if !errors.As(fastboot.Judge("oem unlock 0x0123456789ABCDEF"), &q) {
		t.Fatal("unlocking is not asked for")
	}
	c.Agree(q)
	_, _ = c.Command(t.Context(), "oem unlock 0x0123456789ABCDEF") // whatever it says
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{serial, "0123456789ABCDEF"} {
		if bytes.Contains(file.Bytes(), []byte(secret)) {
			t.Errorf("%q is in the capture", secret)
		}
	}
	var sent []byte
	for _, e := range events(t, file.Bytes()) {
		if len(e.Data) > 128<<10 {
			t.Errorf("a transfer of %d bytes, which umockdev cannot play back", len(e.Data))
		}
		if e.Kind == capture.Submit && !e.In() {
			sent = append(sent, e.Data...)
		}
	}
	if !bytes.Contains(sent, image) {
		t.Error("the image is not in the capture as it was sent")
	}
}

// sender is a Conn with several requests on the way, which breaks after some bytes.
type sender struct {
	broken
	got  bytes.Buffer
	stop int
}

func (s *sender) Send(_ context.Context, next func() ([]byte, error), o usbproto.SendOptions) (int64, error) {
	for {
		piece, err := next()
		if err == io.EOF {
			return int64(s.got.Len()), nil
		}
		if err != nil {
			return int64(s.got.Len()), err
		}
		for p := range slices.Chunk(piece, 300<<10) {
			if s.got.Len()+len(p) > s.stop {
				return int64(s.got.Len()), s.fail("write", s.got.Len())
			}
			s.got.Write(p)
			o.Progress(int64(s.got.Len()))
		}
	}
}

// Data that go out with several requests on the way are in the capture as far as the phone
// took them, and so is how it ended.
func TestRecordOfSend(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	for _, stop := range []int{len(data), 700 << 10} {
		file, inner := &memory{}, &sender{broken: broken{usbproto.ErrGone}, stop: stop}
		c := capture.Record(inner, file, capture.Options{})
		if _, ok := c.(usbproto.Sender); !ok {
			t.Fatal("with a trace data go out in another way")
		}
		n, err := usbproto.Send(t.Context(), c, bytes.NewReader(data), int64(len(data)), usbproto.SendOptions{Patience: time.Second})
		if whole := stop == len(data); whole != (err == nil) || int(n) != inner.got.Len() || !bytes.Equal(inner.got.Bytes(), data[:n]) {
			t.Fatalf("%d bytes, %v", n, err)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		p, err := capture.NewReplay(bytes.NewReader(file.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		again, err := p.Write(t.Context(), data)
		if stop == len(data) && err != nil || stop < len(data) && !errors.Is(err, usbproto.ErrGone) || again != int(n) {
			t.Errorf("played back: %d bytes, %v", again, err)
		}
	}
}
