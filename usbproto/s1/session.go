package s1

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"xflash/usbproto"
)

// Options are the time limits of a session. A limit that is 0 is taken from Defaults.
type Options struct {
	Hello       time.Duration // for the unasked greeting of a phone that was just plugged in
	Small       time.Duration // for a command without bulk data
	Answer      time.Duration // for an answer in several parts, all together
	Chunk       time.Duration // for a packet of an image
	LastChunk   time.Duration // for the last one of an image: the phone writes and checks all of it
	LoaderHello time.Duration // from the last packet of a loader to its greeting
	Details     time.Duration // for the question for details after another limit has passed; never more than Small
	Stall       time.Duration // without a byte until OnStall is called
	// OnStall gets what is being waited for each time Stall has passed without a byte.
	// It is called from another goroutine and must not use the session.
	OnStall func(doing string)
}

// Defaults are the limits of PROTOCOL.md §1.5. A phone that is alive answers the
// question for details at once.
var Defaults = Options{
	Hello: 3 * time.Second, Small: 5 * time.Second, Answer: time.Minute, Chunk: 60 * time.Second,
	LastChunk: 600 * time.Second, LoaderHello: 30 * time.Second, Details: time.Second, Stall: 30 * time.Second,
}

func (o Options) withDefaults() Options {
	d := Defaults
	o.Hello, o.Small, o.Answer = cmp.Or(o.Hello, d.Hello), cmp.Or(o.Small, d.Small), cmp.Or(o.Answer, d.Answer)
	o.Chunk, o.LastChunk = cmp.Or(o.Chunk, d.Chunk), cmp.Or(o.LastChunk, d.LastChunk)
	o.LoaderHello, o.Stall = cmp.Or(o.LoaderHello, d.LoaderHello), cmp.Or(o.Stall, d.Stall)
	o.Details = min(cmp.Or(o.Details, d.Details), o.Small)
	return o
}

// Session is a conversation with a phone in flash mode. It belongs to one goroutine.
type Session struct {
	link      *link
	opt       Options
	info      *Info
	ta        int   // trim-area partition that this session opened, 0 for none
	taStuck   bool  // the phone refused to close it
	taKnown   bool  // no earlier run can have left another one open
	uploading bool  // an upload was started and not ended
	ended     error // why nothing can be sent any more
}

// Open starts a session. A phone that was just plugged in speaks first; one that another
// program has talked to before does not, so after Options.Hello it is asked. What an
// earlier run left behind is cleared away: answers it did not fetch are passed over,
// and an unfinished upload is dropped (PROTOCOL.md §1.4, §3.2 command 5).
//
// The Conn then belongs to the session. After an error it is still the caller's.
func Open(ctx context.Context, conn usbproto.Conn, opt Options) (*Session, error) {
	opt = opt.withDefaults()
	s := &Session{link: newLink(conn, opt), opt: opt}
	everyone := func(*Info) bool { return true }
	came, err := s.hello(ctx, At{Command: CmdInfo, Doing: "greeting the phone"}, opt.Hello, everyone)
	if err == nil && !came {
		_, err = s.Refresh(ctx)
		var r *Refusal
		if errors.As(err, &r) {
			_, err = s.Refresh(ctx) // the first one dropped an upload
		}
		if e := (*Error)(nil); errors.As(err, &e) && errors.Is(err, usbproto.ErrTimeout) && !usbproto.Over(ctx) {
			e.Err = fmt.Errorf("%w: %w", ErrNotS1, e.Err)
		}
	}
	if err != nil {
		return nil, err
	}
	s.link.search(false)
	return s, nil
}

// hello waits for a greeting that is wanted, and tells whether it came.
func (s *Session) hello(ctx context.Context, at At, limit time.Duration, wanted func(*Info) bool) (bool, error) {
	s.link.search(true)
	info, err := s.link.greeting(ctx, at.Doing, limit, wanted)
	switch {
	case err == nil:
		s.info = info
		s.link.search(false)
		return true, nil
	case errors.Is(err, usbproto.ErrTimeout):
		return false, nil
	}
	return false, s.broke(at, err)
}

// Info is the last answer of the phone to command 1.
func (s *Session) Info() *Info { return s.info }

// Stage is the program that answers. A phone that does not say is taken to be in its
// boot stage.
func (s *Session) Stage() Stage {
	if s.info.Stage() == StageLoader {
		return StageLoader
	}
	return StageBoot
}

// Refresh asks the phone about itself with command 1.
func (s *Session) Refresh(ctx context.Context) (*Info, error) {
	at := At{Command: CmdInfo, Doing: "asking the phone about itself"}
	text, err := s.fetch(ctx, at, nil, maxGreeting)
	if err != nil {
		return nil, err
	}
	info := ParseInfo(text)
	if len(info.keys) == 0 {
		return nil, s.broke(at, &PacketError{Index: s.link.parser.index - 1, Reason: "it holds no information"})
	}
	s.info = info
	return info, nil
}

// End ends the session. The phone confirms and switches itself off (PROTOCOL.md §3.2,
// command 4 without payload). That it then vanishes from the bus is not an error. An
// unfinished upload is dropped first, and an open trim area closed, because the phone
// stores what was written only then; the session ends also if that is refused, now or before.
func (s *Session) End(ctx context.Context) error {
	var refused *Refusal
	err := s.CancelUpload(ctx)
	if err == nil && s.ta != 0 && !s.taStuck {
		if err = s.CloseTA(ctx); errors.As(err, &refused) {
			err = nil
		}
	}
	if err == nil {
		err = s.command(ctx, At{Command: CmdEnd, Doing: "ending the session"}, nil)
	}
	if err != nil {
		return err
	}
	s.ended = ErrEnded
	if refused != nil {
		return refused
	}
	return nil
}

// Close gives the connection back without a word to the phone, which stays as it is. It
// may be called from another goroutine, to cut off a command that is waiting.
func (s *Session) Close() error { return s.link.conn.Close() }
