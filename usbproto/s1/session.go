package s1

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"xflash/usbproto"
)

// Options are the time limits of a session. The zero value is replaced by Defaults.
type Options struct {
	Hello       time.Duration // for the unasked greeting of a phone that was just plugged in
	Small       time.Duration // for a command without bulk data
	Chunk       time.Duration // for a packet of image data
	LastChunk   time.Duration // for the last one of a file: the phone writes and checks all of it
	LoaderHello time.Duration // from the last packet of a loader to its greeting
	Stall       time.Duration // without a byte until OnStall is called
	// OnStall is told what is being waited for while the limit has not passed yet.
	OnStall func(doing string)
}

// Defaults are the limits of s1-protocol.md §1.5.
var Defaults = Options{
	Hello: 3 * time.Second, Small: 5 * time.Second, Chunk: 60 * time.Second,
	LastChunk: 600 * time.Second, LoaderHello: 30 * time.Second, Stall: 30 * time.Second,
}

func (o Options) withDefaults() Options {
	for _, f := range []struct{ have, normal *time.Duration }{
		{&o.Hello, &Defaults.Hello}, {&o.Small, &Defaults.Small}, {&o.Chunk, &Defaults.Chunk},
		{&o.LastChunk, &Defaults.LastChunk}, {&o.LoaderHello, &Defaults.LoaderHello}, {&o.Stall, &Defaults.Stall},
	} {
		if *f.have <= 0 {
			*f.have = *f.normal
		}
	}
	return o
}

// Session is a conversation with a phone in flash mode. It belongs to one goroutine.
type Session struct {
	conn   usbproto.Conn
	opt    Options
	parser Parser
	info   *Info
	ta     int // open trim-area partition, 0 for none
	sent   int // packets sent
	ended  error
	buf    []byte
}

// readSize is how much is asked for at a time: enough for every small answer.
const readSize = 16 << 10

// maxReply bounds the data of a reply: MAX_PKT_SZ of the largest known loader, 8 MiB.
const maxReply = 8 << 20

// strays is how many packets that nobody asked for are passed over in a row.
const strays = 8

// Open begins a session. A phone that was just plugged in speaks first; one that another
// program has talked to before does not, so after Options.Hello it is asked
// (s1-protocol.md §1.4). The Conn then belongs to the session.
func Open(ctx context.Context, conn usbproto.Conn, opt Options) (*Session, error) {
	s := &Session{conn: conn, opt: opt.withDefaults(), buf: make([]byte, readSize)}
	s.parser.MaxData = maxReply
	doing := "greeting the phone"
	if info, err := s.hello(ctx, s.opt.Hello); err == nil {
		s.info = info
		return s, nil
	} else if !greetAnyway(err) {
		return nil, s.broke(CmdInfo, doing, err)
	}
	if _, err := s.Refresh(ctx); err != nil {
		var r *Refusal
		// An upload that an earlier run left unfinished makes the phone refuse the next
		// command, and with that the upload is dropped (s1-protocol.md §3.2, command 5).
		if errors.As(err, &r) && r.Code == "005C" {
			_, err = s.Refresh(ctx)
		}
		if errors.Is(err, usbproto.ErrTimeout) {
			return nil, &Error{Command: CmdInfo, Doing: doing, Packet: s.sent, Err: errors.Join(errNotS1, err)}
		}
		if err != nil {
			return nil, err
		}
	}
	return s, nil
}

// greetAnyway tells a missing or garbled greeting, after which the phone can still be
// asked, from a pipe that is broken.
func greetAnyway(err error) bool {
	var damaged *PacketError
	return errors.Is(err, usbproto.ErrTimeout) || errors.As(err, &damaged)
}

