package fastboot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"xflash/usbproto"
)

// Limits and deadlines.
const (
	// maxCommand is what every loader reads of a command in bytes (PROTOCOL.md §1). One
	// that reads no more takes the rest for the next command, so a longer one is never sent,
	// whatever the loader says of its version.
	maxCommand = 64
	maxAnswer  = 4096 // bytes of one message; loaders send 64 or 256
	maxInfo    = 10000

	answerTime = 30 * time.Second // for an answer in general
	workTime   = 10 * time.Minute // for an answer to what erases or writes
	staleTime  = 60 * time.Millisecond
	maxStale   = 64

	// patience is how many times its limit an answer may take with all its INFO lines.
	patience = 4
)

// stallTime is when a silence is worth a word (docs/contributing.md §5 row 23). Tests shorten it.
var stallTime = 30 * time.Second

// Options are what a caller wants to hear while a client works.
type Options struct {
	Info     func(line string)       // each line that the phone sends before its answer
	Progress func(sent, total int64) // bytes of a download
	Log      func(text string)       // what was odd and is over, such as stale answers
	// Stalled is called each time the phone has not answered for half a minute and is still
	// waited for, on its own goroutine.
	Stalled func(command string)
}

// Client is a phone's loader that listens. It is not safe for use by several goroutines.
type Client struct {
	conn usbproto.Conn
	opt  Options
	buf  [maxAnswer]byte
	// stall reports while an answer is waited for.
	stall usbproto.Stall
	// version is what the loader says of its protocol, such as "0.4".
	version string
	agreed  []string // commands of questions that were answered with yes, normalised
}

// OnProgress takes the place of Options.Progress.
func (c *Client) OnProgress(progress func(sent, total int64)) { c.opt.Progress = progress }

// Reply is what came back for a command that the loader took.
type Reply struct {
	Text string   // after OKAY
	Info []string // INFO lines, and TEXT as it came
}

// Refusal is a FAIL.
type Refusal struct {
	Command string
	Text    string // after FAIL, as the loader sent it
	Info    []string
}

func (e *Refusal) Error() string {
	return fmt.Sprintf("the phone refused %q: %s", Masked(e.Command), strings.TrimSpace(e.Text))
}

// ProtocolError is an answer that the protocol does not allow here. The state of the
// session is unknown afterwards.
type ProtocolError struct {
	Command string
	Got     string // as far as it matters
	Problem string
}

func (e *ProtocolError) Error() string {
	return fmt.Sprintf("after %q the phone sent %.80q: %s", Masked(e.Command), covered(e.Command, e.Got), e.Problem)
}

// TransferError is a transfer that broke off, with what was being done.
type TransferError struct {
	Command string
	Err     error
}

func (e *TransferError) Error() string { return fmt.Sprintf("%s: %v", Masked(e.Command), e.Err) }

func (e *TransferError) Unwrap() error { return e.Err }

// ErrCommandTooLong is the error of a command that no loader would take.
var ErrCommandTooLong = errors.New("the command is longer than loaders accept")

// ErrCommand is the error of a command that is not a line of ASCII text.
var ErrCommand = errors.New("a command is one line of ASCII text")

// Open starts a session. Answers that are left over from another one are read and thrown
// away, and a first command that some loaders of Sony answer with "unknown command" is
// said twice (usbproto/libusb/NOTES.md §9 row 5). Nothing is asked that changes the phone. c
// is not closed when Open fails.
func Open(ctx context.Context, c usbproto.Conn, opt Options) (*Client, error) {
	cl := &Client{conn: c, opt: opt}
	cl.stall.Limit, cl.stall.Report = stallTime, opt.Stalled
	if err := cl.drain(ctx); err != nil {
		return nil, err
	}
	for try := 0; ; try++ {
		version, err := cl.Getvar(ctx, "version")
		var refusal *Refusal
		var odd *ProtocolError
		switch {
		case errors.As(err, &refusal) && try == 0:
			cl.log("the first command was refused (" + refusal.Text + "); asking again")
		case errors.As(err, &odd) && try < 3:
			cl.log("an answer to an earlier command: " + odd.Got)
		case errors.As(err, &refusal):
			return cl, nil // it answers, and does not know the variable
		case err != nil:
			return nil, err
		default:
			cl.version = version
			// A late answer of an earlier session was taken for ours if another one follows.
			return cl, cl.drain(ctx)
		}
		if err := cl.drain(ctx); err != nil {
			return nil, err
		}
	}
}

// Close ends the session and closes the connection.
func (c *Client) Close() error { return c.conn.Close() }

func (c *Client) log(text string) {
	if c.opt.Log != nil {
		c.opt.Log(text)
	}
}

