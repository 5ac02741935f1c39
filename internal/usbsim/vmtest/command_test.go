package vmtest

import (
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"xflash/internal/simphone"
	"xflash/internal/simphone/mkimage"
	"xflash/internal/simphone/xperifirm"
	"xflash/internal/usbsim"
)

// unplugAfter is how many bytes a phone of 2017 or later gets before the cable goes.
const unplugAfter = 1 << 20

// A phone of each generation is seen, asked and restored; the cable goes in the middle, and
// --resume completes what was started.
func TestCommandPhones(t *testing.T) {
	for _, spec := range []string{"xz1", "1,slot=b", "1iii"} {
		t.Run(spec, func(t *testing.T) {
			b, fw, words := newCommandBench(t, spec)
			var sent atomic.Int64
			b.plugAs(usbsim.Flash2017(), usbsim.Watch{Before: func(x usbsim.Transfer) usbsim.Fault {
				if !x.In && sent.Load() > unplugAfter {
					return usbsim.Unplug
				}
				return usbsim.Pass
			}, After: func(x usbsim.Transfer) {
				if !x.In {
					sent.Add(int64(x.Moved))
				}
			}})
			contains(t, b.xflash(nil, "devices").want(t, 0).stdout, "0fce:b00b")
			b.xflash(nil, "doctor").want(t, 0)
			b.xflash(nil, "wait", "flashmode").want(t, 0)
			contains(t, b.xflash(nil, "info").want(t, 0).stdout, fw.Facts.Product)

			broken := b.xflash(nil, words...).want(t, 9)
			contains(t, broken.stderr, "--resume")
			if strings.Contains(broken.stdout, "Done") {
				t.Errorf("it claims to be done:\n%s", broken.stdout)
			}
			b.unplug()
			b.phone.FlashMode()
			b.plugAs(usbsim.Flash2017(), usbsim.Watch{})
			again := b.xflash(nil, append(words, "--resume")...).want(t, 0)
			contains(t, again.stdout, "Done", "simulated")
			b.gone()
			if err := fw.Check(b.phone, "userdata", "metadata"); err != nil {
				t.Error(err)
			}
		})
	}
}

// newCommandBench makes a phone of 2017 or later, firmware for it, and the words that restore it.
func newCommandBench(t *testing.T, spec string) (*bench, *xperifirm.Firmware, []string) {
	t.Helper()
	needVM(t)
	o, err := simphone.ParseSpec(spec)
	if err != nil {
		t.Fatal(err)
	}
	authority, err := mkimage.NewTestAuthority("S1_Root_command")
	if err != nil {
		t.Fatal(err)
	}
	dir := folder(t)
	root := filepath.Join(dir, "root.pem")
	if err := os.WriteFile(root, authority.RootPEM(), 0o644); err != nil {
		t.Fatal(err)
	}
	fw, err := xperifirm.Make(dir, xperifirm.Options{Phone: o.Name, Storage: o.Storage, Authority: authority})
	if err != nil {
		t.Fatal(err)
	}
	o.RootFiles = []string{root}
	return newBench(t, o), fw, []string{"restore", fw.Folder, "--yes", "--root", root}
}
