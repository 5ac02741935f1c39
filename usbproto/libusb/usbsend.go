package libusb

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	"xflash/usbproto"
)

// inFlight is how many requests of image data are on the way at once (NOTES.md §4).
const inFlight = 4

// bulkStream sends whole requests without waiting for each.
type bulkStream interface {
	// write puts one request on the way. When all are, it waits for the oldest first. After
	// errNoMemory those on the way still arrive, and this one does not.
	write(ctx context.Context, p []byte) error
	// flush waits for all that are on the way and ends the stream. It must be called,
	// after an error too.
	flush(ctx context.Context) error
	sent() int64 // bytes that the phone is known to have taken
}

// Send implements Sender.
func (c *usbConn) Send(ctx context.Context, next func() ([]byte, error), o usbproto.SendOptions) (sent int64, err error) {
	var source error
	_, err = c.transfer(ctx, "write", func(ctx context.Context) (int, error) {
		s := &usbSend{c: c, ctx: ctx, o: o}
		var err error
		source, err = s.all(next)
		// After an error this waits for what is on the way; it adds nothing to the error.
		err = cmp.Or(err, s.flush())
		sent = s.before
		if err == nil && source == nil && sent < s.read {
			err = fmt.Errorf("the phone accepted %d of %d bytes", sent, s.read)
		}
		return int(sent), err
	})
	return sent, cmp.Or(source, err)
}

// usbSend is one run of Send.
type usbSend struct {
	c      *usbConn
	ctx    context.Context
	o      usbproto.SendOptions
	stream bulkStream // nil while there is none
	before int64      // bytes taken by other means, and by earlier streams
	read   int64      // bytes that the source gave
}

func (s *usbSend) sent() int64 {
	if s.stream == nil {
		return s.before
	}
	return s.before + s.stream.sent()
}

// all reads and sends everything. The first error is one of the source.
func (s *usbSend) all(next func() ([]byte, error)) (source, err error) {
	for {
		p, err := next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err, nil
		}
		s.read += int64(len(p))
		for len(p) > 0 {
			n, err := s.part(p)
			if err != nil {
				return nil, err
			}
			p = p[n:]
		}
		s.report()
	}
	if err := s.flush(); err != nil {
		return nil, err
	}
	s.report()
	return nil, nil
}

// part sends the beginning of p: a whole request on the stream, or what is less than one
// by itself, because requests of a stream all have one size.
func (s *usbSend) part(p []byte) (int, error) {
	size := s.c.size
	if len(p) < size || s.c.depth == 1 {
		if err := s.flush(); err != nil {
			return 0, err
		}
		return s.alone(p)
	}
	err := s.queue(p[:size])
	if !errors.Is(err, errNoMemory) {
		return size, err
	}
	// What is on the way arrives; this part is tried again in smaller requests, and then
	// with one at a time.
	if err := s.flush(); err != nil {
		return 0, err
	}
	if size > smallRequestSize {
		s.c.size = smallRequestSize
	} else {
		s.c.depth = 1
	}
	return 0, nil
}

func (s *usbSend) queue(p []byte) (err error) {
	if s.stream == nil {
		if s.stream, err = s.c.bulk.stream(s.c.size, s.c.depth); err != nil {
			s.stream = nil
			return err
		}
	}
	ctx, cancel := context.WithTimeout(s.ctx, s.o.Patience)
	defer cancel()
	return s.stream.write(ctx, p)
}

func (s *usbSend) alone(p []byte) (int, error) {
	ctx, cancel := context.WithTimeout(s.ctx, s.o.Patience)
	defer cancel()
	n, err := s.c.request(ctx, s.c.bulk.write, p[:min(len(p), s.c.size)])
	s.before += int64(n)
	return n, err
}

// flush ends the stream, if there is one.
func (s *usbSend) flush() error {
	if s.stream == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(s.ctx, s.o.Patience*inFlight)
	defer cancel()
	err := s.stream.flush(ctx)
	s.before += s.stream.sent()
	s.stream = nil
	return err
}

func (s *usbSend) report() {
	if s.o.Progress != nil {
		s.o.Progress(s.sent())
	}
}