// drain reads what nobody asked for. Over UDP each session is a new one, and to read is to
// send an empty message, which a loader that has nothing to say takes for a command: U-Boot
// answers "unrecognized command" each time.
func (c *Client) drain(ctx context.Context) error {
	if _, ok := c.conn.(*udpConn); ok {
		return nil
	}
	for range maxStale {
		short, cancel := context.WithTimeout(ctx, staleTime)
		n, err := c.conn.Read(short, c.buf[:])
		cancel()
		if n > 0 {
			c.log(fmt.Sprintf("discarded a leftover answer: %.80q", c.buf[:n]))
			c.version = ""
		}
		if err != nil {
			if errors.Is(err, usbproto.ErrTimeout) && ctx.Err() == nil {
				return nil
			}
			return &TransferError{"listening", err}
		}
	}
	return &ProtocolError{"listening", string(c.buf[:16]), "it does not stop sending"}
}

// Command sends a command and waits for its answer, for a command of the maker's own as long
// as for one that erases. A FAIL is a *Refusal; one that the guard holds back is a *Question
// or *Forbidden.
func (c *Client) Command(ctx context.Context, command string) (Reply, error) {
	if maker(command) {
		return c.commandWithin(ctx, command, workTime)
	}
	return c.commandWithin(ctx, command, answerTime)
}

func (c *Client) commandWithin(ctx context.Context, command string, limit time.Duration) (Reply, error) {
	if err := c.send(ctx, command); err != nil {
		return Reply{}, err
	}
	reply, size, err := c.answer(ctx, command, limit)
	if err == nil && size >= 0 {
		err = &ProtocolError{command, fmt.Sprintf("DATA%08x", size), "this command has no data"}
	}
	return reply, err
}

// send writes a command as one message, after the last look at it.
func (c *Client) send(ctx context.Context, command string) error {
	if err := c.guard(command); err != nil {
		return err
	}
	short, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	if _, err := c.conn.Write(short, []byte(command)); err != nil {
		return &TransferError{command, err}
	}
	return nil
}

// checkCommand says why a command cannot be one.
func checkCommand(command string) error {
	if len(command) > maxCommand {
		return fmt.Errorf("%.40s…: %w (%d bytes at most)", Masked(command), ErrCommandTooLong, maxCommand)
	}
	if strings.ContainsFunc(command, func(r rune) bool { return r > '~' || r < ' ' && r != '\t' }) {
		return fmt.Errorf("%q: %w", Masked(command), ErrCommand)
	}
	return nil
}

// answer reads messages until OKAY, FAIL or DATA. size is -1, or what DATA said. limit is
// the time for each message, because loaders that work tell so from time to time; all of them
// together have patience times as long.
func (c *Client) answer(ctx context.Context, command string, limit time.Duration) (reply Reply, size int64, err error) {
	start := time.Now()
	for range maxInfo {
		message, err := c.message(ctx, command, limit)
		if err != nil {
			return reply, -1, err
		}
		kind, text := string(message[:4]), covered(command, string(message[4:]))
		switch kind {
		case "OKAY":
			reply.Text = text
			return reply, -1, nil
		case "FAIL":
			return reply, -1, &Refusal{command, text, reply.Info}
		case "INFO", "TEXT":
			reply.Info = append(reply.Info, text)
			if c.opt.Info != nil {
				c.opt.Info(text)
			}
			if total := patience * limit; time.Since(start) > total {
				return reply, -1, &ProtocolError{command, text, fmt.Sprintf("no answer in %s, only lines", total)}
			}
		case "DATA":
			n, err := strconv.ParseUint(strings.TrimRight(text, "\x00"), 16, 32)
			if err != nil || len(text) < 8 {
				return reply, -1, &ProtocolError{command, string(message), "DATA must be followed by eight hexadecimal digits"}
			}
			return reply, int64(n), nil
		default:
			return reply, -1, &ProtocolError{command, string(message), "that is not a fastboot answer"}
		}
	}
	return reply, -1, &ProtocolError{command, "", fmt.Sprintf("%d lines and no answer", maxInfo)}
}

// message reads one answer of at least four bytes. Loaders send one in a transfer; one that
// comes in pieces is put together until a pause tells that it is complete.
func (c *Client) message(ctx context.Context, command string, limit time.Duration) ([]byte, error) {
	defer c.stall.Watch(Masked(command))()
	var pieces []byte
	wait := limit
	for range maxInfo {
		short, cancel := context.WithTimeout(ctx, wait)
		n, err := c.conn.Read(short, c.buf[:])
		cancel()
		pieces = append(pieces, c.buf[:n]...)
		switch {
		case err == nil && n >= 4 && len(pieces) == n:
			return pieces, nil
		case errors.Is(err, usbproto.ErrTimeout) && ctx.Err() == nil && len(pieces) >= 4:
			return pieces, nil
		case err != nil:
			return nil, &TransferError{command, err}
		case len(pieces) > maxAnswer:
			return nil, &ProtocolError{command, string(pieces[:80]), "the answer does not end"}
		case n > 0:
			wait = staleTime
			if bytes.HasPrefix(pieces, []byte("DATA")) && len(pieces) >= 12 { // no other answer has a length
				return pieces, nil
			}
		}
	}
	return nil, &ProtocolError{command, "", "only empty messages"}
}
