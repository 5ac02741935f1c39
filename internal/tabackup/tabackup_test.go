package tabackup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"xflash/ftf"
	"xflash/internal/simphone"
	"xflash/internal/simphone/mkimage"
	"xflash/internal/simphone/testfirmware"
	"xflash/internal/trimarea"
	"xflash/sin"
	"xflash/usbproto/s1"
)

const disk = 4 << 30

// bench is a loader and the root that signed it.
type bench struct {
	phone  string // simphone name
	root   string
	header []byte
	data   []byte
	dir    string // state of the phone
}

func newBench(t *testing.T, phone string) *bench {
	t.Helper()
	ctx, dir := context.Background(), t.TempDir()
	authority, err := mkimage.NewTestAuthority("S1_Root_cafe")
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{phone: phone, root: filepath.Join(dir, "root.pem"), dir: filepath.Join(dir, "phone")}
	if err := os.WriteFile(b.root, authority.RootPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	fw, err := testfirmware.Make(ctx, dir, testfirmware.Options{Phone: phone, Authority: authority, SystemSize: 10 << 20, KernelSize: 1 << 20, Disk: disk})
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := ftf.Open(fw.Bundle)
	if err != nil {
		t.Fatal(err)
	}
	defer bundle.Close()
	for _, m := range bundle.Members {
		if m.Short == "loader" && !m.Boot {
			r, err := m.Open()
			if err != nil {
				t.Fatal(err)
			}
			h, err := sin.ReadHeader(r, m.Size)
			if err != nil {
				t.Fatal(err)
			}
			var data bytes.Buffer
			if _, err := data.ReadFrom(h.NewReader(r)); err != nil {
				t.Fatal(err)
			}
			b.header, b.data = h.Raw, data.Bytes()
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	return b
}

// take makes a backup of the phone with faults, and closes it again. truth is what the
// phone itself has: number of partition and unit to content.
func (b *bench) take(t *testing.T, faults ...simphone.Fault) (backup *Backup, truth map[[2]uint32][]byte, err error) {
	t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	phone, err := simphone.Open(simphone.Options{Name: b.phone, Dir: b.dir, Disk: disk, RootFiles: []string{b.root}, Faults: faults})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := phone.Close(); err != nil {
			t.Error(err)
		}
	}()
	for n, data := range map[uint32][]byte{3000: bytes.Repeat([]byte{7}, 9000), 4901: []byte("board"), 66667: []byte("key")} {
		if err := phone.SetUnit(2, n, data); err != nil {
			t.Fatal(err)
		}
	}
	if err := phone.SetUnit(1, 1877, bytes.Repeat([]byte("cal"), 2000)); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(phone.TrimArea())
	if err != nil {
		t.Fatal(err)
	}
	survey, err := trimarea.Examine(raw)
	if err != nil {
		t.Fatal(err)
	}
	truth = map[[2]uint32][]byte{}
	for _, p := range []int{1, 2} {
		for _, u := range survey.Live(p) {
			truth[[2]uint32{uint32(p), u.Number}] = u.Data
		}
	}
	defer func() {
		after, e := os.ReadFile(phone.TrimArea())
		if e != nil || !bytes.Equal(after, raw) {
			t.Errorf("the backup changed the phone (%v)", e)
		}
	}()
	s, err := s1.Open(ctx, phone.Conn(), s1.Options{Small: time.Second, Details: 100 * time.Millisecond})
	if err != nil {
		return nil, truth, err
	}
	if err := s.SendLoader(ctx, s1.Image{Name: "loader", Header: b.header, Data: bytes.NewReader(b.data), Size: int64(len(b.data))}, nil); err != nil {
		return nil, truth, err
	}
	backup, err = Take(ctx, s, nil)
	return backup, truth, err
}

// TestEveryPhone: each simulated phone gives all of its units but the hidden ones, byte for
// byte.
func TestEveryPhone(t *testing.T) {
	names := simphone.LoaderNames()
	if testing.Short() {
		names = names[:3]
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) { everyUnit(t, newBench(t, name)) })
	}
}

