package fastboot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"xflash/usbproto"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// loader is the other end of a connection: what it answers to each message is up to the
// test. Data of a download go to data.
type loader struct {
	t       *testing.T
	answer  func(command string) []string // messages; "gone" leaves the bus
	queue   [][]byte
	heard   []string
	want    int64
	data    bytes.Buffer
	short   int64 // takes only so many bytes of the data, 0 all
	silence bool  // gives no more answers
	gone    bool
}

func (l *loader) Write(ctx context.Context, p []byte) (int, error) {
	if l.gone {
		return 0, usbproto.ErrGone
	}
	if l.want > 0 {
		if l.short > 0 && int64(l.data.Len()+len(p)) > l.short {
			return int(l.short) - l.data.Len(), &usbproto.TransferError{Op: "write", Err: usbproto.ErrStalled}
		}
		l.data.Write(p)
		if l.want -= int64(len(p)); l.want == 0 {
			l.take(l.answer("data"))
		}
		return len(p), nil
	}
	l.heard = append(l.heard, string(p))
	l.take(l.answer(string(p)))
	return len(p), nil
}

func (l *loader) take(messages []string) {
	for _, m := range messages {
		if m == "gone" {
			l.gone = true
			return
		}
		if hex, ok := strings.CutPrefix(m, "DATA"); ok && len(l.heard) > 0 && strings.HasPrefix(l.heard[len(l.heard)-1], "download:") {
			_, _ = fmt.Sscanf(hex, "%x", &l.want) // a malformed one takes nothing
			l.data.Reset()
		}
		l.queue = append(l.queue, []byte(m))
	}
}

func (l *loader) Read(ctx context.Context, p []byte) (int, error) {
	if len(l.queue) > 0 && !l.silence {
		n := copy(p, l.queue[0])
		l.queue = l.queue[1:]
		return n, nil
	}
	if l.gone {
		return 0, usbproto.ErrGone
	}
	<-ctx.Done()
	if errors.Is(ctx.Err(), context.Canceled) {
		return 0, ctx.Err()
	}
	return 0, usbproto.ErrTimeout
}

func (l *loader) Close() error { return nil }

// usual is a loader that does what it should.
func usual(command string) []string {
	switch {
	case command == "getvar:version":
		return []string{"OKAY0.4"}
	case command == "getvar:max-download-size":
		return []string{"OKAY0x00100000"}
	case strings.HasPrefix(command, "download:"):
		return []string{"DATA" + command[9:]}
	}
	return []string{"OKAY"}
}

// open starts a session with a loader that answers by the function, and as usual where
// that gives nil.
func open(t *testing.T, answer func(command string) []string) (*Client, *loader) {
	t.Helper()
	l := &loader{t: t, answer: func(c string) []string {
		if m := answer(c); m != nil {
			return m
		}
		return usual(c)
	}}
	c, err := Open(soon(t), l, Options{})
	if err != nil {
		t.Fatal(err)
	}
	l.heard = nil
	return c, l
}

func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func nothing(string) []string { return nil }

// Test 14 of docs/contributing.md §5: an answer of an earlier session is discarded, whether it
// is there before the first command or comes after it.
func TestLateAnswers(t *testing.T) {
	l := &loader{t: t, answer: usual, queue: [][]byte{[]byte("INFOold"), []byte("OKAYold")}}
	c, err := Open(soon(t), l, Options{})
	if err != nil || c.version != "0.4" {
		t.Fatalf("%v, version %q", err, c.version)
	}
	if v, err := c.Getvar(soon(t), "max-download-size"); err != nil || v != "0x00100000" {
		t.Errorf("%q, %v", v, err)
	}
	late := &loader{t: t, answer: func(command string) []string {
		if command == "getvar:version" {
			return []string{"OKAYof an earlier command", "OKAY0.4"}
		}
		return usual(command)
	}}
	if c, err = Open(soon(t), late, Options{}); err != nil {
		t.Fatal(err)
	}
	if v, err := c.Getvar(soon(t), "max-download-size"); err != nil || v != "0x00100000" {
		t.Errorf("%q, %v", v, err)
	}
}

// Test 15: the first command is answered "unknown command", the second is not.
func TestFirstCommandUnknown(t *testing.T) {
	asked := 0
	var notes []string
	l := &loader{t: t, answer: func(command string) []string {
		if asked++; asked == 1 {
			return []string{"FAILunknown command"}
		}
		return usual(command)
	}}
	if _, err := Open(soon(t), l, Options{Log: func(s string) { notes = append(notes, s) }}); err != nil {
		t.Fatal(err)
	}
	if asked != 2 || len(notes) != 1 {
		t.Errorf("asked %d times, notes %v", asked, notes)
	}
}

