package s1

import (
	"context"
	"errors"
	"fmt"
	"time"

	"xflash/usbproto"
)

// exchange sends one packet and returns the accepted answer. A refusal is followed at
// once by command 7, because the phone keeps only the last reason; so is a limit that
// passed, once, if both directions stand between two packets (PROTOCOL.md §2.5, §5).
func (s *Session) exchange(ctx context.Context, at At, flags uint32, data []byte, limit time.Duration) (Packet, error) {
	if usbproto.Over(ctx) { // between two packets: nothing is lost
		return Packet{}, s.failed(at, usbproto.ContextError(ctx))
	}
	reply, err := s.link.roundTrip(ctx, Packet{at.Command, flags, data}, at.Doing, limit, 0)
	if err != nil {
		broke := s.broke(at, err)
		if errors.Is(err, usbproto.ErrTimeout) && !usbproto.Over(ctx) && s.link.between() {
			// For the log only; whatever comes, the session is lost.
			if text, err := s.why(ctx, at.Doing, s.opt.Details, at.Command); err == nil {
				broke.Detail = trimNUL(text)
			}
		}
		return Packet{}, broke
	}
	if reply.OK() {
		return reply, nil
	}
	s.uploading = false // the phone gives up an upload with the first refusal
	text, err := s.why(ctx, at.Doing, s.opt.Small, 0)
	at.Packet = s.link.sent - 1
	if err != nil {
		at.Doing += ", which the phone refused; asking why"
		return Packet{}, s.broke(at, err)
	}
	return Packet{}, parseRefusal(text, at)
}

// why asks for the last error with command 7. A phone that refuses even that has given
// no reason: the text is empty.
func (s *Session) why(ctx context.Context, doing string, limit time.Duration, late Command) ([]byte, error) {
	p, err := s.link.roundTrip(ctx, Packet{Command: CmdError, Flags: flagsHost}, doing, limit, late)
	return p.Data, err
}

// command sends a command in one packet that is answered without data.
func (s *Session) command(ctx context.Context, at At, data []byte) error {
	if err := s.idle(); err != nil {
		return err
	}
	return s.confirm(ctx, at, flagsHost, data, s.opt.Small)
}

// confirm sends one packet whose answer is only yes or no.
func (s *Session) confirm(ctx context.Context, at At, flags uint32, data []byte, limit time.Duration) error {
	reply, err := s.exchange(ctx, at, flags, data, limit)
	if err == nil && reply.more() {
		return s.broke(at, &PacketError{Index: s.link.parser.index - 1, Reason: "it says that more follows, but there is no more to read"})
	}
	return err
}

// fetch sends a command whose answer is data. An answer in several parts is fetched by
// sending the same again until the phone says that it was the last one (PROTOCOL.md
// §2.4). most bounds the whole answer in bytes, Options.Answer in time.
func (s *Session) fetch(ctx context.Context, at At, data []byte, most int) ([]byte, error) {
	if err := s.idle(); err != nil {
		return nil, err
	}
	var all []byte
	start := time.Now()
	for {
		reply, err := s.exchange(ctx, at, flagsHost, data, s.opt.Small)
		if err != nil {
			return nil, err
		}
		all = append(all, reply.Data...)
		reason := ""
		switch {
		case len(all) > most:
			reason = fmt.Sprintf("the answer has more than %d bytes", most)
		case !reply.more():
			return all, nil
		case len(reply.Data) == 0:
			reason = "it says that more follows, but is empty"
		case time.Since(start) > s.opt.Answer:
			reason = fmt.Sprintf("the answer is still incomplete after %s", s.opt.Answer)
		}
		if reason != "" {
			return nil, s.broke(at, &PacketError{Index: s.link.parser.index - 1, Reason: reason})
		}
	}
}

// idle refuses a command while an upload is unfinished: the phone would refuse it.
func (s *Session) idle() error {
	if s.ended != nil {
		return s.ended
	}
	if s.uploading {
		return fmt.Errorf("%w: an unfinished upload must be cancelled first", ErrState)
	}
	return nil
}

// failed makes an error that says where.
func (s *Session) failed(at At, err error) *Error {
	at.Packet = s.link.sent
	return &Error{At: at, Err: err}
}

// broke ends the session with an error that says where.
func (s *Session) broke(at At, err error) *Error {
	s.ended = fmt.Errorf("%w: %w", ErrEnded, err)
	return s.failed(at, err)
}
