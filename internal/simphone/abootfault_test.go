package simphone

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"xflash/usbproto"
)

// loader opens a phone in fastboot mode on a small disk.
func loader(t testing.TB, o Options) *Aboot {
	t.Helper()
	o.InFastboot, o.Disk = true, minDisk
	return openPhone(t, o).Fastboot()
}

// readAll returns the messages that come within limit each.
func readAll(t testing.TB, c usbproto.Conn, limit time.Duration) (all []string, err error) {
	t.Helper()
	b := make([]byte, 4096)
	for {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		n, err := c.Read(ctx, b)
		cancel()
		if err != nil {
			return all, err
		}
		all = append(all, string(b[:n]))
	}
}

// Each fault does what it says, at its command and not at others.
func TestAbootFaults(t *testing.T) {
	download := []string{"download:00000008", "12345678"}
	for _, c := range []struct {
		fault string
		send  []string
		want  string // messages with | between
		err   error
	}{
		{"stale=OKAY@0", []string{"getvar:version"}, "OKAY|OKAY0.5", usbproto.ErrTimeout},
		{"fail=unknown command@1", []string{"getvar:version", "getvar:version"}, "FAILunknown command|OKAY0.5", usbproto.ErrTimeout},
		{"silence@2", []string{"getvar:version", "getvar:version"}, "OKAY0.5", usbproto.ErrTimeout},
		{"unplug@1", []string{"reboot"}, "", usbproto.ErrGone},
		{"split@1", []string{"nonsense"}, strings.Join(strings.Split("FAILunknown command", ""), "|"), usbproto.ErrTimeout},
		{"joined@1", []string{"oem device-info"}, "INFO\tDevice tampered: falseINFO\tDevice unlocked: trueOKAY", usbproto.ErrTimeout},
		{"short-read@1", []string{"getvar:version"}, "OKAY0", usbproto.ErrTimeout},
		{"info=3@1", []string{"getvar:version"}, "INFOline 1|INFOline 2|INFOline 3|OKAY0.5", usbproto.ErrTimeout},
		{"text@1", []string{"getvar:version"}, "TEXThalf a |TEXTline|OKAY0.5", usbproto.ErrTimeout},
		{"long@1", []string{"getvar:version"}, "INFO" + strings.Repeat("x", 296) + "|OKAY0.5", usbproto.ErrTimeout},
		{"garbage@1", []string{"getvar:version"}, "\xFF\xFEOK\x80\x00", usbproto.ErrTimeout},
		{"empty@1", []string{"getvar:version"}, "OKAY0.5", usbproto.ErrTimeout},
		{"late=30ms@1", []string{"getvar:version"}, "OKAY0.5", usbproto.ErrTimeout},
		{"data-size=-3@1", []string{"download:00000008", "12345"}, "DATA00000005|OKAY", usbproto.ErrTimeout},
		{"data-size=1@1", download, "DATA00000009", usbproto.ErrTimeout},
		{"data-fail@1", []string{"download:00000008", "1234", "getvar:version"}, "DATA00000008|FAILdownload failed|OKAY0.5", usbproto.ErrTimeout},
		{"early-okay@1", []string{"download:00000008", "1234"}, "DATA00000008|OKAY", usbproto.ErrTimeout},
	} {
		conn := loader(t, Options{Faults: faults(t, c.fault)}).Conn()
		for _, message := range c.send {
			if _, err := conn.Write(t.Context(), []byte(message)); err != nil {
				t.Fatalf("%s: %v", c.fault, err)
			}
		}
		got, err := readAll(t, conn, 100*time.Millisecond)
		if text := strings.Join(got, "|"); text != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s: %q, %v; want %q, %v", c.fault, text, err, c.want, c.err)
		}
		conn.Close()
	}
}

// A storage chip that keeps nothing is not noticed by the loader.
func TestAbootCardFault(t *testing.T) {
	a := loader(t, Options{Faults: faults(t, "card@2")})
	conn := a.Conn()
	for _, message := range []string{"download:00000004", "data", "flash:cache"} {
		if _, err := conn.Write(t.Context(), []byte(message)); err != nil {
			t.Fatal(err)
		}
	}
	if got, _ := readAll(t, conn, 20*time.Millisecond); strings.Join(got, "|") != "DATA00000004|OKAY|OKAY" {
		t.Errorf("%q", got)
	}
	if got := content(t, a.phone, "cache", 0, 4); string(got) == "data" {
		t.Error("it was stored")
	}
}

// The next host finds what the last one left unread; a read waits for a write from
// elsewhere and ends with Close.
func TestAbootConn(t *testing.T) {
	a := loader(t, Options{})
	first := a.Conn()
	if _, err := first.Write(t.Context(), []byte("getvar:version")); err != nil {
		t.Fatal(err)
	}
	first.Close()
	second := a.Conn()
	b := make([]byte, 4)
	for _, want := range []string{"OKAY", "0.5"} { // a message that does not fit continues
		if n, err := second.Read(t.Context(), b); err != nil || string(b[:n]) != want {
			t.Errorf("%q, %v", b[:n], err)
		}
	}
	done := make(chan error, 1)
	go func() {
		_, err := second.Read(context.Background(), b)
		done <- err
	}()
	time.Sleep(20 * time.Millisecond)
	second.Close()
	select {
	case err := <-done:
		if !errors.Is(err, usbproto.ErrClosed) {
			t.Error(err)
		}
	case <-time.After(answerTime):
		t.Fatal("a read continues after Close")
	}
}

