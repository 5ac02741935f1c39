package s1_test

import (
	"context"
	"errors"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"xflash/usbproto"
	"xflash/usbproto/s1"
)

// A stop takes effect at the next packet border: the phone drops the upload, and the
// same image can be sent again.
func TestImageStop(t *testing.T) {
	const m = packetSize
	for name, c := range map[string]struct {
		at     int64 // acknowledged bytes at which the stop is asked for; -1 before the upload
		script func(*phone)
	}{
		"before": {-1, func(*phone) {}},
		"after the header": {m + 9, func(p *phone) {
			p.expect(5, 7, pattern(m))
			p.send(5, 1, nil)
			p.expect(5, 3, pattern(m + 9)[m:])
			p.send(5, 1, nil)
			p.refuse(1, 3, nil, reason("MINOR", "005C", "80110002"))
		}},
		"after packet 1": {2*m + 9, func(p *phone) {
			p.expect(5, 7, pattern(m))
			p.send(5, 1, nil)
			p.expect(5, 3, pattern(m + 9)[m:])
			p.send(5, 1, nil)
			p.expect(6, 7, pattern(m))
			p.send(6, 1, nil)
			p.refuse(1, 3, nil, reason("MINOR", "005C", "80110002"))
		}},
		// A phone that has forgotten the upload by itself just answers.
		"forgotten": {2*m + 9, func(p *phone) {
			p.expect(5, 7, pattern(m))
			p.send(5, 1, nil)
			p.expect(5, 3, pattern(m + 9)[m:])
			p.send(5, 1, nil)
			p.expect(6, 7, pattern(m))
			p.send(6, 1, nil)
			p.answer(1, nil, []byte(loaderText))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			inLoader(t, func(p *phone) {
				c.script(p)
				p.image([]int{m, 9}, []int{m, m})
			}, func(ctx context.Context, t *testing.T, s *s1.Session) {
				stop := make(chan struct{})
				img := image("system.sin", m+9, 2*m)
				img.Stop = stop
				if c.at < 0 {
					close(stop)
				}
				err := s.SendImage(ctx, img, func(n int64) {
					if n == c.at {
						close(stop)
					}
				})
				if !errors.Is(err, s1.ErrStopped) {
					t.Errorf("%v", err)
				}
				if err := s.SendImage(ctx, image("system.sin", m+9, 2*m), nil); err != nil {
					t.Errorf("sent again: %v", err)
				}
			})
		})
	}
	t.Run("in the header", func(t *testing.T) {
		stop := make(chan struct{})
		inLoader(t, func(p *phone) {
			p.expect(5, 7, pattern(m))
			close(stop)
			p.send(5, 1, nil)
			p.refuse(1, 3, nil, reason("MINOR", "005C", "80110002"))
		}, func(ctx context.Context, t *testing.T, s *s1.Session) {
			img := image("system.sin", m+9, 2*m)
			img.Stop = stop
			if err := s.SendImage(ctx, img, nil); !errors.Is(err, s1.ErrStopped) {
				t.Errorf("%v", err)
			}
		})
	})
	// A file that cannot be read is reported, although a stop was asked for as well.
	t.Run("with a bad file", func(t *testing.T) {
		stop := make(chan struct{})
		bad := errors.New("block 2 is damaged")
		inLoader(t, func(p *phone) {
			p.expect(5, 3, pattern(5))
			time.Sleep(time.Second) // the file was read by then
			close(stop)
			p.send(5, 1, nil)
			p.refuse(1, 3, nil, reason("MINOR", "005C", "80110002"))
		}, func(ctx context.Context, t *testing.T, s *s1.Session) {
			img := image("system.sin", 5, 7)
			img.Data, img.Stop = iotest.ErrReader(bad), stop
			var e *s1.SourceError
			if err := s.SendImage(ctx, img, nil); !errors.As(err, &e) || !errors.Is(err, bad) || errors.Is(err, s1.ErrStopped) {
				t.Errorf("%v", err)
			}
		})
	})
	// The last packet is confirmed: the image is complete, and the stop comes too late.
	t.Run("at the end", func(t *testing.T) {
		stop := make(chan struct{})
		inLoader(t, func(p *phone) { p.image([]int{5}, []int{7}) }, func(ctx context.Context, t *testing.T, s *s1.Session) {
			img := image("system.sin", 5, 7)
			img.Stop = stop
			err := s.SendImage(ctx, img, func(n int64) {
				if n == 12 {
					close(stop)
				}
			})
			if err != nil {
				t.Error(err)
			}
		})
	})
	t.Run("phone gone", func(t *testing.T) {
		stop := make(chan struct{})
		inLoader(t, func(p *phone) {
			p.expect(5, 3, pattern(5))
			close(stop)
			p.send(5, 1, nil)
			p.expect(1, 3, nil)
			p.unplug()
		}, func(ctx context.Context, t *testing.T, s *s1.Session) {
			img := image("system.sin", 5, 7)
			img.Stop = stop
			if err := s.SendImage(ctx, img, nil); !errors.Is(err, s1.ErrStopped) || !errors.Is(err, usbproto.ErrGone) {
				t.Error(err)
			}
		})
	})
}

