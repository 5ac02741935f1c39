package s1_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"xflash/usbproto"
	"xflash/usbproto/s1"
)

const packetSize = 0x10000 // MAX_PKT_SZ of loaderText

// image is one with that many bytes of header and data.
func image(name string, header, data int) s1.Image {
	return s1.Image{Name: name, Header: pattern(header), Data: bytes.NewReader(pattern(data)), Size: int64(data)}
}

// inLoader is a session with a running loader.
func inLoader(t *testing.T, script func(*phone), host func(ctx context.Context, t *testing.T, s *s1.Session)) {
	t.Helper()
	inLoaderWith(t, s1.Options{}, script, host)
}

func inLoaderWith(t *testing.T, opt s1.Options, script func(*phone), host func(ctx context.Context, t *testing.T, s *s1.Session)) {
	t.Helper()
	converse(t, func(p *phone) {
		p.greet(loaderText)
		script(p)
	}, func(ctx context.Context, t *testing.T, conn usbproto.Conn) { host(ctx, t, open(ctx, t, conn, opt)) })
}

// Bit 2 is set on every packet but the last, also when the last one is full, and there
// is not a closing packet (PROTOCOL.md §2.4).
func TestImageSizes(t *testing.T) {
	const m = packetSize
	for name, c := range map[string]struct {
		header, data  int
		parts, chunks []int
	}{
		"one byte":            {1024, 1, []int{1024}, []int{1}},
		"one less":            {1024, m - 1, []int{1024}, []int{m - 1}},
		"exactly one":         {1024, m, []int{1024}, []int{m}},
		"one more":            {1024, m + 1, []int{1024}, []int{m, 1}},
		"exactly three":       {1024, 3 * m, []int{1024}, []int{m, m, m}},
		"three and some":      {1024, 3*m + 8428, []int{1024}, []int{m, m, m, 8428}},
		"header of a packet":  {m, 5, []int{m}, []int{5}},
		"header one more":     {m + 1, 5, []int{m, 1}, []int{5}},
		"header of two":       {2 * m, 5, []int{m, m}, []int{5}},
		"header of two and 9": {2*m + 9, 2 * m, []int{m, m, 9}, []int{m, m}},
	} {
		t.Run(name, func(t *testing.T) {
			inLoader(t, func(p *phone) {
				header, data := p.image(c.parts, c.chunks)
				if !bytes.Equal(header, pattern(c.header)) || !bytes.Equal(data, pattern(c.data)) {
					p.fail("other bytes than those of the image")
				}
				p.answer(9, []byte{2}, nil) // the upload has ended
			}, func(ctx context.Context, t *testing.T, s *s1.Session) {
				want := []int64{int64(c.header)}
				for _, n := range c.chunks {
					want = append(want, want[len(want)-1]+int64(n))
				}
				var got []int64
				if err := s.SendImage(ctx, image("system.sin", c.header, c.data), func(n int64) { got = append(got, n) }); err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(got, want) {
					t.Errorf("progress %d, expected %d", got, want)
				}
				if err := s.OpenTA(ctx, 2); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestImageNotNow(t *testing.T) {
	inLoader(t, func(p *phone) {
		p.answer(9, []byte{1}, nil)
	}, func(ctx context.Context, t *testing.T, s *s1.Session) {
		noData, noHeader := image("x", 10, 0), image("x", 0, 10)
		for name, err := range map[string]error{
			"no data": s.SendImage(ctx, noData, nil), "no header": s.SendImage(ctx, noHeader, nil),
			"offer without header": s.OfferHeader(ctx, "x", nil), "second loader": s.SendLoader(ctx, image("x", 10, 10), nil),
		} {
			if !errors.Is(err, s1.ErrState) {
				t.Errorf("%s: %v", name, err)
			}
		}
		// With partition 1 open the phone would end the session (internal/explain/ERRORS.md
		// §3.1).
		if err := s.OpenTA(ctx, 1); err != nil {
			t.Error(err)
		}
		if err := s.SendImage(ctx, image("x", 10, 10), nil); !errors.Is(err, s1.ErrState) {
			t.Errorf("partition 1 open: %v", err)
		}
		if err := s.OfferHeader(ctx, "x", pattern(10)); !errors.Is(err, s1.ErrState) {
			t.Errorf("partition 1 open: %v", err)
		}
	})
}

// A refusal says which packet of which file, and the same image can be sent again after
// it (PROTOCOL.md §3.2, command 6).
func TestImageRefused(t *testing.T) {
	for name, c := range map[string]struct {
		script        func(*phone)
		command       s1.Command
		chunk, packet int
		doing         string
	}{
		"header": {func(p *phone) {
			p.refuse(5, 3, pattern(100), reason("MINOR", "0017", "80080021"))
		}, s1.CmdHeader, 0, 1, "system.sin, header"},
		"first packet": {func(p *phone) {
			p.answer(5, pattern(100), nil)
			p.refuse(6, 7, pattern(packetSize), reason("MINOR", "0017", "80080053"))
		}, s1.CmdData, 1, 2, "system.sin, data packet 1 of 3"},
		"last packet": {func(p *phone) {
			p.answer(5, pattern(100), nil)
			p.expect(6, 7, pattern(2 * packetSize)[:packetSize])
			p.send(6, 1, nil)
			p.expect(6, 7, pattern(2 * packetSize)[packetSize:])
			p.send(6, 1, nil)
			p.refuse(6, 3, pattern(2*packetSize + 5)[2*packetSize:], reason("MINOR", "0017", "80090012"))
		}, s1.CmdData, 3, 4, "system.sin, data packet 3 of 3"},
	} {
		t.Run(name, func(t *testing.T) {
			inLoader(t, func(p *phone) {
				c.script(p)
				p.image([]int{100}, []int{packetSize, packetSize, 5})
			}, func(ctx context.Context, t *testing.T, s *s1.Session) {
				var r *s1.Refusal
				err := s.SendImage(ctx, image("system.sin", 100, 2*packetSize+5), nil)
				if !errors.As(err, &r) {
					t.Fatal(err)
				}
				if r.Command != c.command || r.Image != "system.sin" || r.Chunk != c.chunk || r.Chunks != 3 || r.Packet != c.packet || r.Doing != c.doing {
					t.Errorf("%+v", r.At)
				}
				if err := s.SendImage(ctx, image("system.sin", 100, 2*packetSize+5), nil); err != nil {
					t.Errorf("sent again: %v", err)
				}
			})
		})
	}
}

// A packet has 60 seconds, the last one of a file 600. Stalls are reported while they last.
func TestImageDeadlines(t *testing.T) {
	for name, c := range map[string]struct {
		first, last time.Duration // until the phone confirms
		took        time.Duration
		stall       time.Duration // until it is reported, 0 for the default
		stalls      int
		chunk       int // that is given up, 0 for none
	}{
		"prompt": {0, 0, 0, 0, 0, 0},
		"slow":   {59 * time.Second, 599 * time.Second, 658 * time.Second, 0, 1 + 19, 0},
		// Confirmed while the question for details waits. 60 is not a multiple of 27.
		"too slow":        {61 * time.Second, 0, 61 * time.Second, 27 * time.Second, 2, 1},
		"too slow at end": {0, 601 * time.Second, 601 * time.Second, 27 * time.Second, 22, 2},
	} {
		t.Run(name, func(t *testing.T) {
			var stalls []string
			opt := s1.Options{Stall: c.stall, OnStall: func(doing string) { stalls = append(stalls, doing) }}
			inLoaderWith(t, opt, func(p *phone) {
				p.answer(5, pattern(100), nil)
				p.expect(6, 7, pattern(packetSize))
				time.Sleep(c.first)
				p.send(6, 1, nil)
				if c.chunk != 1 {
					p.expect(6, 3, pattern(packetSize + 1)[packetSize:])
					time.Sleep(c.last)
					p.send(6, 1, nil)
				}
				if c.chunk != 0 {
					p.answer(7, nil, reason("NONE", "0000", ""))
				}
			}, func(ctx context.Context, t *testing.T, s *s1.Session) {
				begin := time.Now()
				err := s.SendImage(ctx, image("system.sin", 100, packetSize+1), nil)
				took(t, begin, c.took)
				var e *s1.Error
				if c.chunk == 0 && err != nil || c.chunk != 0 && !(errors.As(err, &e) && errors.Is(err, usbproto.ErrTimeout) && e.Chunk == c.chunk && e.Image == "system.sin") {
					t.Error(err)
				}
				if len(stalls) != c.stalls || len(stalls) > 0 && !strings.HasPrefix(stalls[0], "system.sin, data packet ") {
					t.Errorf("%d stalls: %q", len(stalls), stalls)
				}
			})
		})
	}
}

// A byte starts the time of a stall again.
func TestStallAfterBytes(t *testing.T) {
	stalls := 0
	inLoaderWith(t, s1.Options{OnStall: func(string) { stalls++ }}, func(p *phone) {
		p.answer(5, pattern(100), nil)
		p.expect(6, 3, pattern(1))
		ack := wire(6, 1, nil)
		time.Sleep(20 * time.Second)
		p.raw(ack[:5])
		time.Sleep(35 * time.Second) // told at 50 seconds
		p.raw(ack[5:16])
		time.Sleep(29 * time.Second)
		p.raw(ack[16:])
	}, func(ctx context.Context, t *testing.T, s *s1.Session) {
		if err := s.SendImage(ctx, image("system.sin", 100, 1), nil); err != nil || stalls != 1 {
			t.Errorf("%d stalls, %v", stalls, err)
		}
	})
}

// A phone that stops taking bytes in the middle of a packet is not asked anything more:
// it would accept that for the rest of the packet.
func TestImageHalfTaken(t *testing.T) {
	conn := &halfConn{take: 13 + 100 + 4 + 13 + 20}
	s, err := s1.Open(t.Context(), conn, s1.Options{})
	if err != nil {
		t.Fatal(err)
	}
	err = s.SendImage(t.Context(), image("system.sin", 100, 50), nil)
	var e *s1.Error
	if !errors.As(err, &e) || !errors.Is(err, usbproto.ErrTimeout) || e.Doing != "system.sin, data packet 1 of 1" || e.Detail != "" {
		t.Error(err)
	}
	if conn.after != 0 {
		t.Errorf("%d more transfers after the one that failed", conn.after)
	}
}

// halfConn is a phone that greets, confirms a header and takes a number of bytes.
type halfConn struct {
	take, after int
	said        []byte
	greeted     bool
}

func (c *halfConn) Read(_ context.Context, p []byte) (int, error) {
	if !c.greeted {
		c.greeted = true
		c.said = slices.Concat(wire(1, 1, []byte(loaderText)), wire(5, 1, nil))
	}
	n := copy(p, c.said)
	c.said = c.said[n:]
	if n == 0 {
		return 0, usbproto.ErrTimeout
	}
	return n, nil
}

func (c *halfConn) Write(_ context.Context, p []byte) (int, error) {
	if c.take == 0 {
		c.after++
	}
	if len(p) > c.take {
		n := c.take
		c.take = 0
		return n, usbproto.ErrTimeout
	}
	c.take -= len(p)
	return len(p), nil
}

func (c *halfConn) Close() error { return nil }

// Reading continues while the phone is waited for, one packet ahead and no more.
func TestImageReadAhead(t *testing.T) {
	const chunks = 6
	source := &countingReader{r: bytes.NewReader(pattern(chunks * packetSize))}
	inLoader(t, func(p *phone) {
		p.answer(5, pattern(100), nil)
		for i := 1; i <= chunks; i++ {
			flags := uint32(7)
			if i == chunks {
				flags = 3
			}
			p.expect(6, flags, pattern(chunks * packetSize)[(i-1)*packetSize:i*packetSize])
			synctest.Wait() // until nothing but the confirmation can move anything
			if want := min(i+1, chunks) * packetSize; source.n != want {
				p.fail("%d bytes are read while packet %d is waited for, expected %d", source.n, i, want)
			}
			p.send(6, 1, nil)
		}
	}, func(ctx context.Context, t *testing.T, s *s1.Session) {
		img := s1.Image{Name: "system.sin", Header: pattern(100), Data: source, Size: chunks * packetSize}
		if err := s.SendImage(ctx, img, nil); err != nil {
			t.Error(err)
		}
	})
}

type countingReader struct {
	r io.Reader
	n int
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

// A file that cannot be read, or has another size than announced, is dropped on the
// phone before its last packet, and the session continues.
func TestImageSource(t *testing.T) {
	data := pattern(2*packetSize + 10)
	bad := errors.New("block 2 is damaged")
	for name, c := range map[string]struct {
		data   io.Reader
		chunks int // that are sent before
		offset int64
		cause  error
	}{
		"fails at once":  {iotest.ErrReader(bad), 0, 0, bad},
		"fails later":    {io.MultiReader(bytes.NewReader(data[:packetSize+1]), iotest.ErrReader(bad)), 1, packetSize, bad},
		"fails at end":   {io.MultiReader(bytes.NewReader(data), iotest.ErrReader(bad)), 2, 2*packetSize + 10, bad},
		"is empty":       {bytes.NewReader(nil), 0, 0, io.ErrUnexpectedEOF},
		"is short":       {bytes.NewReader(data[:len(data)-1]), 2, 2 * packetSize, io.ErrUnexpectedEOF},
		"ends at border": {bytes.NewReader(data[:packetSize]), 1, packetSize, io.ErrUnexpectedEOF},
		"is long":        {bytes.NewReader(append(slices.Clone(data), 0)), 2, 2*packetSize + 10, nil}, // the cause has no name
	} {
		t.Run(name, func(t *testing.T) {
			inLoader(t, func(p *phone) {
				p.answer(5, pattern(100), nil)
				for i := range c.chunks {
					p.expect(6, 7, data[i*packetSize:(i+1)*packetSize])
					p.send(6, 1, nil)
				}
				p.refuse(1, 3, nil, reason("MINOR", "005C", "80110002"))
				p.answer(9, []byte{2}, nil)
			}, func(ctx context.Context, t *testing.T, s *s1.Session) {
				err := s.SendImage(ctx, s1.Image{Name: "system.sin", Header: pattern(100), Data: c.data, Size: int64(len(data))}, nil)
				var e *s1.SourceError
				if !errors.As(err, &e) || e.Image != "system.sin" || e.Offset != c.offset || e.Err == nil || !strings.Contains(err.Error(), "system.sin at byte") || c.cause != nil && !errors.Is(err, c.cause) {
					t.Errorf("%v", err)
				}
				if err := s.OpenTA(ctx, 2); err != nil {
					t.Errorf("the session does not continue: %v", err)
				}
			})
		})
	}
}

// No read runs any more when SendImage returns.
func TestImageSlowSource(t *testing.T) {
	started := make(chan struct{})
	inLoader(t, func(p *phone) {
		<-started
		p.refuse(5, 3, pattern(100), reason("MINOR", "0017", "80080021"))
	}, func(ctx context.Context, t *testing.T, s *s1.Session) {
		begin := time.Now()
		err := s.SendImage(ctx, s1.Image{Name: "system.sin", Header: pattern(100), Data: &slowReader{started: started}, Size: 10 * packetSize}, nil)
		var r *s1.Refusal
		if !errors.As(err, &r) {
			t.Error(err)
		}
		took(t, begin, 10*time.Second)
	})
}

// slowReader takes ten seconds for a read, and closes started when the first one starts.
type slowReader struct {
	started chan struct{}
	once    sync.Once
}

func (r *slowReader) Read(p []byte) (int, error) {
	r.once.Do(func() { close(r.started) })
	time.Sleep(10 * time.Second)
	return len(p), nil
}

// A header that is offered is taken back (PROTOCOL.md §12.3, §3.2).
func TestOfferHeader(t *testing.T) {
	inLoader(t, func(p *phone) {
		p.answer(5, pattern(100), nil)
		p.refuse(1, 3, nil, reason("MINOR", "005C", "80110002"))
		p.refuse(5, 3, pattern(200), reason("MINOR", "0017", "80080021"))
		p.answer(9, []byte{2}, nil)
	}, func(ctx context.Context, t *testing.T, s *s1.Session) {
		if err := s.OfferHeader(ctx, "kernel.sin", pattern(100)); err != nil {
			t.Error(err)
		}
		var r *s1.Refusal
		if err := s.OfferHeader(ctx, "system.sin", pattern(200)); !errors.As(err, &r) || r.Image != "system.sin" || r.Dynamic != "80080021" {
			t.Error(err)
		}
		if err := s.OpenTA(ctx, 2); err != nil {
			t.Error(err)
		}
	})
}
