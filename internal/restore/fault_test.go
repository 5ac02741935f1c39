package restore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"xflash/internal/restore"
	"xflash/internal/simphone"
	"xflash/usbproto"
	"xflash/usbproto/s1"
)

// short is a restore of few packets that still has every kind of step.
var short = restore.Request{Only: []string{"amss_fs_1", "elabel", "fota-reset", "boot"}}

// quick are deadlines that a test of silence can wait for at every packet.
var quick = s1.Options{Hello: 100 * time.Millisecond, Small: 120 * time.Millisecond, Chunk: 120 * time.Millisecond,
	LastChunk: 200 * time.Millisecond, LoaderHello: 200 * time.Millisecond}

// deadline is the longest that a run may take to notice silence: the last packet of a
// file, then one question for the reason.
const deadline = 200*time.Millisecond + 120*time.Millisecond

// stride is how far apart the places are at which faults are tried: at every one, or with
// -short, which the race detector gets, at every seventh.
func stride() int {
	if testing.Short() {
		return 7
	}
	return 1
}

// packetsOf counts the packets of an undisturbed run of the short restore.
func packetsOf(t *testing.T, b *bench) (last int, took time.Duration) {
	t.Helper()
	begun := time.Now()
	phone := newPhone(t, simphone.Options{Log: func(e simphone.Event) { last = max(last, e.Packet) }})
	undisturbed := &bench{t: t, phone: phone, fw: b.fw, store: restore.Store{Dir: quickDir(t)}, opt: b.opt}
	if err := undisturbed.attempt(short, false, restore.RunOptions{}); err != nil {
		t.Fatal(err)
	}
	return last, time.Since(begun)
}

// TestFaultAtEveryPacket lets the phone vanish or fall silent at every packet of a short
// session. The run must end in time with an error that names what was being done, and
// a second one must complete it.
func TestFaultAtEveryPacket(t *testing.T) {
	b := newBench(t, simphone.Options{})
	packets, undisturbed := packetsOf(t, b)
	if packets < 40 {
		t.Fatalf("only %d packets in a session that should have all kinds of steps", packets)
	}
	for _, tt := range []struct {
		fault string
		cause error
		opt   s1.Options
	}{{simphone.FaultUnplug, usbproto.ErrGone, s1.Options{}}, {simphone.FaultSilence, usbproto.ErrTimeout, quick}} {
		t.Run(tt.fault, func(t *testing.T) {
			for at := 1; at <= packets; at += stride() {
				phone := newPhone(t, simphone.Options{Faults: []simphone.Fault{{Name: tt.fault, At: at}}})
				run := &bench{t: t, phone: phone, fw: b.fw, store: restore.Store{Dir: quickDir(t)}, opt: tt.opt}
				begun := time.Now()
				err := run.attempt(short, false, restore.RunOptions{})
				took := time.Since(begun)
				if err == nil {
					t.Fatalf("packet %d: the run says it succeeded", at)
				}
				if !errors.Is(err, tt.cause) {
					t.Errorf("packet %d: %v, want the cause %v", at, err, tt.cause)
				}
				var talk *s1.Error
				if !errors.As(err, &talk) || talk.Doing == "" || talk.Packet == 0 {
					t.Errorf("packet %d: %v does not say what was being done", at, err)
				}
				// What the session accepts anyway, the deadline, and two seconds.
				if took > 3*undisturbed+deadline+2*time.Second {
					t.Errorf("packet %d: it took %s to notice", at, took)
				}
				if t.Failed() {
					t.FailNow()
				}
			}
		})
	}
}

// TestStallAtEveryTransfer halts the endpoint at every transfer of a session.
func TestStallAtEveryTransfer(t *testing.T) {
	b := newBench(t, simphone.Options{})
	for at := 0; ; at += stride() {
		phone := newPhone(t, simphone.Options{})
		conn := &stalling{Conn: phone.Conn(), left: at}
		err := flash(conn, b.fw, restore.Store{Dir: quickDir(t)}, short)
		if err == nil {
			if conn.left < 0 {
				t.Fatalf("transfer %d: the run succeeded over a halted endpoint", at)
			}
			if at < 100 {
				t.Fatalf("only %d transfers", at)
			}
			return
		}
		if !errors.Is(err, usbproto.ErrStalled) {
			t.Fatalf("transfer %d: %v", at, err)
		}
	}
}

// stalling is a Conn whose endpoint halts after a number of transfers.
type stalling struct {
	usbproto.Conn
	left int
}

func (s *stalling) Read(ctx context.Context, p []byte) (int, error) {
	if s.left--; s.left < 0 {
		return 0, &usbproto.TransferError{Op: "read", Device: "test", Err: usbproto.ErrStalled}
	}
	return s.Conn.Read(ctx, p)
}

func (s *stalling) Write(ctx context.Context, p []byte) (int, error) {
	if s.left--; s.left < 0 {
		return 0, &usbproto.TransferError{Op: "write", Device: "test", Err: usbproto.ErrStalled}
	}
	return s.Conn.Write(ctx, p)
}

// flash is one run over any connection.
func flash(conn usbproto.Conn, fw *restore.Firmware, store restore.Store, p restore.Request) (err error) {
	ctx := context.Background()
	s, err := s1.Open(ctx, conn, s1.Options{})
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	facts, err := restore.ReadFacts(ctx, s)
	if err != nil {
		return err
	}
	plan, journal, err := restore.PrepareRun(store, fw, facts, p, false)
	if err != nil {
		return err
	}
	return restore.Run(ctx, s, plan, restore.RunOptions{Journal: journal})
}

