package s1

import (
	"errors"
	"io"
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
}

// readAhead begins to read packets of at most chunk bytes.
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
		return fail(errors.New("there is more than announced"))
	case err != io.EOF:
		return fail(err)
	}
	return nil
}

// next gives the next packet.
func (r *reader) next() ([]byte, error) {
	buf, ok := <-r.full
	if !ok {
		return nil, r.err
	}
	return buf, nil
}

// release gives a buffer back.
func (r *reader) release(buf []byte) { r.empty <- buf[:cap(buf)] }

// stop ends the goroutine and waits for it, at most for one read.
func (r *reader) stop() {
	close(r.quit)
	<-r.over
}
