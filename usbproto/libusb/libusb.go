// Package libusb opens phones on this computer's USB bus through libusb. It is the only
// package that uses cgo and gousb; everything else works on any usbproto.Conn.
package libusb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/google/gousb"

	"xflash/usbproto"
)

// How long Open is patient (NOTES.md §4, §7): udev may still be setting the
// rights of a phone that was just plugged in, and other programs look at new phones.
const (
	accessPatience = 2 * time.Second
	accessPause    = 100 * time.Millisecond
	busyTries      = 5
	busyPause      = 500 * time.Millisecond
	goneTime       = time.Second // the kernel needs it to notice that a phone was unplugged
)

// usb is the machine's USB bus.
type usb struct {
	root string // of /sys and /dev; empty but for test beds
	opt  Options
}

// Options steer the use of the bus.
type Options struct {
	// SmallRequests sends data in requests of 128 KiB, one at a time, instead of four of
	// 1 MiB: for hubs and kernels that break with more, and for umockdev, which cannot
	// play larger ones back.
	SmallRequests bool
}

// NewUSB returns this machine's USB bus, or a *NoBusError. Open gives that error too when
// libusb cannot use the bus.
//
// In a test bed of umockdev, which makes a USB bus for libusb but cannot make one for
// Go's own file reads, the bed's folder is where /sys is.
func New(o Options) (usbproto.Bus, error) {
	b := &usb{root: os.Getenv("UMOCKDEV_DIR"), opt: o}
	if _, err := usbproto.Scan(b.root); err != nil {
		return nil, err
	}
	return b, nil
}

func (b *usb) List(ctx context.Context) ([]usbproto.Device, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return usbproto.Scan(b.root)
}

// Close has nothing to do: every Conn holds and closes what it needs itself.
func (b *usb) Close() error { return nil }

func (b *usb) Open(ctx context.Context, d usbproto.Device) (usbproto.Conn, error) {
	libusb, err := newContext()
	if err != nil {
		return nil, err
	}
	pipe := &gousbBulk{bus: b, phone: d, libusb: libusb}
	if err := pipe.open(ctx); err != nil {
		closing := pipe.close()
		var none *usbproto.NoPhoneError
		if errors.As(err, &none) && none.Kind == usbproto.Busy {
			// Only now, with our own handle closed, all who are left are others.
			none.Holders = usbproto.Holders("/proc", b.root+d.Node())
		}
		return nil, errors.Join(err, closing)
	}
	conn := newUSBConn(pipe, d.Path())
	if b.opt.SmallRequests {
		conn.size, conn.depth = replaySize, 1
	}
	return conn, nil
}

// newContext starts libusb. A new one for each phone sees phones that were plugged in
// after an older one was made, also where no udev runs (NOTES.md §4).
func newContext() (c *gousb.Context, err error) {
	defer func() {
		switch reason := recover().(type) { // gousb panics when libusb cannot start
		case nil:
		case gousb.Error:
			err = &usbproto.NoBusError{Err: reason}
		default:
			panic(reason)
		}
	}()
	return gousb.NewContext(), nil
}

// gousbBulk is the pair of bulk endpoints of a phone.
type gousbBulk struct {
	bus    *usb
	phone  usbproto.Device
	libusb *gousb.Context
	device *gousb.Device
	config *gousb.Config
	iface  *gousb.Interface
	in     *gousb.InEndpoint
	out    *gousb.OutEndpoint
}

// open opens the node and claims the interface. It neither resets the phone nor changes
// its configuration: both would throw away its greeting (usbproto/s1/PROTOCOL.md §1.4).
func (g *gousbBulk) open(ctx context.Context) error {
	if err := g.openNode(ctx); err != nil {
		return err
	}
	number, err := g.device.ActiveConfigNum()
	if err != nil {
		return g.openError(err)
	}
	if g.config, err = g.device.Config(number); err != nil {
		return g.openError(err)
	}
	setting, in, out, ok := bulkSetting(g.config.Desc)
	if !ok {
		return g.openError(errors.New("the phone has no pair of bulk endpoints"))
	}
	err = retryBusy(ctx, func() (err error) {
		g.iface, err = g.config.Interface(setting.Number, setting.Alternate)
		return err
	})
	if codeOf(err) == gousb.ErrorBusy {
		return &usbproto.NoPhoneError{Kind: usbproto.Busy, Devices: []usbproto.Device{g.phone}, Want: g.phone.Mode, Err: err}
	}
	if err == nil {
		g.in, err = g.iface.InEndpoint(in)
	}
	if err == nil {
		g.out, err = g.iface.OutEndpoint(out)
	}
	if err != nil {
		return g.openError(err)
	}
	return nil
}