// TestResumeAfterUnplug pulls the cable at some packets and continues with --resume, as
// often as it takes. The end must be that of an undisturbed run.
func TestResumeAfterUnplug(t *testing.T) {
	t.Parallel()
	fw, err := small()
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []int{5, 12, 25, 33, 60, 90} {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			b := newBench(t, simphone.Options{Faults: []simphone.Fault{{Name: simphone.FaultUnplug, At: at}}})
			err := b.attempt(restore.Request{}, false, restore.RunOptions{})
			if !errors.Is(err, usbproto.ErrGone) {
				t.Fatalf("got %v", err)
			}
			if boot := b.phone.PowerOn(); at > 30 && boot.Mode != simphone.ModeFlash {
				t.Errorf("the phone is not back in flash mode: %+v", boot)
			}
			b.phone = newPhone(t, simphone.Options{Dir: b.phone.Dir()})
			j, err := b.store.Find(identity(t, b))
			if err != nil {
				t.Fatal(err)
			}
			resume := j != nil // else it was pulled before the first step
			if err := b.attempt(restore.Request{}, resume, restore.RunOptions{}); err != nil {
				t.Fatal(err)
			}
			b.restored(fw, written...)
			if got := b.unit(10100); !bytes.Equal(got, []byte{0}) {
				t.Errorf("unit 10100 is %X", got)
			}
		})
	}
}

// TestResumeAtTheVeryEnd: the phone vanishes when the session is to be ended, after the
// flash state was cleared and stored. Going on must not set it again.
func TestResumeAtTheVeryEnd(t *testing.T) {
	b := newBench(t, simphone.Options{})
	last, _ := packetsOf(t, b)
	b.phone = newPhone(t, simphone.Options{Faults: []simphone.Fault{{Name: simphone.FaultUnplug, At: last}}})
	if err := b.attempt(short, false, restore.RunOptions{}); !errors.Is(err, usbproto.ErrGone) {
		t.Fatalf("got %v", err)
	}
	b.phone = newPhone(t, simphone.Options{Dir: b.phone.Dir()})
	if err := b.attempt(restore.Request{}, true, restore.RunOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := b.unit(10100); !bytes.Equal(got, []byte{0}) {
		t.Errorf("unit 10100 is %X", got)
	}
	if boot := b.phone.PowerOn(); boot.Mode != simphone.ModeAndroid {
		t.Errorf("%+v", boot)
	}
}

// identity asks the phone who it is.
func identity(t *testing.T, b *bench) string {
	t.Helper()
	ctx := context.Background()
	s, err := s1.Open(ctx, b.phone.Conn(), b.opt)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	facts, err := restore.ReadFacts(ctx, s)
	if err != nil {
		t.Fatal(err)
	}
	return facts.Identity
}

// TestStopAtSafePoint asks for a stop during each file. The run must end in time, leave
// 10100 set and a journal, and not stop between two files of the boot set.
func TestStopAtSafePoint(t *testing.T) {
	t.Parallel()
	fw, err := small()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"sbl1", "kernel", "system", "elabel"} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, simphone.Options{})
			stop := make(chan struct{})
			asked := false
			err := b.attempt(restore.Request{}, false, restore.RunOptions{Stop: stop, Emit: func(e restore.Event) {
				if s, ok := e.(restore.Sending); ok && s.Step.Name == name && !asked {
					asked = true
					close(stop)
				}
			}})
			var stopped *restore.Stopped
			if !errors.As(err, &stopped) {
				t.Fatalf("got %v", err)
			}
			if stopped.Step.Fragile {
				t.Errorf("stopped inside the boot set, before %s", stopped.Step.Title())
			}
			if got := b.unit(10100); !bytes.Equal(got, []byte{1}) {
				t.Errorf("unit 10100 is %X after a stop", got)
			}
			// The phone was left in flash mode with the loader running: no replugging.
			if err := b.attempt(restore.Request{}, true, restore.RunOptions{}); err != nil {
				t.Fatal(err)
			}
			b.restored(fw, written...)
			if got := b.unit(10100); !bytes.Equal(got, []byte{0}) {
				t.Errorf("unit 10100 is %X at the end", got)
			}
		})
	}
}

// TestRefusalBeforeAnythingIsWritten: a phone that lost its hardware configuration, or
// does not grant the signer, says so before the flash state is set.
func TestRefusalBeforeAnythingIsWritten(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	for _, hwconf := range []string{simphone.HWConfMissing, simphone.HWConfNoLiveBit, simphone.HWConfNoUsage} {
		t.Run(hwconf, func(t *testing.T) {
			b := newBench(t, simphone.Options{HWConf: hwconf})
			err := b.attempt(restore.Request{}, false, restore.RunOptions{})
			var step *restore.StepError
			var refusal *s1.Refusal
			if !errors.As(err, &step) || !errors.As(err, &refusal) {
				t.Fatalf("got %v", err)
			}
			if !strings.Contains(refusal.Raw, `ERR_DYNAMIC="80080021"`) {
				t.Errorf("the phone says %q", refusal.Raw)
			}
			if step.Written {
				t.Error("it says that something may have been written")
			}
			if got := b.unit(10100); !bytes.Equal(got, []byte{0}) {
				t.Errorf("unit 10100 is %X although nothing was flashed", got)
			}
		})
	}
}
