package s1

import (
	"context"
	"errors"
	"io"

	"xflash/usbproto"
)

// reader reads the data of an image one packet ahead, in its own goroutine. Two buffers
// of one packet go around, however large the image is.
type reader struct {
	image Image
	full  chan []byte   // read, to be sent
	empty chan []byte   // to be read into
	quit  chan struct{} // closed when nothing more is wanted
	over  chan struct{} // closed when the goroutine ends
	err   error         // why full was closed early; set before that
	left  bool          // next was given up: a read may never return
}

// readAhead starts to read packets of at most chunk bytes.
func readAhead(image Image, chunk int) *reader {
	r := &reader{image: image, full: make(chan []byte), empty: make(chan []byte, 2),
		quit: make(chan struct{}), over: make(chan struct{})}
	for range cap(r.empty) {
		r.empty <- make([]byte, min(int64(chunk), image.Size))
	}
	go r.run()
	return r
}

func (r *reader) run() {
	defer close(r.over)
	defer close(r.full)
	for at := int64(0); at < r.image.Size; {
		var buf []byte
		select {
		case buf = <-r.empty:
		case <-r.quit:
			return
		}
		buf = buf[:min(int64(cap(buf)), r.image.Size-at)]
		if r.err = r.read(buf, at); r.err != nil {
			return
		}
		at += int64(len(buf))
		select {
		case r.full <- buf:
		case <-r.quit:
			return
		}
	}
}

// read fills a buffer with the data from byte at on. After the last byte it asks for the
// end: what a reader checks there, it says only then.
func (r *reader) read(buf []byte, at int64) error {
	fail := func(err error) error { return &SourceError{Image: r.image.Name, Offset: at, Err: err} }
	if _, err := io.ReadFull(r.image.Data, buf); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return fail(err)
	}
	at += int64(len(buf))
	if at < r.image.Size {
		return nil
	}
	switch _, err := io.ReadFull(r.image.Data, make([]byte, 1)); {
	case err == nil:
		return fail(errors.New("there is more data than announced"))
	case err != io.EOF:
		return fail(err)
	}
	return nil
}

// next returns the next packet. A source that blocks, such as a network folder that does not
// answer, is given up when the image is to be stopped or the context ends.
func (r *reader) next(ctx context.Context) ([]byte, error) {
	select {
	case buf, ok := <-r.full:
		if !ok {
			return nil, r.err
		}
		return buf, nil
	default:
	}
	select {
	case buf, ok := <-r.full:
		if !ok {
			return nil, r.err
		}
		return buf, nil
	case <-r.image.Stop:
		r.left = true
		return nil, ErrStopped
	case <-ctx.Done():
		r.left = true
		return nil, usbproto.ContextError(ctx)
	}
}

// release gives a buffer back.
func (r *reader) release(buf []byte) { r.empty <- buf[:cap(buf)] }

// stop ends the goroutine and waits for it, unless it may be inside a read that blocks.
func (r *reader) stop() {
	close(r.quit)
	if !r.left {
		<-r.over
	}
}