// retryBusy tries to claim an interface until nobody else has it, or patience ends.
func retryBusy(ctx context.Context, claim func() error) error {
	for try := 1; ; try++ {
		err := claim()
		if codeOf(err) != gousb.ErrorBusy || try == busyTries {
			return err
		}
		if err := pause(ctx, busyPause); err != nil {
			return err
		}
	}
}

func (g *gousbBulk) openNode(ctx context.Context) error {
	limit := time.Now().Add(accessPatience)
	for {
		found := false
		devices, err := g.libusb.OpenDevices(func(d *gousb.DeviceDesc) bool {
			same := !found && d.Bus == g.phone.Bus && d.Address == g.phone.Address &&
				uint16(d.Vendor) == g.phone.VID && uint16(d.Product) == g.phone.PID
			found = found || same
			return same
		})
		switch {
		case len(devices) == 1:
			g.device = devices[0] // err, if any, is about a device that is not ours
			return nil
		case !found && (err == nil || !g.present()):
			return g.openError(usbproto.ErrGone)
		case !g.refused(err):
			return g.openError(err)
		case time.Now().After(limit):
			return &usbproto.NoPhoneError{Kind: usbproto.NoAccess, Devices: []usbproto.Device{g.phone}, Want: g.phone.Mode, Root: os.Getuid() == 0, Err: err}
		}
		if err := pause(ctx, accessPause); err != nil {
			return g.openError(err)
		}
	}
}

// refused says whether opening failed for lack of rights. A container without the right
// to the device gives an error that libusb takes for another one.
func (g *gousbBulk) refused(err error) bool {
	if !errors.Is(err, gousb.ErrorIO) {
		return errors.Is(err, gousb.ErrorAccess)
	}
	f, err := os.OpenFile(g.bus.root+g.phone.Node(), os.O_RDWR, 0)
	if err == nil {
		err = f.Close()
	}
	return errors.Is(err, fs.ErrPermission)
}

// openError is an error of Open.
func (g *gousbBulk) openError(err error) error {
	if code := codeOf(err); code == gousb.ErrorNoDevice || code == gousb.ErrorNotFound {
		err = usbproto.ErrGone
	}
	return &usbproto.TransferError{Op: "open", Device: g.phone.Path(), Err: err}
}

// bulkSetting finds the first interface of the vendor's own class that has bulk endpoints
// both ways, and their numbers.
func bulkSetting(config gousb.ConfigDesc) (setting gousb.InterfaceSetting, in, out int, ok bool) {
	for index, iface := range config.Interfaces {
		if iface.Number != index {
			continue // gousb mistakes the number for an index
		}
		for _, setting = range iface.AltSettings {
			in, out = bulkEndpoint(setting, gousb.EndpointDirectionIn), bulkEndpoint(setting, gousb.EndpointDirectionOut)
			if setting.Class == gousb.ClassVendorSpec && in != 0 && out != 0 {
				return setting, in, out, true
			}
		}
	}
	return setting, 0, 0, false
}

// bulkEndpoint is the lowest number of a bulk endpoint in a direction, 0 if there is none.
func bulkEndpoint(setting gousb.InterfaceSetting, direction gousb.EndpointDirection) int {
	var numbers []int
	for _, e := range setting.Endpoints {
		if e.TransferType == gousb.TransferTypeBulk && e.Direction == direction && e.MaxPacketSize > 0 {
			numbers = append(numbers, e.Number)
		}
	}
	if len(numbers) == 0 {
		return 0
	}
	return slices.Min(numbers)
}

func (g *gousbBulk) packetSize() int { return g.in.Desc.MaxPacketSize }

