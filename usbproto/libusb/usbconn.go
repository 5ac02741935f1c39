package libusb

import (
	"context"
	"errors"
	"sync"

	"xflash/usbproto"
)

// Sizes of one request to the kernel. Larger ones do not get faster (NOTES.md §4); when
// the kernel has no memory for the first size, the second is used from then on.
const (
	requestSize      = 1 << 20
	smallRequestSize = 256 << 10
	replaySize       = 128 << 10 // of Options.SmallRequests
)

// errNoMemory is a request that the kernel had no memory for; nothing was transferred.
var errNoMemory = errors.New("the kernel has no memory for a USB transfer of this size")

// bulk is the pair of bulk endpoints of an interface. Errors are those of Conn, or
// errNoMemory.
type bulk interface {
	packetSize() int // largest packet of the IN endpoint, bytes
	// read fills p, whose length is a multiple of packetSize, until it is full or a
	// short packet ends the transfer.
	read(ctx context.Context, p []byte) (int, error)
	write(ctx context.Context, p []byte) (int, error) // all of p, or an error
	// stream prepares count requests of size bytes each, which all of its writes have.
	stream(size, count int) (bulkStream, error)
	close() error
}

// usbConn is a Conn over bulk endpoints: it makes a byte stream of transfers.
type usbConn struct {
	bulk bulk
	name string

	life context.Context // ends when Close is called
	end  context.CancelFunc

	mu     sync.Mutex // held during transfers, so that Close waits for them
	closed bool
	size   int    // of the largest request
	depth  int    // requests on the way at once, of a stream
	packet []byte // room for one packet
	rest   []byte // the part of packet that was not asked for yet
}

func newUSBConn(b bulk, name string) *usbConn {
	life, end := context.WithCancel(context.Background())
	return &usbConn{bulk: b, name: name, life: life, end: end, size: requestSize, depth: inFlight, packet: make([]byte, b.packetSize())}
}

// Read asks for whole packets only: a phone that sends more than fits a request would
// make the transfer overflow, and the bytes would be lost.
func (c *usbConn) Read(ctx context.Context, p []byte) (int, error) {
	return c.transfer(ctx, "read", func(ctx context.Context) (int, error) {
		if len(p) == 0 {
			return 0, nil
		}
		if n := copy(p, c.rest); n > 0 {
			c.rest = c.rest[n:]
			return n, nil
		}
		for {
			var n int
			var err error
			if whole := min(len(p), c.size) / len(c.packet) * len(c.packet); whole > 0 {
				n, err = c.request(ctx, c.bulk.read, p[:whole])
			} else {
				n, err = c.request(ctx, c.bulk.read, c.packet)
				c.rest = c.packet[:n]
				n = copy(p, c.rest)
				c.rest = c.rest[n:]
			}
			if n > 0 || err != nil {
				return n, err
			}
			// An empty packet is not data. The loop ends with the context.
		}
	})
}

func (c *usbConn) Write(ctx context.Context, p []byte) (int, error) {
	return c.transfer(ctx, "write", func(ctx context.Context) (int, error) {
		var done int
		for done < len(p) {
			part := p[done:]
			n, err := c.request(ctx, c.bulk.write, part[:min(len(part), c.size)])
			done += n
			if err != nil {
				return done, err
			}
		}
		return done, nil
	})
}

// request makes one request, in the smaller size when the kernel has no memory.
func (c *usbConn) request(ctx context.Context, do func(context.Context, []byte) (int, error), p []byte) (int, error) {
	n, err := do(ctx, p)
	if errors.Is(err, errNoMemory) && len(p) > smallRequestSize {
		c.size = smallRequestSize
		n, err = do(ctx, p[:smallRequestSize/len(c.packet)*len(c.packet)])
	}
	return n, err
}

// transfer runs one call of the Conn under a context that Close ends too.
func (c *usbConn) transfer(ctx context.Context, op string, do func(context.Context) (int, error)) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fail := func(n int, err error) (int, error) {
		return n, &usbproto.TransferError{Op: op, Device: c.name, N: n, Err: err}
	}
	if c.closed || c.life.Err() != nil {
		return fail(0, usbproto.ErrClosed)
	}
	if ctx.Err() != nil {
		return fail(0, usbproto.ContextError(ctx))
	}
	both, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.life, cancel)()
	n, err := do(both)
	switch {
	case err == nil:
		return n, nil
	case errors.Is(err, context.Canceled) && c.life.Err() != nil:
		err = usbproto.ErrClosed
	case errors.Is(err, context.Canceled):
		err = usbproto.ContextError(ctx)
	}
	return fail(n, err)
}

// Close ends a running transfer, waits for it, and gives the phone back.
func (c *usbConn) Close() error {
	c.end()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	c.closed = true
	return c.bulk.close()
}
