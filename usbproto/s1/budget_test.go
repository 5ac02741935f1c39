package s1_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"xflash/usbproto/s1"
)

// A unit whose answer comes in parts of one byte, each of them in time, does not keep the
// session forever.
func TestAnswerInTinyPartsHasABudget(t *testing.T) {
	inLoader(t, func(p *phone) {
		p.answer(9, []byte{2}, nil)
		for {
			pk, ok := p.packet()
			if !ok {
				return
			}
			if pk.cmd != 12 {
				p.fail("command %d", pk.cmd)
			}
			time.Sleep(4 * time.Second)
			p.send(12, 5, []byte{0})
		}
	}, func(ctx context.Context, t *testing.T, s *s1.Session) {
		if err := s.OpenTA(ctx, 2); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		_, err := s.ReadUnit(ctx, 2205)
		var broken *s1.PacketError
		if !errors.As(err, &broken) || !strings.Contains(err.Error(), "incomplete after 1m0s") {
			t.Errorf("got %v", err)
		}
		if took := time.Since(start); took > s1.Defaults.Answer+s1.Defaults.Small {
			t.Errorf("it took %s", took)
		}
		if err := s.CloseTA(ctx); !errors.Is(err, s1.ErrEnded) {
			t.Errorf("the session continues inside an answer: %v", err)
		}
	})
}

// A phone that accepts another command after a header has not taken the header back, or not
// in a way anybody has seen: nothing more may be sent.
func TestOfferedHeaderThatIsNotTakenBack(t *testing.T) {
	inLoader(t, func(p *phone) {
		p.answer(5, pattern(100), nil)
		p.answer(1, nil, []byte(loaderText))
	}, func(ctx context.Context, t *testing.T, s *s1.Session) {
		err := s.OfferHeader(ctx, "kernel.sin", pattern(100))
		if err == nil || !strings.Contains(err.Error(), "taking the header of kernel.sin back") {
			t.Errorf("got %v", err)
		}
		if err := s.SendImage(ctx, image("kernel.sin", 100, 10), nil); !errors.Is(err, s1.ErrEnded) {
			t.Errorf("the session continues: %v", err)
		}
	})
}

// A trim area that the phone refuses to close is not closed again when the session ends:
// each attempt makes the phone write the whole area once more (PROTOCOL.md §12.4).
func TestTrimAreaIsNotClosedAgain(t *testing.T) {
	inLoader(t, func(p *phone) {
		p.answer(9, []byte{2}, nil)
		p.refuse(10, 3, nil, reason("MINOR", "001F", "80180027"))
		p.answer(4, nil, nil)
	}, func(ctx context.Context, t *testing.T, s *s1.Session) {
		if err := s.OpenTA(ctx, 2); err != nil {
			t.Fatal(err)
		}
		var r *s1.Refusal
		if err := s.CloseTA(ctx); !errors.As(err, &r) || r.Code != "001F" {
			t.Fatalf("got %v", err)
		}
		if err := s.End(ctx); err != nil {
			t.Errorf("got %v", err)
		}
	})
}

// blocking is a source that gives some bytes and then blocks until it is released, like a
// file on a server that does not answer.
type blocking struct {
	first   *bytes.Reader
	release chan struct{}
}

func (b *blocking) Read(p []byte) (int, error) {
	if b.first.Len() > 0 {
		return b.first.Read(p)
	}
	<-b.release
	return 0, errors.New("released")
}

// A stop and the end of the context interrupt an upload whose source blocks.
func TestBlockedSourceIsInterrupted(t *testing.T) {
	const m = packetSize
	for name, interrupt := range map[string]func(stop chan struct{}, cancel func()){
		"stop":    func(stop chan struct{}, _ func()) { close(stop) },
		"context": func(_ chan struct{}, cancel func()) { cancel() },
	} {
		t.Run(name, func(t *testing.T) {
			inLoader(t, func(p *phone) {
				p.answer(5, pattern(100), nil)
				p.expect(6, 7, pattern(m))
				p.send(6, 1, nil)
				if name == "stop" {
					p.refuse(1, 3, nil, reason("MINOR", "005C", "80110002"))
				}
			}, func(ctx context.Context, t *testing.T, s *s1.Session) {
				ctx, cancel := context.WithCancel(ctx)
				defer cancel()
				source := &blocking{bytes.NewReader(pattern(m)), make(chan struct{})}
				defer close(source.release)
				stop := make(chan struct{})
				time.AfterFunc(time.Minute, func() { interrupt(stop, cancel) })
				start := time.Now()
				err := s.SendImage(ctx, s1.Image{Name: "system.sin", Header: pattern(100), Data: source, Size: 3 * m, Stop: stop}, nil)
				if !errors.Is(err, s1.ErrStopped) && !errors.Is(err, context.Canceled) {
					t.Errorf("got %v", err)
				}
				took(t, start, time.Minute)
			})
		})
	}
}
