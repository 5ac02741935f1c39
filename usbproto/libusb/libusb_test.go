package libusb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/gousb"

	"xflash/usbproto"
)

func TestBedList(t *testing.T) {
	if !inBed(t, bedDescriptors, newCapture(bedPhone)) {
		return
	}
	bus, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	devices, err := bus.List(t.Context())
	if err != nil || len(devices) != 1 || fmt.Sprint(devices[0]) != fmt.Sprint(bedPhone) {
		t.Fatalf("got %+v, %v\nwant %+v", devices, err, bedPhone)
	}
	if devices[0].Path() != "usb:1-2" {
		t.Error(devices[0].Path())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := bus.List(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// Commands and answers: short ones, an answer that is read in pieces, an answer of whole
// packets and 128 KiB of data.
func TestBedExchange(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789abcdef"), 128<<10/16)
	c := newCapture(bedPhone)
	c.out([]byte("hello"), 0)
	c.in(512, []byte("world"), 0)
	c.out(data, 0)
	c.in(1024, data[:1024], 0)
	if !inBed(t, bedDescriptors, c) {
		return
	}
	conn := openBed(t)
	read := func(n int) string {
		b := make([]byte, n)
		k, err := conn.Read(t.Context(), b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:k])
	}
	if n, err := conn.Write(t.Context(), []byte("hello")); n != 5 || err != nil {
		t.Fatal(n, err)
	}
	if got := read(2) + "-" + read(100); got != "wo-rld" {
		t.Fatalf("got %q", got)
	}
	if n, err := conn.Write(t.Context(), data); n != len(data) || err != nil {
		t.Fatal(n, err)
	}
	if got := read(1030); got != string(data[:1024]) {
		t.Fatalf("got %d bytes", len(got))
	}
}

// The answer never comes: deadline, cancelling and closing each end the read.
func TestBedSilence(t *testing.T) {
	c := newCapture(bedPhone)
	for range 3 {
		c.pending(512)
	}
	if !inBed(t, bedDescriptors, c) {
		return
	}
	conn := openBed(t)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := conn.Read(ctx, make([]byte, 13)); !errors.Is(err, usbproto.ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("deadline: %v", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	if _, err := conn.Read(ctx, make([]byte, 13)); !errors.Is(err, context.Canceled) || errors.Is(err, usbproto.ErrTimeout) {
		t.Errorf("cancelled: %v", err)
	}
	time.AfterFunc(100*time.Millisecond, func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := conn.Read(t.Context(), make([]byte, 13)); !errors.Is(err, usbproto.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	if _, err := conn.Write(t.Context(), []byte("hello")); !errors.Is(err, usbproto.ErrClosed) {
		t.Errorf("after closing: %v", err)
	}
}

// What the kernel reports for a transfer becomes the errors of Conn.
func TestBedTransferErrors(t *testing.T) {
	read := []struct {
		status syscall.Errno
		want   error
	}{{syscall.EPIPE, usbproto.ErrStalled}, {syscall.EOVERFLOW, usbproto.ErrOverflow}, {syscall.ESHUTDOWN, usbproto.ErrGone}}
	c := newCapture(bedPhone)
	for _, r := range read {
		c.in(512, nil, r.status)
		c.out([]byte("hello"), r.status)
	}
	if !inBed(t, bedDescriptors, c) {
		return
	}
	conn := openBed(t)
	for _, r := range read {
		n, err := conn.Read(t.Context(), make([]byte, 13))
		var transfer *usbproto.TransferError
		if !errors.Is(err, r.want) || !errors.As(err, &transfer) || n != 0 || transfer.Device != "usb:1-2" {
			t.Errorf("read, %v: got %v", r.status, err)
		}
		if n, err := conn.Write(t.Context(), []byte("hello")); !errors.Is(err, r.want) || n != 0 {
			t.Errorf("write, %v: got %d, %v", r.status, n, err)
		}
	}
}

// A pulled cable often gives a protocol error first. It is told from a bad cable by
// whether the phone is still on the bus.
func TestBedProtocolError(t *testing.T) {
	c := newCapture(bedPhone)
	c.in(512, nil, syscall.EPROTO)
	c.in(512, nil, syscall.EPROTO)
	if !inBed(t, bedDescriptors, c) {
		return
	}
	conn := openBed(t)
	if _, err := conn.Read(t.Context(), make([]byte, 13)); errors.Is(err, usbproto.ErrGone) || !strings.Contains(fmt.Sprint(err), "cable") {
		t.Errorf("a phone that is still there: %v", err)
	}
	time.AfterFunc(200*time.Millisecond, func() {
		if err := os.Remove(filepath.Join(os.Getenv("UMOCKDEV_DIR"), "/sys/bus/usb/devices", "1-2")); err != nil {
			t.Error(err)
		}
	})
	if _, err := conn.Read(t.Context(), make([]byte, 13)); !errors.Is(err, usbproto.ErrGone) {
		t.Errorf("a phone that was unplugged: %v", err)
	}
}

// Between List and Open the phone was plugged out and in again.
func TestBedOpenGone(t *testing.T) {
	if !inBed(t, bedDescriptors, newCapture(bedPhone)) {
		return
	}
	bus, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	d := bedPhone
	d.Address = 4
	if _, err := bus.Open(t.Context(), d); !errors.Is(err, usbproto.ErrGone) {
		t.Errorf("got %v", err)
	}
}

// An interface of the right class without bulk endpoints, and one with them of another
// class, such as a disk.
func TestBedNoInterface(t *testing.T) {
	descriptors := bytes.Clone(bedDescriptors)
	descriptors[18+9+5] = 8 // mass storage
	if !inBed(t, descriptors, newCapture(bedPhone)) {
		return
	}
	bus, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bus.Open(t.Context(), bedPhone); err == nil || !strings.Contains(err.Error(), "usb:1-2: the phone has no pair of bulk endpoints") {
		t.Errorf("got %v", err)
	}
}

// unprivileged makes this process one that is not root, and lets it have these files of
// the test bed.
func unprivileged(t *testing.T, files ...string) {
	t.Helper()
	if os.Getuid() != 0 {
		return
	}
	const nobody = 65534
	for _, file := range files {
		if err := os.Chown(filepath.Join(os.Getenv("UMOCKDEV_DIR"), file), nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Setuid(nobody); err != nil {
		t.Fatal(err)
	}
}

// lockNode takes the right to open the phone away from this process, and gives it back
// through the returned function.
func lockNode(t *testing.T) (unlock func()) {
	t.Helper()
	unprivileged(t, "", bedPhone.Node(), "ioctl"+bedPhone.Node())
	node := filepath.Join(os.Getenv("UMOCKDEV_DIR"), bedPhone.Node())
	if err := os.Chmod(node, 0); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.Chmod(node, 0o600); err != nil {
			t.Error(err)
		}
	}
}

// libusb cannot start, here because umockdev's udev is out of reach: gousb panics, and
// people read a sentence.
func TestBedNoLibusb(t *testing.T) {
	if !inBed(t, bedDescriptors, newCapture(bedPhone)) {
		return
	}
	unprivileged(t, "")
	bed := os.Getenv("UMOCKDEV_DIR")
	if err := os.Chmod(bed, 0o500); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.Chmod(bed, 0o700) }() // so that umockdev can clean up
	bus, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = bus.Open(t.Context(), bedPhone)
	var noBus *usbproto.NoBusError
	if !errors.As(err, &noBus) || !strings.HasPrefix(err.Error(), "cannot use the USB bus of this machine: libusb: ") {
		t.Errorf("got %v", err)
	}
}

func TestBedNoAccess(t *testing.T) {
	if !inBed(t, bedDescriptors, newCapture(bedPhone)) {
		return
	}
	lockNode(t)
	bus, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	if d, err := bus.List(t.Context()); len(d) != 1 || err != nil {
		t.Fatalf("a phone that may not be opened has to be listed: %v, %v", d, err)
	}
	_, err = bus.Open(t.Context(), bedPhone)
	var v *usbproto.NoPhoneError
	if !errors.As(err, &v) || v.Kind != usbproto.NoAccess || v.Root || len(v.Devices) != 1 || v.Want != usbproto.ModeFlash {
		t.Fatalf("got %v", err)
	}
	if !errors.Is(err, gousb.ErrorAccess) {
		t.Errorf("cause %v", v.Err)
	}

	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := bus.Open(ctx, bedPhone); !errors.Is(err, usbproto.ErrTimeout) {
		t.Errorf("with a deadline: %v", err)
	}
}

// Test 12 of docs/contributing.md §5: the rights come 800 ms after the phone.
func TestBedLateAccess(t *testing.T) {
	if !inBed(t, bedDescriptors, newCapture(bedPhone)) {
		return
	}
	time.AfterFunc(800*time.Millisecond, lockNode(t))
	openBed(t)
}

// Another program has the interface: for a while, and for good.
func TestBedBusyForAWhile(t *testing.T) {
	c := newCapture(bedPhone)
	c.out([]byte("hello"), 0)
	if !inBed(t, bedDescriptors, c, busyClaims(t, 2)) {
		return
	}
	if _, err := openBed(t).Write(t.Context(), []byte("hello")); err != nil {
		t.Error(err)
	}
}

func TestBedBusy(t *testing.T) {
	if !inBed(t, bedDescriptors, newCapture(bedPhone), busyClaims(t, 99)) {
		return
	}
	node, err := os.Open(filepath.Join(os.Getenv("UMOCKDEV_DIR"), bedPhone.Node()))
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close()
	holder := exec.Command("sleep", "60")
	holder.Stdin = node
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = holder.Process.Kill() // it may not have ended by itself
		_ = holder.Wait()
	}()
	if err := node.Close(); err != nil {
		t.Fatal(err)
	}
	bus, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = bus.Open(t.Context(), bedPhone)
	var v *usbproto.NoPhoneError
	if !errors.As(err, &v) || v.Kind != usbproto.Busy || v.Want != usbproto.ModeFlash || len(v.Devices) != 1 || codeOf(v.Err) != gousb.ErrorBusy {
		t.Fatalf("got %v", err)
	}
	if want := (usbproto.Holder{PID: holder.Process.Pid, Program: "sleep"}); len(v.Holders) != 1 || v.Holders[0] != want {
		t.Errorf("holders %+v, want %+v", v.Holders, want)
	}
}

// gousb hides the number of a failed claim in a text.
// Every number of libusb has a meaning here; the bus of this test is empty, so a transfer
// that broke is one of a phone that is gone.
func TestCauseOfEveryError(t *testing.T) {
	g := &gousbBulk{bus: &usb{root: t.TempDir()}, phone: bedPhone}
	late, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	stopped, stop := context.WithCancel(t.Context())
	stop()
	for err, want := range map[error]error{
		gousb.TransferTimedOut: usbproto.ErrTimeout, gousb.ErrorTimeout: usbproto.ErrTimeout,
		gousb.TransferStall: usbproto.ErrStalled, gousb.ErrorPipe: usbproto.ErrStalled,
		gousb.TransferOverflow: usbproto.ErrOverflow, gousb.ErrorOverflow: usbproto.ErrOverflow,
		gousb.TransferNoDevice: usbproto.ErrGone, gousb.ErrorNoDevice: usbproto.ErrGone, gousb.ErrorNotFound: usbproto.ErrGone,
		gousb.TransferError: usbproto.ErrGone, gousb.ErrorIO: usbproto.ErrGone, gousb.ErrorOther: usbproto.ErrGone,
		gousb.ErrorNoMem:        errNoMemory,
		gousb.ErrorAccess:       gousb.ErrorAccess,
		gousb.ErrorBusy:         gousb.ErrorBusy,
		gousb.ErrorInterrupted:  gousb.ErrorInterrupted,
		gousb.ErrorInvalidParam: gousb.ErrorInvalidParam,
		gousb.ErrorNotSupported: gousb.ErrorNotSupported,
	} {
		if got := g.cause(t.Context(), err); !errors.Is(got, want) {
			t.Errorf("%v is %v, want %v", err, got, want)
		}
	}
	if got := g.cause(late, gousb.TransferCancelled); !errors.Is(got, usbproto.ErrTimeout) {
		t.Errorf("cancelled by a deadline: %v", got)
	}
	if got := g.cause(stopped, gousb.TransferCancelled); !errors.Is(got, context.Canceled) {
		t.Errorf("cancelled: %v", got)
	}
	if got := g.cause(t.Context(), nil); got != nil {
		t.Error(got)
	}
}

func TestCodeOf(t *testing.T) {
	busy := fmt.Errorf("failed to claim interface %d on %s: %v", 0, "vid=0fce", gousb.ErrorBusy)
	for _, c := range []struct {
		err  error
		want gousb.Error
	}{
		{nil, gousb.Success},
		{gousb.ErrorAccess, gousb.ErrorAccess},
		{fmt.Errorf("open: %w", gousb.ErrorNoDevice), gousb.ErrorNoDevice},
		{busy, gousb.ErrorBusy},
		{errors.New("interface 3 not found"), gousb.ErrorOther},
	} {
		if got := codeOf(c.err); got != c.want {
			t.Errorf("%v: %v", c.err, got)
		}
	}
}

func TestRetryBusy(t *testing.T) {
	busy := fmt.Errorf("failed to claim: %v", gousb.ErrorBusy)
	for _, c := range []struct {
		busyFor int
		limit   time.Duration
		tries   int
		took    time.Duration
		want    error
	}{
		{0, time.Minute, 1, 0, nil},
		{3, time.Minute, 4, 1500 * time.Millisecond, nil},
		{9, time.Minute, 5, 2 * time.Second, busy},
		{9, 700 * time.Millisecond, 2, 700 * time.Millisecond, usbproto.ErrTimeout},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), c.limit)
			defer cancel()
			begin, tries := time.Now(), 0
			err := retryBusy(ctx, func() error {
				if tries++; tries <= c.busyFor {
					return busy
				}
				return nil
			})
			if took := time.Since(begin); !errors.Is(err, c.want) || tries != c.tries || took != c.took {
				t.Errorf("busy for %d: %v after %d tries and %v", c.busyFor, err, tries, took)
			}
		})
	}
	other := errors.New("interface 3 not found")
	if err := retryBusy(t.Context(), func() error { return other }); err != other {
		t.Error(err)
	}
}