// A context that ended between two packets leaves an upload, which must be dropped
// before anything else.
func TestImageCancelled(t *testing.T) {
	inLoader(t, func(p *phone) {
		p.answer(5, pattern(5), nil)
		p.expect(6, 7, pattern(packetSize))
		p.send(6, 1, nil)
		p.refuse(1, 3, nil, reason("MINOR", "005C", "80110002"))
		p.answer(9, []byte{2}, nil)
	}, func(ctx context.Context, t *testing.T, s *s1.Session) {
		gone, cancel := context.WithCancel(ctx)
		err := s.SendImage(gone, image("system.sin", 5, packetSize+1), func(n int64) {
			if n > packetSize {
				synctest.Wait() // until packet 2 is read
				cancel()
			}
		})
		var e *s1.Error
		if !errors.Is(err, context.Canceled) || !errors.As(err, &e) || e.Chunk != 2 {
			t.Error(err)
		}
		if err := s.OpenTA(ctx, 2); !errors.Is(err, s1.ErrState) {
			t.Errorf("opened in the middle of an upload: %v", err)
		}
		if err := s.SendImage(ctx, image("kernel.sin", 5, 7), nil); !errors.Is(err, s1.ErrState) {
			t.Errorf("an upload in the middle of another: %v", err)
		}
		if err := s.CancelUpload(ctx); err != nil {
			t.Error(err)
		}
		if err := s.CancelUpload(ctx); err != nil {
			t.Errorf("nothing to cancel: %v", err)
		}
		if err := s.OpenTA(ctx, 2); err != nil {
			t.Error(err)
		}
	})
	// The end of the session needs no reminder.
	inLoader(t, func(p *phone) {
		p.answer(5, pattern(5), nil)
		p.refuse(1, 3, nil, reason("MINOR", "005C", "80110002"))
		p.answer(4, nil, nil)
	}, func(ctx context.Context, t *testing.T, s *s1.Session) {
		gone, cancel := context.WithCancel(ctx)
		if err := s.SendImage(gone, image("system.sin", 5, 1), func(int64) { cancel() }); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if err := s.End(ctx); err != nil {
			t.Error(err)
		}
	})
	// In the middle of a packet the session ends.
	inLoader(t, func(p *phone) {
		p.answer(5, pattern(5), nil)
		p.expect(6, 3, pattern(1))
	}, func(ctx context.Context, t *testing.T, s *s1.Session) {
		soon, cancel := context.WithCancel(ctx)
		time.AfterFunc(100*time.Second, cancel)
		begin := time.Now()
		if err := s.SendImage(soon, image("system.sin", 5, 1), nil); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		took(t, begin, 100*time.Second)
		if err := s.CancelUpload(ctx); !errors.Is(err, s1.ErrEnded) {
			t.Error(err)
		}
	})
}
