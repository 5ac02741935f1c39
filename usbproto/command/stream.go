package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"xflash/usbproto"
)

const (
	maxAnswer = 4096                  // bytes of one answer; those known have less than 100
	usbPacket = 512                   // requests are whole packets, or an answer in the same one would overflow
	readMost  = 64 << 10              // bytes of one request
	pause     = 60 * time.Millisecond // after which an answer that comes in parts is complete
)

// stream reads what the phone sends as bytes: where a transfer ends means nothing inside DATA, and a transfer may hold
// data and the answer after it (PROTOCOL.md §1.4).
type stream struct {
	conn  usbproto.Conn
	buf   []byte // received and not used up
	last  int    // how much of its end came with the last read
	full  bool   // that read got all it asked for: the transfer may continue
	nul   bool   // this phone ends DATA answers with a NUL
	moved func() // bytes came
	room  []byte
}

func newStream(conn usbproto.Conn, moved func()) *stream {
	return &stream{conn: conn, moved: moved, room: make([]byte, readMost)}
}

// fill waits for at least one more byte. want is how many are known to be missing.
func (s *stream) fill(ctx context.Context, want int64) error {
	ask := (min(max(want, 1), readMost) + usbPacket - 1) / usbPacket * usbPacket
	n, err := s.conn.Read(ctx, s.room[:ask])
	if n == 0 {
		return err
	}
	s.moved()
	s.buf = append(s.buf, s.room[:n]...)
	s.last, s.full = n, n == int(ask)
	return nil // what failed after these bytes fails again, if they are not enough
}

// reply is one answer.
type reply struct {
	kind string // OKAY, FAIL or DATA
	text string // of OKAY and FAIL
	size int64  // of DATA
}

func (r reply) String() string {
	if r.kind == "DATA" {
		return fmt.Sprintf("DATA%08x", r.size)
	}
	return r.kind + r.text
}

// badAnswer is what is wrong with an answer.
type badAnswer struct{ got, reason string }

func (e *badAnswer) Error() string { return e.reason }

func (s *stream) bad(reason string) error {
	return &badAnswer{string(s.buf[:min(len(s.buf), 40)]), reason}
}

// answer reads the next answer. fromPhone says that data from the phone follow a DATA.
func (s *stream) answer(ctx context.Context, fromPhone bool) (reply, error) {
	if err := s.atLeast(ctx, 4); err != nil {
		return reply{}, err
	}
	switch kind := string(s.buf[:4]); kind {
	case "OKAY", "FAIL":
		if err := s.rest(ctx); err != nil {
			return reply{}, err
		}
		text := strings.TrimRight(string(s.buf[4:]), "\x00")
		s.buf = s.buf[:0]
		return reply{kind: kind, text: text}, nil
	case "DATA":
		if err := s.atLeast(ctx, 12); err != nil {
			return reply{}, err
		}
		n, err := strconv.ParseUint(string(s.buf[4:12]), 16, 32)
		if err != nil {
			return reply{}, s.bad("DATA must be followed by eight hexadecimal digits")
		}
		s.use(12)
		if err := s.dropNUL(ctx, int64(n), fromPhone); err != nil {
			return reply{}, err
		}
		return reply{kind: kind, size: int64(n)}, nil
	}
	return reply{}, s.bad("an answer must start with OKAY, FAIL or DATA")
}

// atLeast waits for n bytes of an answer. A NUL before it is what a DATA answer in parts left.
func (s *stream) atLeast(ctx context.Context, n int) error {
	for came := 0; ; {
		if trimmed := bytes.TrimLeft(s.buf, "\x00"); len(trimmed) < len(s.buf) {
			s.use(len(s.buf) - len(trimmed))
		}
		if len(s.buf) >= n {
			return nil
		}
		if came > maxAnswer {
			return s.bad("only zeros")
		}
		if err := s.fill(ctx, 1); err != nil {
			return err
		}
		came += s.last
	}
}

// rest completes an answer of text, whose length nothing tells. One that came whole ends with its transfer; one in parts
// ends with a pause.
func (s *stream) rest(ctx context.Context) error {
	for s.full || len(s.buf) > s.last {
		if len(s.buf) > maxAnswer {
			return s.bad("the answer does not end")
		}
		short, cancel := context.WithTimeout(ctx, pause)
		err := s.fill(short, 1)
		cancel()
		if errors.Is(err, usbproto.ErrTimeout) && !usbproto.Over(ctx) {
			return nil
		}
		if err != nil {
			return err
		}
		s.last = 0 // in parts: only a pause ends it
	}
	if len(s.buf) > maxAnswer {
		return s.bad("the answer does not end")
	}
	return nil
}

func (s *stream) use(n int) {
	s.buf = s.buf[:copy(s.buf, s.buf[n:])]
	s.last = min(s.last, len(s.buf))
}

// dropNUL takes the NUL away that some phones send as the 13th byte of a DATA answer (PROTOCOL.md §1.4). The first of n
// bytes of data may be a zero too, and a byte pipe joins transfers: the place of the next answer decides, or for long
// data what came with DATA and what this phone did before.
func (s *stream) dropNUL(ctx context.Context, n int64, fromPhone bool) error {
	if s.nul && fromPhone && len(s.buf) == 0 { // it comes in a transfer by itself
		if err := s.fill(ctx, n); err != nil {
			return err
		}
	}
	if len(s.buf) == 0 || s.buf[0] != 0 {
		return nil
	}
	switch {
	case !fromPhone:
		s.nul = true
	case n <= readMost:
		for want := n + 4; int64(len(s.buf)) < want; {
			if err := s.fill(ctx, want-int64(len(s.buf))); err != nil {
				return err
			}
		}
		s.nul = !s.answerAt(n)
	case len(s.buf) == 1:
		s.nul = true
	}
	if s.nul {
		s.use(1)
	}
	return nil
}

// answerAt tells whether an answer starts at an offset.
func (s *stream) answerAt(n int64) bool {
	return n <= int64(len(s.buf)) && isAnswer(s.buf[n:])
}

// isAnswer tells whether bytes start like an answer.
func isAnswer(b []byte) bool {
	return bytes.HasPrefix(b, []byte("OKAY")) || bytes.HasPrefix(b, []byte("FAIL")) || bytes.HasPrefix(b, []byte("DATA"))
}

// data copies n bytes to w and leaves what follows them. An error of w is returned after all of them were read, so that
// the next answer is an answer.
func (s *stream) data(ctx context.Context, w io.Writer, n int64) error {
	var failed error
	for n > 0 {
		if len(s.buf) == 0 {
			if err := s.fill(ctx, n); err != nil {
				return err
			}
		}
		part := min(n, int64(len(s.buf)))
		if failed == nil {
			if _, err := w.Write(s.buf[:part]); err != nil {
				failed = &sinkError{err}
			}
		}
		s.use(int(part))
		n -= part
	}
	return failed
}

// sinkError is an error of what takes the data, not of the phone.
type sinkError struct{ error }

// quiet listens for answers that nobody asked for.
func (s *stream) quiet(ctx context.Context, limit time.Duration) error {
	short, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for len(s.buf) < maxAnswer {
		err := s.fill(short, 1)
		if errors.Is(err, usbproto.ErrTimeout) && !usbproto.Over(ctx) {
			break
		}
		if err != nil {
			return err
		}
	}
	if trimmed := bytes.TrimLeft(s.buf, "\x00"); len(trimmed) > 0 {
		return s.bad("it was not requested")
	}
	s.buf = s.buf[:0]
	return nil
}