// hello waits for the greeting: a packet of command 1 that nobody asked for. Answers to
// an earlier run that were never fetched are passed over.
func (s *Session) hello(ctx context.Context, limit time.Duration) (*Info, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for range strays {
		p, err := s.receive(ctx, "")
		if err != nil {
			// Half a packet is the rest of an answer to an earlier run.
			s.parser = Parser{MaxData: maxReply}
			return nil, err
		}
		if p.Command == CmdInfo && p.OK() && len(p.Data) > 0 {
			return ParseInfo(p.Data), nil
		}
	}
	return nil, &usbproto.TransferError{Op: "read", Device: "phone", Err: usbproto.ErrTimeout}
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

// Packets is the number of packets sent so far.
func (s *Session) Packets() int { return s.sent }

// Refresh asks the phone about itself with command 1.
func (s *Session) Refresh(ctx context.Context) (*Info, error) {
	p, err := s.ask(ctx, CmdInfo, nil, "asking the phone about itself")
	if err != nil {
		return nil, err
	}
	s.info = ParseInfo(p.Data)
	return s.info, nil
}

// End ends the session. The phone confirms and switches itself off (s1-protocol.md §3.2,
// command 4 without payload). That it then vanishes from the bus is no error.
func (s *Session) End(ctx context.Context) error {
	_, err := s.ask(ctx, CmdEnd, nil, "ending the session")
	if err == nil {
		s.ended = ErrEnded
	}
	return err
}

// Close gives the connection back without a word to the phone, which stays as it is.
func (s *Session) Close() error {
	s.ended = ErrEnded
	return s.conn.Close()
}

// ask sends a command in one packet and returns the accepted answer.
func (s *Session) ask(ctx context.Context, cmd Command, data []byte, doing string) (Packet, error) {
	return s.exchange(ctx, Packet{Command: cmd, Flags: flagsHost, Data: data}, doing, s.opt.Small)
}

// exchange sends a packet and waits for its answer. A refusal is followed at once by
// command 7, because the phone keeps only the last reason.
func (s *Session) exchange(ctx context.Context, p Packet, doing string, limit time.Duration) (Packet, error) {
	if s.ended != nil {
		return Packet{}, s.ended
	}
	reply, err := s.trade(ctx, p, doing, limit)
	if err != nil {
		broke := s.broke(p.Command, doing, err)
		if errors.Is(err, usbproto.ErrTimeout) && p.Command != CmdError && ctx.Err() == nil {
			// Once, for the log; whatever comes, the session is lost.
			if why, err := s.trade(ctx, Packet{Command: CmdError, Flags: flagsHost}, doing, s.opt.Small); err == nil {
				broke.Detail = trimNUL(why.Data)
			}
		}
		return Packet{}, broke
	}
	if reply.OK() {
		return reply, nil
	}
	if p.Command == CmdError {
		return Packet{}, &Refusal{Command: CmdError, Doing: doing}
	}
	why, err := s.trade(ctx, Packet{Command: CmdError, Flags: flagsHost}, doing, s.opt.Small)
	if err != nil {
		return Packet{}, s.broke(CmdError, doing+", after the phone refused it", err)
	}
	return Packet{}, parseRefusal(why.Data, p.Command, doing)
}

// broke ends the session with an error that says where.
func (s *Session) broke(cmd Command, doing string, err error) *Error {
	e := &Error{Command: cmd, Doing: doing, Packet: s.sent, Err: err}
	s.ended = fmt.Errorf("%w: %w", ErrEnded, err)
	return e
}

// trade is one packet out and one in, within a limit. A greeting in between is taken
// note of: it comes late from a phone that was just plugged in.
func (s *Session) trade(ctx context.Context, p Packet, doing string, limit time.Duration) (Packet, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := s.send(ctx, p); err != nil {
		return Packet{}, err
	}
	for range strays {
		reply, err := s.receive(ctx, doing)
		switch {
		case err != nil:
			return Packet{}, err
		case reply.Command == p.Command:
			return reply, nil
		case reply.Command == CmdInfo && reply.OK():
			s.info = ParseInfo(reply.Data)
		default:
			return Packet{}, &PacketError{Index: s.parser.index - 1,
				Reason: fmt.Sprintf("it answers %s, but %s was sent", reply.Command, p.Command)}
		}
	}
	return Packet{}, &PacketError{Index: s.parser.index, Reason: "the phone keeps sending greetings"}
}

// send writes a packet in three transfers, as every program that works on real phones
// does (s1-protocol.md §1.5).
func (s *Session) send(ctx context.Context, p Packet) error {
	s.sent++
	for _, part := range [][]byte{p.AppendHeader(nil), p.Data, binary.BigEndian.AppendUint32(nil, CRC(p.Data))} {
		if len(part) == 0 {
			continue
		}
		if _, err := s.conn.Write(ctx, part); err != nil {
			return err
		}
	}
	return nil
}

// receive gives the next packet from the phone. With doing it reports a stall while it
// waits.
func (s *Session) receive(ctx context.Context, doing string) (Packet, error) {
	for {
		p, ok, err := s.parser.Next()
		if ok || err != nil {
			return p, err
		}
		if err := s.read(ctx, doing); err != nil {
			return Packet{}, err
		}
	}
}

// read feeds the parser with what comes next.
func (s *Session) read(ctx context.Context, doing string) error {
	for {
		short, cancel := context.WithTimeout(ctx, s.opt.Stall)
		n, err := s.conn.Read(short, s.buf)
		cancel()
		s.parser.Feed(s.buf[:n])
		if n > 0 {
			return nil // an error comes again with the next read
		}
		// A pipe may notice the end of the whole limit a moment before the context does.
		if limit, ok := ctx.Deadline(); !errors.Is(err, usbproto.ErrTimeout) || ctx.Err() != nil || ok && !time.Now().Before(limit) {
			return err
		}
		if doing != "" && s.opt.OnStall != nil {
			s.opt.OnStall(doing)
		}
	}
}

func trimNUL(b []byte) string { return strings.TrimRight(string(b), "\x00") }
