package s1

import (
	"context"
	"errors"
	"fmt"
	"io"

	"xflash/usbproto"
)

// Image is a SIN file on its way to the phone.
type Image struct {
	Name   string
	Header []byte          // the whole SIN header, sent by command 5
	Data   io.Reader       // the rest of the file as it is stored, sent by command 6; read to its end
	Size   int64           // bytes of Data
	Stop   <-chan struct{} // closed to stop between two packets; nil never stops
}

// loaderChunk is the size of the packets of a loader. Smaller ones could hang the phone:
// it keeps all packets of a hash block and has room for about 95 (PROTOCOL.md §12.1).
const loaderChunk = 0x10000

// SendImage sends a file to the stage that answers: header, then data in packets of
// exactly its MAX_PKT_SZ. progress, which may be nil, is called after each packet with
// the number of acknowledged bytes of the whole file.
//
// Trim-area partition 2 must be open for everything but the partition layout: without
// it the phone refuses the end of a kernel (PROTOCOL.md §11.1); that is the caller's
// to see to. With partition 1 open nothing is sent, because the phone would end the
// session. The last packet is acknowledged only when all is written and checked, which
// may take minutes.
//
// Reading Data overlaps sending and waiting for the phone, one packet ahead, and Data
// must end with Size: what it says there, it says before the last packet is sent. No
// read runs any more when SendImage returns, unless the upload was stopped or the context
// ended during one: then it is left over. An error of Data (*SourceError) and a stop
// (ErrStopped) drop the unfinished image on the phone and leave the session usable. A
// context that ends between two packets leaves an upload that CancelUpload drops; in
// the middle of one it ends the session.
func (s *Session) SendImage(ctx context.Context, image Image, progress func(sent int64)) error {
	return s.upload(ctx, image, s.info.MaxPacket(), progress)
}

// SendLoader sends a loader to the boot stage and waits until it runs and has said what
// it is. The connection stays the same: the phone does not leave the bus
// (PROTOCOL.md §1.6).
func (s *Session) SendLoader(ctx context.Context, image Image, progress func(sent int64)) error {
	if s.Stage() == StageLoader {
		return fmt.Errorf("%w: a loader is already running", ErrState)
	}
	if err := s.upload(ctx, image, min(loaderChunk, s.info.MaxPacket()), progress); err != nil {
		return err
	}
	s.ta, s.taKnown = 0, true // a new program, which has opened nothing
	at := At{Command: CmdInfo, Doing: "waiting for the loader to start", Image: image.Name}
	notBoot := func(i *Info) bool { return i.Stage() != StageBoot } // nor a late greeting of the boot stage
	if _, err := s.hello(ctx, at, s.opt.LoaderHello, notBoot); err != nil {
		return err
	}
	if _, err := s.Refresh(ctx); err != nil {
		return err
	}
	s.link.search(false)
	if s.info.Stage() == StageBoot {
		return s.failed(at, errors.New("the boot stage still answers: the loader did not start"))
	}
	return nil
}

// OfferHeader asks the phone whether it accepts a file: it sends the header, by which the
// phone judges signature and signer, and takes it back with a command that the phone must
// refuse (005C, PROTOCOL.md §3.2). Nothing is written, whatever the answer. A phone that
// does not refuse that command cannot be relied on to have forgotten the header, which is an
// error too.
func (s *Session) OfferHeader(ctx context.Context, name string, header []byte) error {
	if err := s.mayUpload(name, header); err != nil {
		return err
	}
	if err := s.sendHeader(ctx, Image{Name: name, Header: header}, 0); err != nil {
		return err
	}
	at := At{Command: CmdInfo, Doing: "taking the header of " + name + " back", Image: name}
	_, err := s.exchange(ctx, at, flagsHost, nil, s.opt.Small)
	var r *Refusal
	switch {
	case errors.As(err, &r) && r.Code == "005C":
		return nil
	case err == nil:
		return s.broke(at, errors.New("the phone still accepts other commands, so it may not have forgotten the header"))
	}
	return err
}

// CancelUpload makes the phone forget an image whose upload was started and not ended:
// while it waits for data, any other command is refused and drops the upload
// (PROTOCOL.md §3.2, command 5). Without such an upload nothing is sent.
func (s *Session) CancelUpload(ctx context.Context) error {
	if !s.uploading {
		return nil
	}
	if s.ended != nil {
		return s.ended
	}
	at := At{Command: CmdInfo, Doing: "dropping the unfinished upload"}
	_, err := s.exchange(ctx, at, flagsHost, nil, s.opt.Small)
	var r *Refusal
	if err == nil || errors.As(err, &r) {
		s.uploading = false
		return nil
	}
	return err
}