// Unlocking is kept in the state directory and costs what internal/phone/PHONES.md §9.4 says.
func TestAbootUnlock(t *testing.T) {
	dir := t.TempDir()
	a := loader(t, Options{Dir: dir, Locked: true})
	if answers, _ := a.message([]byte("oem unlock 0x0123456789abcdef")); string(answers[0]) != "OKAY" {
		t.Fatalf("%q", answers)
	}
	if code, _, err := a.phone.Unit(2, 2226); string(code) != "0123456789ABCDEF" || err != nil {
		t.Errorf("unit 2226 is %q, %v", code, err)
	}
	if _, there, err := a.phone.Unit(2, 66667); there || err != nil {
		t.Errorf("the device key is still there: %t, %v", there, err)
	}
	if got := content(t, a.phone, "userdata", 0, 4096); string(got) != string(make([]byte, 4096)) {
		t.Error("userdata is still there")
	}
	a.phone.Close()
	again := loader(t, Options{Dir: dir})
	if answers, _ := again.message([]byte("getvar:secure")); string(answers[0]) != "OKAYno" {
		t.Errorf("%q", answers)
	}
}

// A download that is too large takes the one before with it.
func TestAbootRefusedDownloadDropsTheLast(t *testing.T) {
	a := loader(t, Options{})
	for _, message := range []string{"download:00000008", "ANDROID!", "download:ffffffff"} {
		a.message([]byte(message))
	}
	if answers, _ := a.message([]byte("boot")); string(answers[0]) != "FAILinvalid bootimage header" {
		t.Errorf("%q", answers)
	}
}

// A UDP packet that comes again gets the same answer and is not carried out again; one
// out of order gets none (fastboot/PROTOCOL.md §1).
func TestAbootUDPPackets(t *testing.T) {
	u := &udpPhone{aboot: loader(t, Options{}), number: 7}
	say := func(id, flags byte, number uint16, data string) string {
		return string(u.packet(t.Context(), append([]byte{id, flags, byte(number >> 8), byte(number)}, data...)))
	}
	for i, c := range []struct {
		id, flags byte
		number    uint16
		data      string
		want      string
	}{
		{1, 0, 0, "", "\x01\x00\x00\x00\x00\x07"},
		{3, 0, 9, "getvar:version", ""},
		{2, 0, 7, "\x00\x01\x20\x00", "\x02\x00\x00\x07\x00\x01\x08\x00"},
		{2, 0, 7, "\x00\x01\x20\x00", "\x02\x00\x00\x07\x00\x01\x08\x00"},
		{3, 1, 8, "getvar:", "\x03\x00\x00\x08"},
		{3, 1, 8, "getvar:", "\x03\x00\x00\x08"},
		{3, 0, 9, "version", "\x03\x00\x00\x09"},
		{3, 0, 10, "", "\x03\x00\x00\x0AOKAY0.5"},
		{3, 0, 10, "", "\x03\x00\x00\x0AOKAY0.5"},
		{3, 0, 11, "download:00000006", "\x03\x00\x00\x0B"},
		{3, 0, 12, "", "\x03\x00\x00\x0CDATA00000006"},
		{3, 1, 13, "abc", "\x03\x00\x00\x0D"},
		{3, 1, 13, "abc", "\x03\x00\x00\x0D"},
		{1, 0, 0, "", "\x01\x00\x00\x00\x00\x0E"},
		{3, 0, 14, "def", "\x03\x00\x00\x0E"},
		{3, 0, 15, "", "\x03\x00\x00\x0FOKAY"},
		{3, 0, 16, strings.Repeat("x", 4000), "\x00\x00\x00\x10packet is too large"},
	} {
		if got := say(c.id, c.flags, c.number, c.data); got != c.want {
			t.Errorf("packet %d: %q, want %q", i, got, c.want)
		}
	}
	if string(u.aboot.data) != "abcdef" {
		t.Errorf("downloaded %q", u.aboot.data)
	}
}

// A TCP client that speaks something else, leaves in the middle of a download, or
// announces a message without end makes room for the next.
func TestAbootTCPClients(t *testing.T) {
	a := loader(t, Options{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- a.ServeTCP(ctx, l) }()
	message := func(text string) string {
		return string(binary.BigEndian.AppendUint64(nil, uint64(len(text)))) + text
	}
	for _, c := range []struct{ send, want string }{
		{"GET ", "FB01"},
		{"FB00", "FB01"},
		{"FB01" + message("download:00000008"), "FB01" + message("DATA00000008")},
		{"FB01" + message("getvar:version"), "FB01" + message("OKAY0.5")},
		{"FB01\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", "FB01"},
		{"FB01" + message(""), "FB01" + message("FAILunknown command")},
		{"FB01" + message("reboot"), "FB01" + message("OKAY")},
	} {
		client, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if err := client.SetDeadline(time.Now().Add(answerTime)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(client, c.send); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(c.want))
		if _, err := io.ReadFull(client, got); err != nil || string(got) != c.want {
			t.Errorf("%q: %q, %v; want %q", c.send, got, err, c.want)
		}
		client.Close()
	}
	if err := wait(t, result); err != nil {
		t.Error(err)
	}
	cancel()
}

// The log tells commands and what became of a boot.
func TestAbootLog(t *testing.T) {
	var log []string
	a := loader(t, Options{Log: func(e Event) { log = append(log, fmt.Sprint(e.Packet, " ", e.Note)) }})
	image := bootImage{kernel: zImage(tree{"SoMC Aries ROW", []uint32{194, 8, 0x10000}, nil}.build())}.build()
	a.message(fmt.Appendf(nil, "download:%08x", len(image)))
	a.message(image)
	a.message([]byte("boot"))
	if got := strings.Join(log, "; "); got != "1 fastboot: download:; 2 fastboot: boot; 2 fastboot: starts the kernel: runs" {
		t.Error(got)
	}
}