func (g *gousbBulk) read(ctx context.Context, p []byte) (int, error) {
	n, err := g.in.ReadContext(ctx, p)
	return n, g.cause(ctx, err)
}

func (g *gousbBulk) write(ctx context.Context, p []byte) (int, error) {
	n, err := g.out.WriteContext(ctx, p)
	if err == nil && n < len(p) {
		err = fmt.Errorf("the phone accepted %d of %d bytes", n, len(p))
	}
	return n, g.cause(ctx, err)
}

// stream is gousb's own. Its requests must all be full: gousb would send the rest of its
// buffer after a part of one.
func (g *gousbBulk) stream(size, count int) (bulkStream, error) {
	s, err := g.out.NewStream(size, count)
	if err != nil {
		return nil, g.cause(context.Background(), err)
	}
	return &gousbStream{g, s}, nil
}

type gousbStream struct {
	bulk *gousbBulk
	*gousb.WriteStream
}

func (s *gousbStream) write(ctx context.Context, p []byte) error {
	_, err := s.WriteContext(ctx, p)
	return s.bulk.cause(ctx, err)
}

func (s *gousbStream) flush(ctx context.Context) error {
	// An error of write is given here once more, and a stream without room counts as one.
	if err := s.bulk.cause(ctx, s.CloseContext(ctx)); !errors.Is(err, errNoMemory) {
		return err
	}
	return nil
}

func (s *gousbStream) sent() int64 { return int64(s.Written()) }

// cause translates the errors of transfers.
func (g *gousbBulk) cause(ctx context.Context, err error) error {
	switch err {
	case nil:
		return nil
	case gousb.TransferCancelled:
		return usbproto.ContextError(ctx)
	case gousb.TransferTimedOut, gousb.ErrorTimeout:
		return usbproto.ErrTimeout
	case gousb.TransferStall, gousb.ErrorPipe:
		return usbproto.ErrStalled
	case gousb.TransferOverflow, gousb.ErrorOverflow:
		return usbproto.ErrOverflow
	case gousb.TransferNoDevice, gousb.ErrorNoDevice, gousb.ErrorNotFound:
		return usbproto.ErrGone
	case gousb.ErrorNoMem:
		return errNoMemory
	case gousb.TransferError, gousb.ErrorIO, gousb.ErrorOther:
		// A cable that is pulled gives these until the kernel has noticed.
		for limit := time.Now().Add(goneTime); time.Now().Before(limit); time.Sleep(accessPause) {
			if !g.present() {
				return usbproto.ErrGone
			}
		}
		return fmt.Errorf("the transfer broke on the cable or in the port (%w)", err)
	}
	return fmt.Errorf("this computer's USB did not complete the transfer (%w)", err)
}

// present says whether the phone is still on the bus, where it was and not plugged in again.
func (g *gousbBulk) present() bool {
	phones, err := usbproto.Scan(g.bus.root)
	return err == nil && slices.ContainsFunc(phones, func(d usbproto.Device) bool {
		return d.Port == g.phone.Port && d.Address == g.phone.Address
	})
}

func (g *gousbBulk) close() error {
	if g.iface != nil {
		g.iface.Close()
	}
	var errs []error
	if g.config != nil {
		errs = append(errs, g.config.Close())
	}
	if g.device != nil {
		errs = append(errs, g.device.Close())
	}
	return errors.Join(append(errs, g.libusb.Close())...)
}

var libusbCode = regexp.MustCompile(`\[code (-[0-9]+)\]$`)

// codeOf returns libusb's error number. gousb puts the error of some calls into a text, from
// where it must be fetched back.
func codeOf(err error) gousb.Error {
	var code gousb.Error
	if err == nil || errors.As(err, &code) {
		return code
	}
	if m := libusbCode.FindStringSubmatch(err.Error()); m != nil {
		if n, err := strconv.Atoi(m[1]); err == nil {
			return gousb.Error(n)
		}
	}
	return gousb.ErrorOther
}

// pause waits, but not longer than the context lasts.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return usbproto.ContextError(ctx)
	case <-timer.C:
		return nil
	}
}