func everyUnit(t *testing.T, b *bench) {
	backup, truth, err := b.take(t)
	if err != nil {
		t.Fatal(err)
	}
	got := 0
	for _, p := range backup.Partitions {
		for _, u := range p.Units {
			got++
			if want, ok := truth[[2]uint32{uint32(p.Number), u.Number}]; !ok || !bytes.Equal(want, u.Data) {
				t.Errorf("partition %d, unit %d differs", p.Number, u.Number)
			}
			if p.Number == 2 && u.Number >= 0x10000 {
				t.Errorf("unit %d was read", u.Number)
			}
		}
	}
	if want := len(truth) - 1; got != want || backup.Partial() { // 66667 stays hidden
		t.Errorf("%d units of %d, partial %v", got, want, backup.Partial())
	}
	dir := filepath.Join(t.TempDir(), "new")
	if err := backup.Write(dir, "xflash test", "loader.sin", time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}
	for _, p := range backup.Partitions { // the text gives the same units
		f, err := os.Open(filepath.Join(dir, fmt.Sprintf("%d.ta", p.Number)))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		text, err := ftf.ParseTA(f)
		if err != nil || text.Partition != p.Number || len(text.Units) != len(p.Units) {
			t.Fatalf("partition %d: %v", p.Number, err)
		}
		for _, u := range p.Units {
			if !slices.ContainsFunc(text.Units, func(have ftf.TAUnit) bool { return have.Unit == u.Number && bytes.Equal(have.Data, u.Data) }) {
				t.Errorf("the text has another unit %d", u.Number)
			}
		}
	}
	if err := backup.Write(dir, "", "", time.Now()); !errors.Is(err, fs.ErrExist) {
		t.Errorf("written over an existing folder: %v", err)
	}
	if err := os.Mkdir(dir+"-empty", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := backup.Write(dir+"-empty", "", "", time.Now()); !errors.Is(err, fs.ErrExist) {
		t.Errorf("written over an empty folder: %v", err)
	}
	rest, err := filepath.Glob(filepath.Join(filepath.Dir(dir), ".*"))
	if err != nil || len(rest) != 0 {
		t.Errorf("left behind: %v %v", rest, err)
	}
}

// TestWhateverIsRefused: a refusal at any packet gives an error, or a backup that says it
// is partial, or one that is complete; never one that lacks something and does not say so.
func TestWhateverIsRefused(t *testing.T) {
	b := newBench(t, simphone.DefaultName)
	partial, complete, failed := 0, 0, 0
	for at := 1; at <= 24; at++ {
		for _, severity := range []string{"0076/80110002", "MAJOR/0017/80110002"} {
			fault, err := simphone.ParseFault(fmt.Sprintf("refuse=%s@%d", severity, at))
			if err != nil {
				t.Fatal(err)
			}
			backup, truth, err := b.take(t, fault)
			var refused *s1.Refusal
			switch {
			case err != nil:
				failed++
				if !errors.As(err, &refused) {
					t.Errorf("packet %d, %s: %v", at, severity, err)
				}
				continue
			case backup.Partial():
				partial++
			default:
				complete++
			}
			units := 0
			for _, p := range backup.Partitions {
				units += len(p.Units)
				for _, u := range p.Units {
					if !bytes.Equal(truth[[2]uint32{uint32(p.Number), u.Number}], u.Data) {
						t.Errorf("packet %d, %s: unit %d differs", at, severity, u.Number)
					}
				}
			}
			if units < len(truth)-1 && !backup.Partial() {
				t.Errorf("packet %d, %s: %d units of %d, called complete", at, severity, units, len(truth)-1)
			}
		}
	}
	if partial == 0 || failed == 0 {
		t.Errorf("%d partial, %d complete, %d failed: not every way was tried", partial, complete, failed)
	}
}

// TestUnplugged: a cable that is pulled at any packet gives an error and no backup.
func TestUnplugged(t *testing.T) {
	b := newBench(t, simphone.DefaultName)
	finished := false
	for at := 1; !finished && at <= 100; at++ {
		fault, err := simphone.ParseFault(fmt.Sprintf("unplug@%d", at))
		if err != nil {
			t.Fatal(err)
		}
		backup, truth, err := b.take(t, fault)
		if err == nil {
			finished = true // the backup was complete before
			if backup.Partial() || len(backup.Partitions[0].Units)+len(backup.Partitions[1].Units) != len(truth)-1 {
				t.Errorf("unplugged at packet %d: a backup that lacks something", at)
			}
		} else if backup != nil {
			t.Errorf("unplugged at packet %d: a backup and %v", at, err)
		}
	}
	if !finished {
		t.Error("no backup in 100 packets")
	}
}

func TestAskedFor(t *testing.T) {
	for _, p := range []int{1, 2} {
		numbers := askedFor(p)
		if len(numbers) > 6000 {
			t.Errorf("%d reads", len(numbers))
		}
		have := map[uint32]bool{}
		for _, n := range numbers {
			if n >= s1.ProtectedFrom || have[n] {
				t.Errorf("unit %d", n)
			}
			have[n] = true
		}
		if !have[2003] || !have[4900] || p == 1 && !have[6828] || p == 2 && !have[10100] {
			t.Errorf("partition %d lacks a unit known by name", p)
		}
	}
}

func TestTextSaysWhatIsMissing(t *testing.T) {
	p := Partition{Number: 2, Units: []s1.Unit{{Number: 9, Data: make([]byte, 0x10001)}, {Number: 3}}, Partial: "no"}
	data, err := p.text(About{By: "xflash"})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"PARTIAL", "00010000 on", "\n02\n00000003 0000\n00000009 00010001 00"} {
		if !strings.Contains(string(data), want) {
			t.Errorf("no %q in %.300s", want, data)
		}
	}
	units, err := ftf.ParseTA(bytes.NewReader(data))
	if err != nil || len(units.Units) != 2 || len(units.Units[1].Data) != 0x10001 {
		t.Errorf("%v", err)
	}
}
