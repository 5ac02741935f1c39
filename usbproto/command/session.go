package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"xflash/usbproto"
)

// Options are the time limits of a session. A limit that is 0 is taken from Defaults.
type Options struct {
	Answer time.Duration // for a variable or a unit, in all
	Piece  time.Duration // for 1 MiB of a download, or of data from the phone
	Stored time.Duration // for the answer after a download
	Work   time.Duration // for what erases, writes or checks
	Sync   time.Duration // for Sync
	Wait   time.Duration // before a phone that did not answer at once is asked again
	Stall  time.Duration // without a byte until OnStall is called
	// OnStall is called with the command that is waited for each time Stall has passed without a byte, from another
	// goroutine. It must not use the session.
	OnStall func(command string)
	Log     func(text string) // what was odd and is over; may be nil
}

// Defaults are the limits of PROTOCOL.md §1.4.
var Defaults = Options{
	Answer: 5 * time.Second, Piece: 20 * time.Second, Stored: 120 * time.Second, Work: 300 * time.Second, Sync: 600 * time.Second,
	Wait: 2 * time.Second, Stall: 30 * time.Second,
}

func (o Options) withDefaults() Options {
	d := Defaults
	o.Answer, o.Piece, o.Stored = cmp.Or(o.Answer, d.Answer), cmp.Or(o.Piece, d.Piece), cmp.Or(o.Stored, d.Stored)
	o.Work, o.Sync = cmp.Or(o.Work, d.Work), cmp.Or(o.Sync, d.Sync)
	o.Wait, o.Stall = cmp.Or(o.Wait, d.Wait), cmp.Or(o.Stall, d.Stall)
	return o
}

// Session is a conversation with a phone. It belongs to one goroutine.
type Session struct {
	conn  usbproto.Conn
	in    *stream
	opt   Options
	stall usbproto.Stall
	limit int64 // max-download-size, 0 when the phone does not tell
	form  form
	phone state
	ended error // why nothing can be sent any more
}

// state is what this session knows of the phone (PROTOCOL.md §2.1).
type state struct {
	loaded bool   // the download buffer holds something that no command has used
	signed bool   // the phone accepted a signature
	erased string // the partition that was erased under this signature
	open   bool   // unit 10100 was set in this session, and not cleared
	failed error  // the first step that failed in this session
}

// Open starts a session: answers that an earlier program did not read are discarded, and the phone is asked for its
// download limit, which changes nothing. A phone that is silent is asked once more after Options.Wait; the error is a
// *SilentError then.
//
// The Conn then belongs to the session. After an error it is still the caller's.
func Open(ctx context.Context, conn usbproto.Conn, opt Options) (*Session, error) {
	s := &Session{conn: conn, opt: opt.withDefaults()}
	s.stall.Limit, s.stall.Report = s.opt.Stall, s.opt.OnStall
	s.in = newStream(conn, s.stall.Moved)
	if _, err := s.discard(ctx); err != nil {
		return nil, err
	}
	silent := false
	for try := 1; ; try++ {
		s.ended = nil
		text, err := s.Var(ctx, "max-download-size")
		var odd *AnswerError
		var refused *Refusal
		switch {
		case errors.Is(err, usbproto.ErrTimeout) && !usbproto.Over(ctx):
			var budget *BudgetError
			if silent {
				return nil, &SilentError{Taken: errors.As(err, &budget), Err: err}
			}
			silent = true
			s.log("the phone does not answer; asking again")
			if err := sleep(ctx, s.opt.Wait); err != nil {
				return nil, err
			}
		case err != nil && !errors.As(err, &odd) && !errors.As(err, &refused):
			return nil, err
		}
		late, err2 := s.discard(ctx)
		if err2 != nil {
			return nil, err2
		}
		n, ok := parseLimit(text)
		switch {
		case err == nil && ok && late == "":
			s.limit = n
			return s, nil
		case try < 3:
		case late != "":
			return nil, &StrayError{getvar + "max-download-size", late}
		case refused == nil && err != nil:
			return nil, err
		default: // it answers, and tells no limit
			return s, nil
		}
	}
}

// discard discards what the phone sent before anything was asked, and returns the start of it.
func (s *Session) discard(ctx context.Context) (string, error) {
	var bad *badAnswer
	err := s.in.quiet(ctx, pause)
	s.in.buf = s.in.buf[:0]
	switch {
	case errors.As(err, &bad):
		s.log(fmt.Sprintf("discarded an answer to an earlier program: %.40q", bad.got))
		return bad.got, nil
	case err != nil:
		return "", &TransferError{"listening to the phone", err}
	}
	return "", nil
}

// parseLimit reads max-download-size, decimal bytes.
func parseLimit(text string) (int64, bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil && n > 0
}

// MaxDownload is the longest download in bytes that the phone accepts; false when it did not tell.
func (s *Session) MaxDownload() (int64, bool) { return s.limit, s.limit > 0 }

// End ends the session: the phone confirms, switches off and leaves the bus. One that leaves without a word did what was
// asked. After an update that did not succeed there is no ending: the phone stays in flash mode, where it can be repaired
// (PROTOCOL.md §3.7).
func (s *Session) End(ctx context.Context) error {
	if s.phone.open {
		return fmt.Errorf("%w: the update is not complete", ErrState)
	}
	_, err := s.run(ctx, "powerdown", s.opt.Answer, false)
	if err == nil || errors.Is(err, usbproto.ErrGone) {
		s.ended = ErrEnded
		return nil
	}
	return err
}

// Close gives the connection back without a word to the phone, which stays as it is. It may be called from another
// goroutine, to cut off a command that is waiting.
func (s *Session) Close() error { return s.conn.Close() }

// KeepAlive asks the phone for its protocol version every 10 seconds while a person thinks, until stop is called. stop
// waits for a question on its way and returns what went wrong. Nothing else may use the session before.
func (s *Session) KeepAlive(ctx context.Context) (stop func() error) {
	done, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		tick := time.NewTicker(keepAlive)
		defer tick.Stop()
		for {
			select {
			case <-done:
				ended <- nil
				return
			case <-ctx.Done():
				ended <- usbproto.ContextError(ctx)
				return
			case <-tick.C:
			}
			_, err := s.Var(ctx, "version")
			var refused *Refusal
			if err != nil && !errors.As(err, &refused) {
				ended <- err
				return
			}
		}
	}()
	return func() error { close(done); return <-ended }
}

const keepAlive = 10 * time.Second

func (s *Session) log(text string) {
	if s.opt.Log != nil {
		s.opt.Log(text)
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return &TransferError{"waiting for the phone", usbproto.ContextError(ctx)}
	}
}
