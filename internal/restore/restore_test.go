package restore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"xflash/ftf"
	"xflash/internal/restore"
	"xflash/internal/simphone"
	"xflash/internal/simphone/mkimage"
	"xflash/internal/simphone/testfirmware"
	"xflash/sin"
	"xflash/usbproto"
	"xflash/usbproto/s1"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		for _, dir := range shared.dirs {
			if err := os.RemoveAll(dir); err != nil {
				fmt.Fprintln(os.Stderr, err)
				code = 1
			}
		}
		os.Exit(code)
	}))
}

// disk is a small eMMC, so that a test phone is made quickly.
const disk = 4 << 30

// authority signs the firmware of all tests; keys take a while to make.
var authority = sync.OnceValue(func() *mkimage.Authority {
	a, err := mkimage.NewTestAuthority("S1_Root_cafe")
	if err != nil {
		panic(err)
	}
	return a
})

// small is a bundle with everything in it, made once.
var small = sync.OnceValues(func() (*testfirmware.Firmware, error) {
	dir, err := os.MkdirTemp("", "xflash-restore-test-")
	if err != nil {
		return nil, err
	}
	shared.add(dir)
	return testfirmware.Make(context.Background(), dir, testfirmware.Options{Authority: authority(), SystemSize: 8 << 20, SystemFill: 1 << 20, KernelSize: 256 << 10, Disk: disk})
})

// factory is the state of a new phone. It is made once, because a phone's own keys take
// longer to make than a restore.
var factory = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "xflash-restore-phone-")
	if err != nil {
		return "", err
	}
	shared.add(dir)
	phone, err := simphone.Open(simphone.Options{Dir: dir, Disk: disk})
	if err != nil {
		return "", err
	}
	return dir, phone.Close()
})

// shared are folders that all tests use; TestMain removes them.
var shared sharedFolders

type sharedFolders struct {
	mu   sync.Mutex
	dirs []string
}

func (s *sharedFolders) add(dir string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dirs = append(s.dirs, dir)
}

// bench is a phone, a bundle and what is needed to restore one with the other.
type bench struct {
	t     *testing.T
	phone *simphone.Phone
	fw    *restore.Firmware
	store restore.Store
	opt   s1.Options
}

func rootFile(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "root.pem")
	if err := os.WriteFile(name, authority().RootPEM(), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// newPhone makes a phone that trusts the test root.
func newPhone(t *testing.T, options simphone.Options) *simphone.Phone {
	t.Helper()
	if options.Disk == 0 {
		options.Disk = disk
	}
	if options.Dir == "" {
		options.Dir = filepath.Join(t.TempDir(), "phone")
		if options.Disk == disk {
			first, err := factory()
			if err != nil {
				t.Fatal(err)
			}
			// cp keeps the holes of the disk image.
			if out, err := exec.Command("cp", "-a", first, options.Dir).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
		}
	}
	options.RootFiles = append(options.RootFiles, rootFile(t))
	phone, err := simphone.Open(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := phone.Close(); err != nil {
			t.Error(err)
		}
	})
	return phone
}

func check(t testing.TB, path string, p restore.Request) (*restore.Firmware, error) {
	t.Helper()
	b, err := ftf.Open(path)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { b.Close() })
	roots := &sin.RootSet{}
	if err := roots.Add(authority().Root); err != nil {
		t.Fatal(err)
	}
	return restore.Check(context.Background(), b, restore.CheckOptions{Request: p, Roots: roots})
}

func newBench(t *testing.T, options simphone.Options) *bench {
	t.Helper()
	fw, err := small()
	if err != nil {
		t.Fatal(err)
	}
	checked, err := check(t, fw.Bundle, restore.Request{})
	if err != nil {
		t.Fatal(err)
	}
	return &bench{t: t, phone: newPhone(t, options), fw: checked, store: restore.Store{Dir: quickDir(t)},
		opt: s1.Options{Hello: 300 * time.Millisecond}}
}

// attempt is one run of the program: open, read, plan or resume, flash.
func (b *bench) attempt(p restore.Request, resume bool, opt restore.RunOptions) error {
	return b.attemptIn(context.Background(), p, resume, opt)
}

func (b *bench) attemptIn(ctx context.Context, p restore.Request, resume bool, opt restore.RunOptions) (err error) {
	return b.attemptOver(ctx, b.phone.Conn(), p, resume, opt)
}

func (b *bench) attemptOver(ctx context.Context, conn usbproto.Conn, p restore.Request, resume bool, opt restore.RunOptions) (err error) {
	s, err := s1.Open(ctx, conn, b.opt)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	facts, err := restore.ReadFacts(ctx, s)
	if err != nil {
		return err
	}
	plan, journal, err := restore.PrepareRun(b.store, b.fw, facts, p, resume)
	if err != nil {
		return err
	}
	opt.Journal = journal
	return restore.Run(ctx, s, plan, opt)
}

// restored fails unless the phone holds what the bundle holds.
func (b *bench) restored(fw *testfirmware.Firmware, labels ...string) {
	b.t.Helper()
	for _, label := range labels {
		want, err := os.Open(fw.Images[label])
		if err != nil {
			b.t.Fatal(err)
		}
		part, err := b.phone.Partition(label)
		if err != nil {
			b.t.Fatal(err)
		}
		equal(b.t, label, want, io.NewSectionReader(part, 0, part.Size()))
		want.Close()
	}
}

// equal compares a file with the beginning of a partition.
func equal(t *testing.T, what string, want, got io.Reader) {
	t.Helper()
	a, b := make([]byte, 1<<20), make([]byte, 1<<20)
	for at := 0; ; {
		n, err := io.ReadFull(want, a)
		if n == 0 {
			return
		}
		if err != nil && err != io.ErrUnexpectedEOF {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(got, b[:n]); err != nil {
			t.Fatalf("%s at %d: %v", what, at, err)
		}
		if !bytes.Equal(a[:n], b[:n]) {
			t.Fatalf("%s differs in the piece at %d", what, at)
		}
		at += n
	}
}

// unit reads a unit as the phone has stored it.
func (b *bench) unit(n uint32) []byte {
	b.t.Helper()
	data, _, err := b.phone.Unit(2, n)
	if err != nil {
		b.t.Fatal(err)
	}
	return data
}

// written are the partitions that a restore without --wipe writes.
var written = []string{"boot", "FOTAKernel", "system", "cache", "LTALabel", "modemst1", "modemst2", "fsg",
	"dbi", "aboot", "rpm", "s1sbl", "sbl1", "tz"}

func TestRestoreWholeBundle(t *testing.T) {
	b := newBench(t, simphone.Options{})
	if err := b.attempt(restore.Request{}, false, restore.RunOptions{}); err != nil {
		t.Fatal(err)
	}
	fw, _ := small()
	b.restored(fw, written...)
	if got := b.unit(10100); !bytes.Equal(got, []byte{0}) {
		t.Errorf("unit 10100 is %X after a complete flash", got)
	}
	if boot := b.phone.PowerOn(); boot.Mode != simphone.ModeAndroid {
		t.Errorf("the phone does not start: %+v", boot)
	}
}