// Test 16: answers in pieces, many lines, TEXT, long and odd answers.
func TestAnswerForms(t *testing.T) {
	var lines []string
	for i := range 1000 {
		lines = append(lines, fmt.Sprintf("INFOline %d", i))
	}
	for name, c := range map[string]struct {
		messages []string
		text     string
		info     int
	}{
		"pieces":         {[]string{"O", "K", "A", "Y", "h", "i"}, "hi", 0},
		"thousand lines": {append(lines, "OKAYdone"), "done", 1000},
		"TEXT":           {[]string{"TEXTraw ", "TEXTtext\n", "OKAY"}, "", 2},
		"long":           {[]string{"OKAY" + strings.Repeat("x", 252)}, strings.Repeat("x", 252), 0},
		"not ASCII":      {[]string{"OKAY\xff\xfe"}, "\xff\xfe", 0},
		"empty packet":   {[]string{"", "OKAYafter"}, "after", 0},
	} {
		client, _ := open(t, func(command string) []string {
			if command == "oem device-info" {
				return c.messages
			}
			return nil
		})
		r, err := client.Command(soon(t), "oem device-info")
		if err != nil || r.Text != c.text || len(r.Info) != c.info {
			t.Errorf("%s: %+v, %v", name, r.Text, err)
		}
	}
}

// Test 17: the phone asks for another size, refuses after the data, or says OKAY too soon.
func TestDownloadAnswers(t *testing.T) {
	data := []byte("sixteen bytes...")
	var odd *ProtocolError
	for name, messages := range map[string][]string{"another size": {"DATA00000020"}, "OKAY before the data": {"OKAY"}, "no number": {"DATAsixteen!"}} {
		c, l := open(t, func(command string) []string {
			if strings.HasPrefix(command, "download:") {
				return messages
			}
			return nil
		})
		if err := c.Download(soon(t), bytes.NewReader(data), 16); !errors.As(err, &odd) {
			t.Errorf("%s: %v", name, err)
		}
		if l.data.Len() != 0 {
			t.Errorf("%s: data were sent", name)
		}
	}
	c, _ := open(t, func(command string) []string {
		if command == "data" {
			return []string{"FAILno room"}
		}
		return nil
	})
	var refusal *Refusal
	if err := c.Download(soon(t), bytes.NewReader(data), 16); !errors.As(err, &refusal) || refusal.Text != "no room" {
		t.Errorf("FAIL after the data: %v", err)
	}
}

// Tests 20, 21 and 23: a stall or a short write is an error with the command in it, and so
// is silence.
func TestTransferFails(t *testing.T) {
	c, l := open(t, nothing)
	l.short = 10
	var broken *TransferError
	if err := c.Download(soon(t), bytes.NewReader(make([]byte, 100)), 100); !errors.As(err, &broken) || broken.Command != "download:00000064" || !errors.Is(err, usbproto.ErrStalled) {
		t.Errorf("short write: %v", err)
	}
	c, l = open(t, nothing)
	l.silence = true
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := c.Erase(ctx, "cache"); !errors.Is(err, usbproto.ErrTimeout) {
		t.Errorf("silence: %v", err)
	}
	c, _ = open(t, nothing)
	if err := c.Download(soon(t), strings.NewReader("short"), 100); !errors.Is(err, ErrShort) {
		t.Errorf("a file that ends early: %v", err)
	}
}

// Test 24: a phone that leaves at once after it was told to has done it; one that leaves
// earlier has not.
func TestLeaving(t *testing.T) {
	for _, answers := range [][]string{{"OKAY", "gone"}, {"gone"}} {
		c, _ := open(t, func(command string) []string {
			if strings.HasPrefix(command, "reboot") {
				return answers
			}
			return nil
		})
		if err := c.Reboot(soon(t), "bootloader"); err != nil {
			t.Errorf("%v: %v", answers, err)
		}
	}
	c, l := open(t, nothing)
	l.gone = true
	if err := c.Reboot(soon(t), ""); !errors.Is(err, usbproto.ErrGone) {
		t.Errorf("gone before: %v", err)
	}
}

