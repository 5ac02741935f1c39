// Package usbsim puts simulated phones on a real USB bus. A Device has the
// descriptors, the control requests and the two bulk endpoints of a phone, and its
// packets behave as on a wire: a short packet ends a request, a packet that does not fit
// is an overflow, an endpoint that has nothing to say holds the host off, a halted one
// stalls until the host clears it. PlugVHCI gives it to this machine's own kernel through
// the vhci-hcd module, so that libusb, usbfs and every program see a phone; Server serves
// it to "usbip attach".
//
// What the phone says is not its business: behind a Device is any usbproto.Conn, the
// host's end of a byte pipe.
//
// Facts: usbproto/s1/PROTOCOL.md §1.3, §1.5 (descriptors, transfers), usbproto/libusb/NOTES.md
// §2 (what an emulated device must do so that faults of a host show), and the kernel's
// description of the USB/IP protocol, Documentation/usb/usbip_protocol.rst.
package usbsim

import (
	"context"
	"errors"
	"sync"
	"time"

	"xflash/usbproto"
)

// goneInterval is how often a Device asks its pipe whether the phone is still there. A
// phone that has left is taken off the bus that much later.
const goneInterval = 20 * time.Millisecond

// leaveTime is how long a phone that has left stays on the bus, so that its last answer has
// reached the host. Real ones take longer to restart.
const leaveTime = 200 * time.Millisecond

// A Device is one stay of a phone on the bus, in one mode.
type Device struct {
	identity Identity
	conn     usbproto.Conn
	watch    Watch
	in, out  *endpoint
	config   byte // chosen configuration, touched by control requests only

	mu        sync.Mutex
	transfers int // bulk transfers that have started
	ctx       context.Context
	leave     context.CancelFunc
	running   sync.WaitGroup
}

// New makes a phone that is not plugged in yet. Its bulk endpoints lead to conn, the
// host's end of a pipe: Read of one packet's size gives one packet and keeps the rest of a
// message for the next, Write returns when the phone has taken the bytes, an empty Write
// only tells whether the phone is still there, and ErrGone takes the Device off the bus.
// Reads and writes of conn run side by side. Close the Device; that closes conn too.
func New(id Identity, conn usbproto.Conn, watch Watch) *Device {
	d := &Device{identity: id, conn: conn, watch: watch}
	d.ctx, d.leave = context.WithCancel(context.Background())
	d.in, d.out = newEndpoint(d, true), newEndpoint(d, false)
	d.running.Go(d.in.run)
	d.running.Go(d.out.run)
	d.running.Go(d.follow)
	return d
}

// Done is closed when the phone has left the bus.
func (d *Device) Done() <-chan struct{} { return d.ctx.Done() }

// Unplug pulls the cable. The host never gets the answer it waits for.
func (d *Device) Unplug() { d.leave() }

// Close unplugs the phone, waits for its transfers to end and closes its pipe.
func (d *Device) Close() error {
	d.leave()
	d.running.Wait()
	return d.conn.Close()
}

// follow sees a phone leave by itself while the host asks nothing of it.
func (d *Device) follow() {
	tick := time.NewTicker(goneInterval)
	defer tick.Stop()
	for {
		select {
		case <-d.ctx.Done():
			return
		case <-tick.C:
			if _, err := d.conn.Write(d.ctx, nil); errors.Is(err, usbproto.ErrGone) {
				select {
				case <-d.ctx.Done():
				case <-time.After(leaveTime):
				}
				d.leave()
				return
			}
		}
	}
}

// begin asks the watcher about a transfer that is the next one.
func (d *Device) begin(t Transfer) (Transfer, Fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.transfers++
	t.Number = d.transfers
	if d.watch.Before == nil {
		return t, Pass
	}
	return t, d.watch.Before(t)
}

func (d *Device) end(t Transfer) {
	if d.watch.After != nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.watch.After(t)
	}
}

// A Watch sees the bulk transfers of a Device. Its functions are called one at a time.
type Watch struct {
	Before func(Transfer) Fault // when a transfer is the next of its endpoint
	After  func(Transfer)       // when it has ended
}

// A Transfer is one bulk request of the host, as the host controller got it.
type Transfer struct {
	Number   int    // counts both directions; 1 is the first after plugging in
	In       bool   // from the phone to the host
	Size     int    // bytes the host has given or has room for
	Moved    int    // After: bytes that went over the wire
	Data     []byte // what the host sends, valid only during the call; nil from the phone
	InFlight int    // After: requests of this endpoint that the host had under way, this one too
}

// A Fault is what a Watch does to a transfer.
type Fault int

// The faults. A Device that is silent or stalled is so for this transfer; whether
// later ones are, their own Before says.
const (
	Pass    Fault = iota
	Stall         // the endpoint halts until the host clears it
	Silence       // the phone neither takes nor gives anything
	Unplug        // the cable goes
)
