package fastboot

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"slices"
	"testing"
	"time"

	"xflash/usbproto"
)

// script is the other end of a TCP connection: it gives bytes, and takes whatever comes.
type script struct{ left []byte }

func (s *script) Read(ctx context.Context, p []byte) (int, error) {
	if len(s.left) == 0 {
		return 0, usbproto.ErrGone
	}
	n := copy(p, s.left[:min(len(s.left), 1+int(s.left[0])%97)]) // packets of any size
	s.left = s.left[n:]
	return n, nil
}

func (s *script) Write(_ context.Context, p []byte) (int, error) { return len(p), nil }
func (s *script) Close() error                                   { return nil }

// FuzzTCP: whatever a peer sends, reading ends, no message is longer than the buffer, and no
// byte comes from nowhere.
func FuzzTCP(f *testing.F) {
	frame := func(texts ...string) (b []byte) {
		for _, t := range texts {
			b = append(binary.BigEndian.AppendUint64(b, uint64(len(t))), t...)
		}
		return b
	}
	f.Add(frame("OKAY0.4", "INFOhello", "OKAY"))
	f.Add(frame("", "OKAY"))
	f.Add(binary.BigEndian.AppendUint64(nil, 1<<63))
	f.Fuzz(func(t *testing.T, data []byte) {
		conn := &tcpConn{Conn: &script{bytes.Clone(data)}}
		buf := make([]byte, 64)
		total := 0
		for range len(data) + 2 {
			n, err := conn.Read(t.Context(), buf)
			if total += n; n > len(buf) || total > len(data) {
				t.Fatalf("%d bytes of %d", total, len(data))
			}
			if err != nil {
				break
			}
		}
		client := &Client{conn: &tcpConn{Conn: &script{data}}}
		_, _ = client.Command(t.Context(), "getvar:version") // whatever it says, it ends
	})
}

// packets is the other end of a UDP connection: for each packet that is sent it has the next
// of its answers, and silence when there are no more.
type packets struct {
	net.Conn
	answers func(sent []byte) [][]byte
	queue   [][]byte
}

func (p *packets) Write(b []byte) (int, error) {
	p.queue = append(p.queue, p.answers(bytes.Clone(b))...)
	return len(b), nil
}

func (p *packets) Read(b []byte) (int, error) {
	if len(p.queue) == 0 {
		return 0, os.ErrDeadlineExceeded
	}
	n := copy(b, p.queue[0])
	p.queue = p.queue[1:]
	return n, nil
}

func (p *packets) SetReadDeadline(time.Time) error { return nil }
func (p *packets) Close() error                    { return nil }

// FuzzUDP: whatever packets a peer sends, with right numbers or wrong ones, a session ends
// within its time.
func FuzzUDP(f *testing.F) {
	f.Add([]byte("\x02\x00\x00\x04\x00\x01\x04\x00\x00\x00\x07OKAY0.4"))
	f.Add([]byte{0x82, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		next := func(sent []byte) [][]byte {
			if len(data) == 0 {
				return nil
			}
			n := min(int(data[0]&0x7F), len(data)-1)
			wrong := data[0]&0x80 != 0
			body := data[1 : 1+n]
			data = data[1+n:]
			if wrong { // as it is
				return [][]byte{body}
			}
			flags := byte(0)
			if n > 0 {
				flags = body[0] & udpMore
			}
			return [][]byte{append([]byte{sent[0], flags, sent[2], sent[3]}, body...)}
		}
		u := &udpConn{c: &packets{answers: next}, max: udpLeast}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Millisecond)
		defer cancel()
		if u.begin(ctx) != nil {
			return
		}
		if u.max < udpLeast || u.max > udpOwnMax {
			t.Fatalf("packets of %d bytes", u.max)
		}
		client := &Client{conn: u}
		_, _ = client.Command(ctx, "getvar:version") // whatever it says, it ends
	})
}

// TestHostileUDP: peers that answer with what they should not. Each session ends in its time
// with an error, and no peer makes it keep more than it was asked for.
func TestHostileUDP(t *testing.T) {
	answer := func(sent []byte, flags byte, body ...byte) []byte {
		return append([]byte{sent[0], flags, sent[2], sent[3]}, body...)
	}
	greet := func(then func(sent []byte) [][]byte) func([]byte) [][]byte {
		return func(sent []byte) [][]byte {
			switch sent[0] {
			case udpQuery:
				return [][]byte{answer(sent, 0, 0, 7)}
			case udpInit:
				return [][]byte{answer(sent, 0, 0, 1, 8, 0)}
			}
			return then(sent)
		}
	}
	large := make([]byte, 60<<10)
	for name, peer := range map[string]func([]byte) [][]byte{
		"silence":          func([]byte) [][]byte { return nil },
		"empty packets":    func([]byte) [][]byte { return [][]byte{{}, {1}, {1, 0, 0}} },
		"its own question": func(sent []byte) [][]byte { return [][]byte{sent} },
		"another number":   greet(func(sent []byte) [][]byte { sent[3] ^= 1; return [][]byte{answer(sent, 0, []byte("OKAY")...)} }),
		"an error":         greet(func(sent []byte) [][]byte { return [][]byte{{udpError, 0, sent[2], sent[3], 'n', 'o'}} }),
		"small packets":    func(sent []byte) [][]byte { return [][]byte{answer(sent, 0, 0, 1, 0, 100)} },
		"nothing but more": greet(func(sent []byte) [][]byte { return [][]byte{answer(sent, udpMore)} }),
		"more without end": greet(func(sent []byte) [][]byte { return [][]byte{answer(sent, udpMore, large...)} }),
		"each answer thrice": greet(func(sent []byte) [][]byte {
			return slices.Repeat([][]byte{answer(sent, 0, []byte("what is this")...)}, 3)
		}),
	} {
		t.Run(name, func(t *testing.T) {
			u := &udpConn{c: &packets{answers: peer}, max: udpLeast}
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			start := time.Now()
			err := u.begin(ctx)
			if err == nil {
				client := &Client{conn: u}
				_, err = client.Command(ctx, "getvar:version")
				if again, stop := context.WithTimeout(t.Context(), 200*time.Millisecond); err != nil {
					_, _ = u.Write(again, []byte("getvar:version")) // what was left unread is bounded
					stop()
				} else {
					stop()
				}
			}
			if err == nil {
				t.Error("no error")
			}
			if spent := time.Since(start); spent > 5*time.Second {
				t.Errorf("it took %v", spent)
			}
			if len(u.rest) > maxUnread+len(large) {
				t.Errorf("%d bytes are kept", len(u.rest))
			}
			if errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
}