// mayUpload tells why an upload cannot start.
func (s *Session) mayUpload(name string, header []byte) error {
	if err := s.idle(); err != nil {
		return err
	}
	switch {
	case s.ta == TrimPartition:
		return fmt.Errorf("%w: sending %s while trim-area partition 1 is open would end the session", ErrState, name)
	case len(header) == 0:
		return fmt.Errorf("%w: %s has no header", ErrState, name)
	}
	return nil
}

func (s *Session) upload(ctx context.Context, image Image, chunk int, progress func(int64)) error {
	if err := s.mayUpload(image.Name, image.Header); err != nil {
		return err
	}
	if image.Size <= 0 {
		return fmt.Errorf("%w: %s has no data", ErrState, image.Name)
	}
	if image.stopped() {
		return ErrStopped
	}
	chunks := int((image.Size-1)/int64(chunk)) + 1
	// The first packet is read while the phone judges the header.
	ahead := usbproto.ReadAhead(ctx, &source{image: image}, image.Size, chunk)
	defer ahead.Stop()
	if err := s.sendHeader(ctx, image, chunks); err != nil {
		return err
	}
	sent := int64(len(image.Header))
	for i := 1; ; i++ {
		if progress != nil {
			progress(sent)
		}
		if i > chunks {
			return nil
		}
		data, err := ahead.Next(image.Stop)
		if image.stopped() && !errors.As(err, new(*SourceError)) { // a bad file counts more
			err = ErrStopped
		}
		if err != nil {
			return s.cancel(ctx, err)
		}
		flags, limit := uint32(flagsHost|flagMore), s.opt.Chunk
		if i == chunks {
			flags, limit = flagsHost, s.opt.LastChunk
		}
		at := At{Command: CmdData, Doing: fmt.Sprintf("%s, data packet %d of %d", image.Name, i, chunks),
			Image: image.Name, Chunk: i, Chunks: chunks}
		if err := s.confirm(ctx, at, flags, data, limit); err != nil {
			return err
		}
		if i == chunks {
			s.uploading = false
		}
		sent += int64(len(data))
	}
}

// sendHeader sends a SIN header, in parts when it is longer than a packet may be. Each
// part is confirmed; the phone judges the header when it has the last one.
func (s *Session) sendHeader(ctx context.Context, image Image, chunks int) error {
	most := s.info.MaxPacket()
	parts := (len(image.Header)-1)/most + 1
	for i := 1; i <= parts; i++ {
		if i > 1 && image.stopped() {
			return s.cancel(ctx, ErrStopped)
		}
		flags, part := uint32(flagsHost), image.Header[(i-1)*most:]
		at := At{Command: CmdHeader, Doing: image.Name + ", header", Image: image.Name, Chunks: chunks}
		if parts > 1 {
			at.Doing += fmt.Sprintf(", packet %d of %d", i, parts)
		}
		if i < parts {
			flags, part = flagsHost|flagMore, part[:most]
		}
		if err := s.confirm(ctx, at, flags, part, s.opt.Chunk); err != nil {
			return err
		}
		s.uploading = true
	}
	return nil
}

// cancel drops the upload for a reason, which it returns.
func (s *Session) cancel(ctx context.Context, reason error) error {
	if err := s.CancelUpload(ctx); err != nil {
		return errors.Join(reason, err)
	}
	return reason
}

func (i Image) stopped() bool {
	select {
	case <-i.Stop:
		return true
	default:
		return false
	}
}

// source is the data of an image, in the parts that are asked for. After the last byte it asks
// for the end: what a reader checks there, it says only then.
type source struct {
	image Image
	at    int64
}

func (s *source) Read(p []byte) (int, error) {
	_, err := io.ReadFull(s.image.Data, p)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if err == nil {
		s.at += int64(len(p))
	}
	if err == nil && s.at == s.image.Size {
		switch _, end := io.ReadFull(s.image.Data, make([]byte, 1)); {
		case end == nil:
			err = errors.New("there is more data than announced")
		case end != io.EOF:
			err = end
		}
	}
	if err != nil {
		return 0, &SourceError{Image: s.image.Name, Offset: s.at, Err: err}
	}
	return len(p), nil
}
