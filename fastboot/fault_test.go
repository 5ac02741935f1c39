package fastboot

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"xflash/usbproto"
)

// The faults of docs/contributing.md §5 and where each is tested for fastboot:
//
//	11  four verdicts                 usbproto TestFind, TestVerdictTexts; in the VM TestNothingThere,
//	                                  TestOtherMode, TestNoAccess, TestBusy
//	12  rights come late              usbproto TestBedLateAccess
//	13  two phones                    usbproto TestFind, TestVerdictTexts
//	14  late answer                   TestLateAnswers
//	15  first command unknown         TestFirstCommandUnknown
//	16  forms of answers              TestAnswerForms
//	17  sizes and order of a download TestDownloadAnswers
//	18  S1 only                       usbproto/s1 TestDamageAtEveryPacket, TestBrokenReplies
//	19  unplug at every transfer      TestFault19Unplug; whole restore: internal/restore TestFaultAtEveryPacket
//	20  stall at every transfer       TestFault20Stall
//	21  short write at every transfer TestFault21ShortWrite
//	22  no memory on submit           usbproto TestSendWithoutMemory
//	23  silence                       TestFault23Silence
//	24  gone after the reboot         TestLeaving
//	25  another id after a change     cmd/xflash TestWatchBoot; in the VM TestWaitAcrossModes, TestFastboot
//	26  no goroutine left             TestMain of this package
//	27  closed during a read          usbproto TestOpenCloseCancelCycles
//	29  the same as AOSP's client     TestSameCommandsAsAOSP

// faulty fails at one transfer, and at all that follow it.
type faulty struct {
	*loader
	left  int // transfers before it
	err   error
	short bool // a write takes half of its bytes
	after int  // writes that were tried after the fault
}

func (f *faulty) now() bool { f.left--; return f.left < 0 }

func (f *faulty) Read(ctx context.Context, p []byte) (int, error) {
	// A look for left-over answers, which lasts until nothing comes, is not a transfer here.
	if limit, ok := ctx.Deadline(); ok && time.Until(limit) <= staleTime && f.left >= 0 {
		return f.loader.Read(ctx, p)
	}
	if !f.short && f.now() {
		return 0, &usbproto.TransferError{Op: "read", Device: "test", Err: f.err}
	}
	return f.loader.Read(ctx, p)
}

func (f *faulty) Write(ctx context.Context, p []byte) (int, error) {
	if f.now() {
		f.after++
		n := 0
		if f.short {
			n = len(p) / 2
		}
		return n, &usbproto.TransferError{Op: "write", Device: "test", N: n, Err: f.err}
	}
	return f.loader.Write(ctx, p)
}

// job is a session with every kind of transfer: questions, an image in four pieces, an
// erasure and the end.
func job(t *testing.T, conn usbproto.Conn) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	c, err := Open(ctx, conn, Options{})
	if err != nil {
		return err
	}
	image := bytes.Repeat([]byte{1, 2, 3, 4, 5, 6, 7}, 400_000) // the limit of the loader is 1 MiB
	if err := c.Flash(ctx, "system", bytes.NewReader(image), int64(len(image)), 0); err != nil {
		return err
	}
	if err := c.Erase(ctx, "cache"); err != nil {
		return err
	}
	return c.Continue(ctx)
}

// atEveryTransfer runs the job with the fault at every transfer, until it no longer strikes.
func atEveryTransfer(t *testing.T, fault error, short bool) {
	for at, struck := 0, true; struck; at++ {
		synctest.Test(t, func(t *testing.T) { struck = atTransfer(t, at, fault, short) })
	}
}

// atTransfer runs the job with the fault at one transfer, and tells whether it struck.
func atTransfer(t *testing.T, at int, fault error, short bool) bool {
	conn := &faulty{loader: &loader{t: t, answer: usual}, left: at, err: fault, short: short}
	begun := time.Now()
	err := job(t, conn)
	if conn.left >= 0 {
		if err != nil || at < 10 {
			t.Fatalf("%d transfers without a fault: %v", at, err)
		}
		return false
	}
	// A phone that leaves after it was told to continue has done it.
	if last := conn.heard[max(len(conn.heard)-1, 0):]; err == nil && len(last) == 1 && last[0] == "continue" && fault == usbproto.ErrGone {
		return true
	}
	if !errors.Is(err, fault) {
		t.Fatalf("transfer %d: %v, want %v", at, err, fault)
	}
	if took := time.Since(begun); took > 2*time.Second {
		t.Errorf("transfer %d: it took %v", at, took)
	}
	if conn.after > 1 {
		t.Errorf("transfer %d: %d writes were tried after the fault", at, conn.after)
	}
	return true
}

func TestFault19Unplug(t *testing.T) { atEveryTransfer(t, usbproto.ErrGone, false) }

func TestFault20Stall(t *testing.T) { atEveryTransfer(t, usbproto.ErrStalled, false) }

func TestFault21ShortWrite(t *testing.T) {
	atEveryTransfer(t, errors.New("the phone took only a part"), true)
}

// A phone that works for long is reported; one that never answers is given up at the
// deadline, with the command.
func TestFault23Silence(t *testing.T) {
	stallTime = 10 * time.Millisecond
	defer func() { stallTime = 30 * time.Second }()
	l := &loader{t: t, answer: func(command string) []string {
		if strings.HasPrefix(command, "erase:") {
			return []string{}
		}
		return usual(command)
	}}
	var told atomic.Int32
	c, err := Open(soon(t), l, Options{Stalled: func(command string) {
		if command == "erase:cache" {
			told.Add(1)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	err = c.Erase(ctx, "cache")
	var broken *TransferError
	if !errors.As(err, &broken) || broken.Command != "erase:cache" || !errors.Is(err, usbproto.ErrTimeout) {
		t.Errorf("%v", err)
	}
	if n := told.Load(); n < 2 {
		t.Errorf("the silence was reported %d times", n)
	}
}
