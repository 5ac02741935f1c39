package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"xflash/usbproto"
)

// send writes a command as one transfer. changes says that it may change the phone: then the line must be silent before,
// so that no stray answer is taken for the one to this command.
func (s *Session) send(ctx context.Context, command string, changes bool) error {
	if s.ended != nil {
		return s.ended
	}
	if err := checkCommand(command); err != nil {
		return err
	}
	if usbproto.Over(ctx) { // between two commands: nothing is lost
		return &TransferError{command, usbproto.ContextError(ctx)}
	}
	if changes {
		if err := s.in.quiet(ctx, listen); err != nil {
			return s.broke(ctx, command, err, 0)
		}
	}
	if len(bytes.TrimLeft(s.in.buf, "\x00")) > 0 {
		return s.broke(ctx, command, s.in.bad("it was not requested"), 0)
	}
	short, cancel := context.WithTimeout(ctx, s.opt.Answer)
	defer cancel()
	if _, err := s.conn.Write(short, []byte(command)); err != nil {
		return s.end(&TransferError{command, err})
	}
	s.stall.Moved()
	return nil
}

// listen is how long the line must be silent before a command that changes the phone.
const listen = 10 * time.Millisecond

// receive waits for one answer. A FAIL is a *Refusal.
func (s *Session) receive(ctx context.Context, command string, limit time.Duration, fromPhone bool) (reply, error) {
	defer s.stall.Watch(command)()
	short, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	r, err := s.in.answer(short, fromPhone)
	switch {
	case err != nil:
		return r, s.broke(ctx, command, err, limit)
	case r.kind == "FAIL":
		return r, &Refusal{command, r.text}
	case r.kind == "OKAY" && isAnswer([]byte(r.text)):
		return r, s.end(&StrayError{command, r.String()})
	}
	return r, nil
}

// change is a command that changes the phone.
func (s *Session) change(ctx context.Context, command string, limit time.Duration) error {
	_, err := s.run(ctx, command, limit, true)
	return err
}

// run is a command that is answered with OKAY and perhaps a value.
func (s *Session) run(ctx context.Context, command string, limit time.Duration, changes bool) (string, error) {
	if err := s.send(ctx, command, changes); err != nil {
		return "", err
	}
	r, err := s.receive(ctx, command, limit, false)
	if err == nil && r.kind != "OKAY" {
		err = s.end(&AnswerError{command, r.String(), "this command has no data"})
	}
	return r.text, err
}

// upload is a command that is followed by n bytes of data for the phone.
func (s *Session) upload(ctx context.Context, command string, data io.Reader, n int64, limit time.Duration, progress func(int64)) error {
	if err := s.send(ctx, command, false); err != nil {
		return err
	}
	r, err := s.receive(ctx, command, s.opt.Answer, false)
	switch {
	case err != nil:
		return err
	case r.kind != "DATA":
		return s.end(&AnswerError{command, r.String(), "DATA must come before any byte is sent"})
	case r.size != n:
		return s.end(&AnswerError{command, r.String(), fmt.Sprintf("it asks for a number of bytes other than %08x", n)})
	}
	source := s.deliver(ctx, command, data, n, progress)
	var unread *SourceError
	if source != nil && !errors.As(source, &unread) {
		return source
	}
	if r, err = s.receive(ctx, command, limit, false); err != nil {
		return err
	}
	if r.kind != "OKAY" {
		return s.end(&AnswerError{command, r.String(), "OKAY must come after the data"})
	}
	return source
}

// deliver sends exactly n bytes. When the source fails, zeros take the place of what is missing: the phone would accept
// every command for data otherwise, until it is unplugged (PROTOCOL.md §1.5).
func (s *Session) deliver(ctx context.Context, command string, data io.Reader, n int64, progress func(int64)) error {
	defer s.stall.Watch(command)()
	opt := usbproto.SendOptions{Patience: s.opt.Piece, Progress: func(sent int64) {
		s.stall.Moved()
		if progress != nil {
			progress(sent)
		}
	}}
	sent, err := usbproto.Send(ctx, s.conn, data, n, opt)
	var transfer *usbproto.TransferError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &transfer), usbproto.Over(ctx):
		return s.end(&TransferError{command, err})
	}
	failed := &SourceError{Offset: sent, Err: err}
	opt.Progress = func(int64) { s.stall.Moved() }
	if _, err = usbproto.Send(ctx, s.conn, zeros{}, n-sent, opt); err != nil {
		return s.end(&TransferError{command, errors.Join(failed, err)})
	}
	return failed
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// maxSections is how many DATA one answer may have; known phones send one.
const maxSections = 16

// fetch is a command that is answered with data, of at most so many bytes in all.
func (s *Session) fetch(ctx context.Context, command string, w io.Writer, most int64) (int64, error) {
	if err := s.send(ctx, command, false); err != nil {
		return 0, err
	}
	total := int64(0)
	var sink *sinkError
	for sections := 0; ; sections++ {
		r, err := s.receive(ctx, command, s.opt.Answer, true)
		if err != nil {
			return total, err
		}
		reason := ""
		switch {
		case r.kind == "OKAY" && sections > 0 && sink != nil:
			return total, sink.error
		case r.kind == "OKAY" && sections > 0:
			return total, nil
		case r.kind == "OKAY":
			reason = "DATA must come first"
		case sections == maxSections:
			reason = fmt.Sprintf("more than %d DATA in one answer", maxSections)
		case r.size > most-total:
			reason = fmt.Sprintf("the limit is %d bytes", most)
		}
		if reason != "" {
			return total, s.end(&AnswerError{command, r.String(), reason})
		}
		total += r.size
		if err := s.section(ctx, command, w, r.size); err != nil && !errors.As(err, &sink) {
			return total, err
		}
	}
}

// section reads the data after one DATA.
func (s *Session) section(ctx context.Context, command string, w io.Writer, n int64) error {
	defer s.stall.Watch(command)()
	limit := s.opt.Answer + time.Duration(n>>20)*s.opt.Piece
	short, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := s.in.data(short, w, n)
	if err == nil || errors.As(err, new(*sinkError)) {
		return err
	}
	return s.broke(ctx, command, err, limit)
}

// fetchAll is fetch into memory.
func (s *Session) fetchAll(ctx context.Context, command string, most int64) ([]byte, error) {
	var b bytes.Buffer
	if _, err := s.fetch(ctx, command, &b, most); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// broke ends the session with the error of a read.
func (s *Session) broke(ctx context.Context, command string, err error, limit time.Duration) error {
	var bad *badAnswer
	switch {
	case errors.As(err, &bad) && limit == 0:
		return s.end(&StrayError{command, bad.got})
	case errors.As(err, &bad):
		return s.end(&AnswerError{command, bad.got, bad.reason})
	case errors.Is(err, usbproto.ErrTimeout) && !usbproto.Over(ctx):
		return s.end(&BudgetError{command, limit})
	}
	return s.end(&TransferError{command, err})
}

// end ends the session with an error.
func (s *Session) end(err error) error {
	s.ended = fmt.Errorf("%w: %w", ErrEnded, err)
	return err
}
