package command_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"xflash/usbproto"
	"xflash/usbproto/command"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// phone is the other end of the pipe, scripted by a test, on the clock of its bubble. Each write of the host and each
// transfer of the phone is one message, as over USB.
type phone struct {
	t   *testing.T
	c   net.Conn
	in  chan []byte
	buf []byte // of the host's bytes, what is not used up
	out chan []byte
	cut int // longest transfer; 0 is as the script sends
}

// converse runs a host against a scripted phone. Anything sent after the end of the script is a failure.
func converse(t *testing.T, script func(*phone), host func(ctx context.Context, t *testing.T, conn usbproto.Conn)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		conn := usbproto.NewNetConn(near, "test")
		p := &phone{t: t, c: far, in: make(chan []byte, 1<<12), out: make(chan []byte, 1<<16)}
		var wg sync.WaitGroup
		wg.Go(p.pumpIn)
		wg.Go(p.pumpOut)
		wg.Go(func() {
			defer close(p.out)
			script(p)
		})
		defer func() {
			if err := conn.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
			_ = far.Close() // ends the pumps
			wg.Wait()
			rest := p.buf
			for b := range p.in {
				rest = append(rest, b...)
			}
			if len(rest) > 0 && !t.Failed() {
				t.Errorf("the host sent %d bytes that the script does not expect: %.60q", len(rest), rest)
			}
		}()
		host(context.Background(), t, conn)
	})
}

func (p *phone) pumpIn() {
	defer close(p.in)
	for {
		b := make([]byte, 2<<20)
		n, err := p.c.Read(b)
		if n > 0 {
			p.in <- b[:n]
		}
		if err != nil {
			return
		}
	}
}

func (p *phone) pumpOut() {
	for b := range p.out {
		if _, err := p.c.Write(b); err != nil {
			return
		}
	}
}

func (p *phone) fail(format string, a ...any) {
	p.t.Errorf("phone: "+format, a...)
	runtime.Goexit()
}

// expect waits for one transfer of the host, which must be this command.
func (p *phone) expect(want string) {
	if len(p.buf) > 0 {
		p.fail("data came after a download: %.40q", p.buf)
	}
	got, ok := <-p.in
	if !ok {
		p.fail("the host is gone, %q was expected", want)
	}
	if string(got) != want {
		p.fail("got %.60q, expected %q", got, want)
	}
}

// take waits for n bytes of data.
func (p *phone) take(n int) []byte {
	for len(p.buf) < n {
		b, ok := <-p.in
		if !ok {
			p.buf = nil
			runtime.Goexit() // the host broke off
		}
		p.buf = append(p.buf, b...)
	}
	b := p.buf[:n:n]
	p.buf = p.buf[n:]
	return b
}

// send makes one transfer of each text.
func (p *phone) send(texts ...string) {
	for _, text := range texts {
		for b := []byte(text); len(b) > 0; {
			n := len(b)
			if p.cut > 0 {
				n = min(n, p.cut)
			}
			p.out <- bytes.Clone(b[:n])
			b = b[n:]
		}
	}
}

// answer is a command and what the phone sends for it.
func (p *phone) answer(want string, texts ...string) {
	p.expect(want)
	p.send(texts...)
}

// download takes data that must be these.
func (p *phone) download(want []byte) {
	p.answer(fmt.Sprintf("download:%08x", len(want)), fmt.Sprintf("DATA%08x", len(want)))
	if got := p.take(len(want)); !bytes.Equal(got, want) {
		p.fail("downloaded %d bytes, other ones than expected: %.40q", len(got), got)
	}
	p.send("OKAY")
}

// silence waits, which gives the host time to reach its limits.
func (p *phone) silence(d time.Duration) { time.Sleep(d) }

// hello is the start of every session.
func (p *phone) hello() { p.answer("getvar:max-download-size", "OKAY104857600") }

// inSession runs a host with an open session against the rest of a script.
func inSession(t *testing.T, script func(*phone), host func(ctx context.Context, t *testing.T, s *command.Session)) {
	t.Helper()
	inSessionWith(t, command.Options{}, script, host)
}

func inSessionWith(t *testing.T, opt command.Options, script func(*phone), host func(ctx context.Context, t *testing.T, s *command.Session)) {
	t.Helper()
	converse(t, func(p *phone) {
		p.hello()
		script(p)
	}, func(ctx context.Context, t *testing.T, conn usbproto.Conn) {
		s, err := command.Open(ctx, conn, opt)
		if err != nil {
			t.Fatalf("open: %v", err)
		}
		host(ctx, t, s)
	})
}

// pattern is n bytes that differ from place to place and hold no word of the protocol.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7+i>>8*13) | 0x80
	}
	return b
}

// took checks how much of the bubble's time something took.
func took(t *testing.T, from time.Time, want time.Duration) {
	t.Helper()
	if got := time.Since(from); got != want {
		t.Errorf("took %v, expected %v", got, want)
	}
}

// no fails unless err is nil.
func no(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

// words is text that a test compares in part.
func words(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, expected %q in it", err, want)
	}
}
