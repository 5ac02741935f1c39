package s1

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// Image is a SIN file on its way to the phone.
type Image struct {
	Name   string
	Header []byte          // the whole SIN header, sent by command 5
	Data   io.Reader       // the rest of the file as it is stored, sent by command 6
	Size   int64           // bytes of Data
	Stop   <-chan struct{} // closed to stop between two packets; nil never stops
}

// loaderChunk is the size of the packets of a loader. Smaller ones could hang the phone:
// it keeps all packets of a hash block and has room for about 95 (loader-behaviour.md).
const loaderChunk = 0x10000

// SendImage sends a file to the running loader: header, then data in packets of
// MAX_PKT_SZ. progress is called with the number of acknowledged bytes of the whole file.
//
// Trim-area partition 2 must be open for everything but the partition layout: without
// it the phone refuses the end of a kernel (loader-behaviour.md 1). The last packet is
// acknowledged only when all is written and checked, which may take minutes.
//
// Reading Data overlaps waiting for the phone. An error of Data, and a stop, drop the
// unfinished image on the phone and leave the session usable.
func (s *Session) SendImage(ctx context.Context, image Image, progress func(sent int64)) error {
	return s.upload(ctx, image, s.info.MaxPacket(), progress)
}

// SendLoader sends a loader to the boot stage and waits until it runs and has said what
// it is. The connection stays the same: the phone does not leave the bus
// (s1-protocol.md §1.6).
func (s *Session) SendLoader(ctx context.Context, image Image, progress func(sent int64)) error {
	if err := s.upload(ctx, image, min(loaderChunk, s.info.MaxPacket()), progress); err != nil {
		return err
	}
	doing := "waiting for the loader to start"
	s.ta = 0
	info, err := s.hello(ctx, s.opt.LoaderHello)
	switch {
	case err == nil:
		s.info = info
	case !greetAnyway(err):
		return s.broke(CmdInfo, doing, err)
	}
	if _, err := s.Refresh(ctx); err != nil {
		return err
	}
	if s.info.Stage() == StageBoot {
		return s.broke(CmdInfo, doing, errors.New("the phone is still in its boot stage: the loader did not start"))
	}
	return nil
}

func (s *Session) upload(ctx context.Context, image Image, chunk int, progress func(int64)) error {
	if image.Size <= 0 || len(image.Header) == 0 {
		return fmt.Errorf("%s: a file without header or without data cannot be sent", image.Name)
	}
	if stopped(image.Stop) {
		return ErrStopped
	}
	for rest := image.Header; len(rest) > 0; {
		part := rest[:min(len(rest), s.info.MaxPacket())]
		rest = rest[len(part):]
		p := Packet{Command: CmdHeader, Flags: flagsHost, Data: part}
		if len(rest) > 0 {
			p.Flags |= flagMore
		}
		if _, err := s.exchange(ctx, p, image.Name+", header", s.opt.Chunk); err != nil {
			return err
		}
	}
	sent := int64(len(image.Header))
	progress(sent)

	chunks := (image.Size + int64(chunk) - 1) / int64(chunk)
	ahead := readAhead(image, chunk)
	defer ahead.stop()
	for i := range chunks {
		data, err := ahead.next()
		if err != nil {
			return s.drop(ctx, err)
		}
		if stopped(image.Stop) {
			return s.drop(ctx, ErrStopped)
		}
		p, limit := Packet{Command: CmdData, Flags: flagsHost | flagMore, Data: data}, s.opt.Chunk
		if i == chunks-1 {
			p.Flags, limit = flagsHost, s.opt.LastChunk
		}
		if _, err := s.exchange(ctx, p, fmt.Sprintf("%s, data packet %d of %d", image.Name, i+1, chunks), limit); err != nil {
			return err
		}
		sent += int64(len(data))
		progress(sent)
		ahead.release(data)
	}
	return nil
}

// drop makes the phone forget an unfinished image: while it waits for data, any other
// command is refused and cancels the upload (s1-protocol.md §3.2, command 5). It
// returns the reason for dropping, unless the phone could not be told.
func (s *Session) drop(ctx context.Context, reason error) error {
	_, err := s.ask(ctx, CmdInfo, nil, "dropping an unfinished image")
	var r *Refusal
	if err != nil && !errors.As(err, &r) {
		return errors.Join(reason, err)
	}
	return reason
}

func stopped(stop <-chan struct{}) bool {
	select {
	case <-stop:
		return true
	default:
		return false
	}
}

// reader reads the data of an image one packet ahead, in its own goroutine.
type reader struct {
	full  chan []byte // read, to be sent
	empty chan []byte // to be read into
	quit  chan struct{}
	err   error // set before full is closed
}

// readAhead begins to read. Two buffers go around.
func readAhead(image Image, chunk int) *reader {
	r := &reader{full: make(chan []byte), empty: make(chan []byte, 2), quit: make(chan struct{})}
	for range 2 {
		r.empty <- make([]byte, min(int64(chunk), image.Size))
	}
	go func() {
		defer close(r.full)
		for left := image.Size; left > 0; {
			var buf []byte
			select {
			case buf = <-r.empty:
			case <-r.quit:
				return
			}
			buf = buf[:min(int64(cap(buf)), left)]
			if _, err := io.ReadFull(image.Data, buf); err != nil {
				r.err = fmt.Errorf("%s: %w", image.Name, err)
				return
			}
			if left -= int64(len(buf)); left == 0 {
				// What a reader checks at the end of its file, it says only when asked for more.
				if n, err := image.Data.Read(make([]byte, 1)); n > 0 || err != nil && err != io.EOF {
					r.err = errors.Join(fmt.Errorf("%s: the file does not end where it should", image.Name), err)
					return
				}
			}
			select {
			case r.full <- buf:
			case <-r.quit:
				return
			}
		}
	}()
	return r
}

func (r *reader) next() ([]byte, error) {
	buf, ok := <-r.full
	if !ok {
		return nil, r.err
	}
	return buf, nil
}

func (r *reader) release(buf []byte) { r.empty <- buf[:cap(buf)] }

// stop ends the goroutine and waits for it.
func (r *reader) stop() {
	close(r.quit)
	for range r.full {
	}
}
