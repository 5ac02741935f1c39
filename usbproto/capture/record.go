package capture

import (
	"bufio"
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"syscall"
	"time"

	"xflash/usbproto"
)

// Options say what a capture is of.
type Options struct {
	Device usbproto.Device // the phone; the zero value is one at bus 1, address 5
	// Mask takes out what identifies the phone: FlashMask, CommandMask or FastbootMask. nil keeps it.
	Mask Masker
	Now  func() time.Time // nil is time.Now
}

// A Masker takes what identifies a phone out of what went over the cable, and changes no
// length. It sees the data of both directions in their order.
type Masker interface {
	// Host sees what the host sends; it may change it.
	Host(data []byte)
	// Phone sees what the phone sends, of which it keeps the slice and may change it
	// until the phone has sent more. It tells whether it has seen enough: until then the
	// data must not be used.
	Phone(data []byte) (settled bool)
	// Abandon makes an end: nothing more will come. What looks like an identity
	// by then is overwritten.
	Abandon()
}

// recorder is a Conn that writes down what goes over another one.
type recorder struct {
	usbproto.Conn
	o Options

	mu      sync.Mutex
	w       *bufio.Writer
	close   func() error
	pending []*Event // wait for the masker
	waiting int      // bytes in them
	open    bool     // the masker has not seen enough
	id      uint64
	err     error // of the file: the phone is more important, so it is reported at the end
}

// maxWaiting bounds what waits for the masker.
const maxWaiting = 16 << 20

// Record makes a Conn that writes everything that goes over c to w. What is sent and
// received stays the same. Closing it closes c, then w; an error of the file is returned
// then, and not before.
func Record(c usbproto.Conn, w io.WriteCloser, o Options) usbproto.Conn {
	o.Device = known(o.Device)
	if o.Now == nil {
		o.Now = time.Now
	}
	r := &recorder{Conn: c, o: o, w: bufio.NewWriter(w), close: w.Close}
	r.write(appendFileHeader(nil))
	if _, ok := c.(usbproto.Sender); ok {
		return &sendRecorder{r}
	}
	return r
}

func (r *recorder) write(b []byte) {
	if _, err := r.w.Write(b); r.err == nil {
		r.err = err
	}
}

// sync gives the file what was written so far.
func (r *recorder) sync() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.w.Flush(); r.err == nil {
		r.err = err
	}
}

func (r *recorder) Read(ctx context.Context, p []byte) (int, error) {
	// The phone may keep silent until somebody kills the program: what was sent is in the
	// file by then, and what it answered is there before anything else happens.
	r.sync()
	submitted := r.event(Submit, endpointIn, len(p))
	n, err := r.Conn.Read(ctx, p)
	r.mu.Lock()
	data := append([]byte(nil), p[:n]...)
	for ; len(data) > maxData; data = data[maxData:] {
		part := *submitted
		r.put(&part)
		r.complete(&part, maxData, nil, data[:maxData:maxData])
	}
	submitted.Length -= n - len(data)
	r.put(submitted)
	r.complete(submitted, len(data), err, data)
	r.mu.Unlock()
	r.sync()
	return n, err
}

func (r *recorder) Write(ctx context.Context, p []byte) (int, error) {
	n, err := r.Conn.Write(ctx, p)
	r.sent(p, n, err)
	return n, err
}

// sent notes what the host sent, and how much of it the phone took.
func (r *recorder) sent(p []byte, n int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for first := true; first || len(p) > 0; first = false {
		part := p[:min(len(p), maxData)]
		p = p[len(part):]
		e := r.event(Submit, endpointOut, len(part))
		e.Data = append([]byte(nil), part...)
		if r.o.Mask != nil {
			r.o.Mask.Host(e.Data)
		}
		r.put(e)
		taken := min(n, len(part))
		if n -= taken; taken == len(part) && len(part) > 0 {
			r.complete(e, taken, nil, nil)
			continue
		}
		r.complete(e, taken, err, nil)
		return // the rest was never asked for
	}
}