// Test 29: the commands of common jobs are the documented ones, in order.
func TestCommands(t *testing.T) {
	c, l := open(t, nothing)
	raw := bytes.Repeat([]byte("0123456789abcdef"), 3<<16) // 3 MiB, three times the limit
	for _, do := range []func() error{
		func() error { return c.Flash(soon(t), "boot", bytes.NewReader(raw), 1000, 0) },
		func() error { return c.Flash(soon(t), "system", bytes.NewReader(raw), int64(len(raw)), 0) },
		func() error { return c.Erase(soon(t), "cache") },
		func() error { return c.SetActive(soon(t), "a") },
		func() error { return c.Continue(soon(t)) },
	} {
		if err := do(); err != nil {
			t.Fatal(err)
		}
	}
	var heard []string
	for _, h := range l.heard {
		if strings.HasPrefix(h, "download:") && h != "download:000003e8" {
			h = "download:*"
		}
		heard = append(heard, h)
	}
	want := "getvar:max-download-size download:000003e8 flash:boot getvar:max-download-size" +
		strings.Repeat(" download:* flash:system", 4) + // sparse headers need a fourth piece
		" erase:cache set_active:a continue"
	if got := strings.Join(heard, " "); got != strings.ReplaceAll(want, "flashing_", "flashing ") {
		t.Errorf("%s\nwant %s", got, want)
	}
}

func TestUploadAndFetch(t *testing.T) {
	content := strings.Repeat("partition content. ", 1000)
	c, l := open(t, func(command string) []string {
		var from, n int
		switch {
		case command == "upload":
			return []string{"DATA00000005", "he", "llo", "OKAY"}
		case command == "getvar:partition-size:boot":
			return []string{fmt.Sprintf("OKAY0x%x", len(content))}
		case command == "getvar:max-fetch-size":
			return []string{"OKAY0x1000"}
		case strings.HasPrefix(command, "fetch:boot:"):
			if _, err := fmt.Sscanf(command, "fetch:boot:0x%x:0x%x", &from, &n); err != nil {
				return []string{"FAIL" + err.Error()}
			}
			return []string{fmt.Sprintf("DATA%08x", n), content[from : from+n/2], content[from+n/2 : from+n], "OKAY"}
		}
		return nil
	})
	var got bytes.Buffer
	if n, err := c.Upload(soon(t), &got); err != nil || n != 5 || got.String() != "hello" {
		t.Errorf("%q, %v", got.String(), err)
	}
	got.Reset()
	if _, err := c.Fetch(soon(t), "boot", &got); err != nil || got.String() != content {
		t.Errorf("%d bytes, %v", got.Len(), err)
	}
	for _, h := range l.heard {
		if len(h) > maxCommand {
			t.Errorf("%d bytes in %q", len(h), h)
		}
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]int64{"0x20000000": 0x20000000, "536870912": 536870912, "1F400000": 0x1F400000, " 0x10 ": 16} {
		if got, ok := parseSize(text); !ok || got != want {
			t.Errorf("%q is %d", text, got)
		}
	}
	for _, text := range []string{"", "-1", "0x", "many", "0xFFFFFFFFFFFFFFFFFF"} {
		if got, ok := parseSize(text); ok {
			t.Errorf("%q is %d", text, got)
		}
	}
}

// zeros is a large raw image that holds nothing.
type zeros int64

func (z zeros) ReadAt(p []byte, at int64) (int, error) {
	if at >= int64(z) {
		return 0, io.EOF
	}
	n := min(int64(len(p)), int64(z)-at)
	clear(p[:n])
	if n < int64(len(p)) {
		return int(n), io.EOF
	}
	return int(n), nil
}

func TestLargeRawImage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // its 5 seconds are for the phone, not for this computer
		c, l := open(t, nothing)
		if err := c.Flash(soon(t), "system", zeros(1<<30), 1<<30, 1<<20); err != nil {
			t.Fatal(err)
		}
		if len(l.heard) != 2 || l.data.Len() > 4096 {
			t.Errorf("%v, %d bytes: a gigabyte of zeros is one fill chunk", l.heard, l.data.Len())
		}
	})
}

// Whatever comes back: an answer or an error, in bounded time.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte("INFOhello\x00OKAYdone"))
	f.Add([]byte("DATA00000010\x00OKAY"))
	f.Add([]byte("FAIL\x00FAIL"))
	f.Add([]byte("O\x00K\x00A\x00Y"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		l := &loader{t: t, answer: usual}
		c, err := Open(t.Context(), l, Options{})
		if err != nil {
			t.Fatal(err)
		}
		l.answer = func(string) []string { return nil }
		l.queue = append(l.queue, bytes.Split(stream, []byte{0})...)
		l.gone = false
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		defer cancel()
		r, err := c.Command(ctx, "getvar:x")
		if err == nil && !bytes.Contains(stream, []byte("OKAY")) && !strings.Contains(strings.ReplaceAll(string(stream), "\x00", ""), "OKAY") {
			t.Fatalf("%+v out of %q", r, stream)
		}
	})
}
