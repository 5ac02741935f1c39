package vmtest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"

	"xflash/internal/simphone"
	"xflash/internal/usbsim"
)

// restoreWords restore everything from one of the bundles.
func restoreWords(bundle string, more ...string) []string {
	words := []string{"restore", filepath.Join(fixtures, bundle, BundleFile), "--yes", "--root", filepath.Join(fixtures, RootFile)}
	return append(words, more...)
}

// spoil makes the phone one that does not start.
func (b *bench) spoil() {
	b.t.Helper()
	for _, label := range []string{"boot", "FOTAKernel", "system"} {
		p, err := b.phone.Partition(label)
		if err != nil {
			b.t.Fatal(err)
		}
		if _, err := p.WriteAt([]byte("nothing a phone can start from"), 0x400); err != nil {
			b.t.Fatal(err)
		}
	}
}

// wiped are the partitions that only a restore with --wipe writes.
var wiped = []string{"userdata", "apps_log"}

// restored checks the phone's disk, but for the partitions that are left out, and that the
// phone starts.
func (b *bench) restored(bundle string, leftOut []string) {
	b.t.Helper()
	text, err := os.ReadFile(filepath.Join(fixtures, bundle, ContentsFile))
	if err != nil {
		b.t.Fatal(err)
	}
	var contents map[string]Content
	if err := json.Unmarshal(text, &contents); err != nil {
		b.t.Fatal(err)
	}
	if len(contents) < 10 {
		b.t.Fatalf("the list has only %d partitions", len(contents))
	}
	for label, want := range contents {
		if slices.Contains(leftOut, label) {
			continue
		}
		p, err := b.phone.Partition(label)
		if err != nil {
			b.t.Fatal(err)
		}
		h := sha256.New()
		if _, err := io.Copy(h, io.NewSectionReader(p, 0, want.Bytes)); err != nil {
			b.t.Fatal(err)
		}
		if got := hex.EncodeToString(h.Sum(nil)); got != want.SHA256 {
			b.t.Errorf("%s: the first %d bytes have the sum %s, want %s", label, want.Bytes, got, want.SHA256)
		}
	}
	if boot := b.phone.PowerOn(); boot.Mode != simphone.ModeAndroid {
		b.t.Errorf("the phone does not start: %s (%s)", boot.Screen, boot.Reason)
	}
}

// A tally is what a phone's controller saw of the bulk transfers.
type tally struct {
	mu        sync.Mutex
	transfers []usbsim.Transfer
}

func (y *tally) watch() usbsim.Watch {
	return usbsim.Watch{After: func(t usbsim.Transfer) {
		y.mu.Lock()
		defer y.mu.Unlock()
		y.transfers = append(y.transfers, t)
	}}
}

// imageRequest is the least size of a request that carries image data, in bytes.
const imageRequest = 256 << 10

// large looks at the requests to the phone that carry image data: how many there are, the
// bytes in them, and the bytes in all.
func (y *tally) large() (requests int, bytes, all int64, deepest int) {
	y.mu.Lock()
	defer y.mu.Unlock()
	for _, t := range y.transfers {
		if t.In {
			continue
		}
		all += int64(t.Moved)
		if t.Size >= imageRequest {
			requests++
			bytes += int64(t.Moved)
			deepest = max(deepest, t.InFlight)
		}
	}
	return requests, bytes, all, deepest
}

func TestRestore(t *testing.T) {
	for _, who := range []struct {
		name string
		who  *syscall.Credential
	}{{"root", nil}, {"user", user}} {
		t.Run(who.name, func(t *testing.T) {
			b := newBench(t, simphone.Options{})
			b.spoil()
			var y tally
			b.plug(y.watch())
			if who.who != nil {
				b.allow(who.who)
			}
			o := b.xflash(who.who, restoreWords(Demo, "--wipe")...).want(t, 0)
			contains(t, o.stdout, "Done")
			b.gone()
			b.restored(Demo, nil)
			requests, bytes, all, deepest := y.large()
			t.Logf("%v; %d transfers, %d bytes to the phone, of them %d in %d requests of 256 KiB and more, up to %d at once",
				o.took, len(y.transfers), all, bytes, requests, deepest)
			if bytes < all*9/10 {
				t.Errorf("of %d bytes only %d are in requests of 256 KiB and more", all, bytes)
			}
		})
	}
}

// allow does what the udev rule does where a seat has the person: gives the node to him.
func (b *bench) allow(who *syscall.Credential) {
	b.t.Helper()
	if err := os.Chown(b.node(), 0, int(who.Gid)); err != nil {
		b.t.Fatal(err)
	}
	if err := os.Chmod(b.node(), 0o660); err != nil {
		b.t.Fatal(err)
	}
}