// event makes an event of a new request.
func (r *recorder) event(kind Kind, endpoint byte, length int) *Event {
	status := syscall.Errno(0)
	if kind == Submit {
		status = syscall.EINPROGRESS
	}
	return &Event{Time: r.o.Now(), Kind: kind, Transfer: transferBulk, Endpoint: endpoint,
		Device: byte(r.o.Device.Address), Bus: uint16(r.o.Device.Bus), Length: length, Status: status}
}

// put gives a request its number and puts it into the row.
func (r *recorder) put(e *Event) {
	r.id++
	e.ID = r.id
	r.append(e)
}

// complete notes how a request ended. One that was given up stays open in the capture:
// what is played back must let the host wait as the phone did.
func (r *recorder) complete(s *Event, n int, err error, data []byte) {
	status := statusOf(err)
	if status == syscall.ENOENT && n == 0 {
		return
	}
	e := *s
	e.Time, e.Kind, e.Status, e.Length, e.Data = r.o.Now(), Complete, status, n, data
	if status == syscall.ENOENT {
		e.Status = 0 // what came before the deadline did come
	}
	if r.o.Mask != nil && len(data) > 0 {
		r.open = !r.o.Mask.Phone(data)
	}
	r.append(&e)
}

// append puts an event after those that wait, and writes all of them when none has to.
func (r *recorder) append(e *Event) {
	r.pending = append(r.pending, e)
	r.waiting += len(e.Data)
	if r.open && r.waiting > maxWaiting {
		r.o.Mask.Abandon()
		r.open = false
	}
	if !r.open {
		r.flush()
	}
}

func (r *recorder) flush() {
	for _, e := range r.pending {
		r.write(e.append(nil))
	}
	r.pending, r.waiting = nil, 0
}

// statusOf is the kernel's number for how a transfer ended.
func statusOf(err error) syscall.Errno {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, usbproto.ErrGone):
		return syscall.ESHUTDOWN
	case errors.Is(err, usbproto.ErrStalled):
		return syscall.EPIPE
	case errors.Is(err, usbproto.ErrOverflow):
		return syscall.EOVERFLOW
	case errors.Is(err, usbproto.ErrTimeout), errors.Is(err, context.Canceled), errors.Is(err, usbproto.ErrClosed):
		return syscall.ENOENT
	}
	return syscall.EPROTO
}

func (r *recorder) Close() error {
	err := r.Conn.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.close == nil {
		return err
	}
	if len(r.pending) > 0 {
		r.o.Mask.Abandon()
		r.flush()
	}
	if flush := r.w.Flush(); r.err == nil {
		r.err = flush
	}
	if closing := r.close(); r.err == nil {
		r.err = closing
	}
	r.close = nil
	if r.err != nil {
		err = errors.Join(err, &FileError{r.err})
	}
	return err
}

// FileError is a capture that could not be written. The conversation itself is not
// touched by it.
type FileError struct{ Err error }

func (e *FileError) Error() string { return "the capture could not be written: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *FileError) Unwrap() error { return e.Err }

// sendRecorder is a recorder of a Conn that has several requests on the way.
type sendRecorder struct{ *recorder }

// Send passes the data on as they are, and notes them when they have been taken.
func (r *sendRecorder) Send(ctx context.Context, next func() ([]byte, error), o usbproto.SendOptions) (int64, error) {
	var onTheWay []byte // a few MiB
	noted := int64(0)
	note := func(sent int64, err error) {
		if n := max(0, min(int(sent-noted), len(onTheWay))); n > 0 {
			r.sent(onTheWay[:n], n, nil)
			onTheWay = slices.Delete(onTheWay, 0, n)
		}
		noted = sent
		var broken *usbproto.TransferError
		if errors.As(err, &broken) { // else the source failed, and nothing went wrong on the wire
			r.sent(onTheWay[:min(len(onTheWay), maxData)], 0, err)
		}
	}
	inner := o
	inner.Progress = func(sent int64) {
		note(sent, nil)
		if o.Progress != nil {
			o.Progress(sent)
		}
	}
	n, err := r.Conn.(usbproto.Sender).Send(ctx, func() ([]byte, error) {
		p, err := next()
		onTheWay = append(onTheWay, p...)
		return p, err
	}, inner)
	note(n, err)
	return n, err
}
