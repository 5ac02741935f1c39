package restore_test

import (
	"context"
	"maps"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"xflash/internal/restore"
	"xflash/internal/simphone"
	"xflash/internal/simphone/testfirmware"
	"xflash/usbproto/s1"
)

// kept are partitions that no restore without --wipe writes, whatever a bundle has.
var kept = []string{"userdata", "apps_log", "diag", "ssd", "persist"}

// A bundle in the form of each family restores its phone: every image arrives, the whole
// new boot chain is in force, and what must stay stays.
func TestRestoreEveryPhone(t *testing.T) {
	t.Parallel()
	names := simphone.LoaderNames()
	if testing.Short() {
		names = []string{"z1", "z5c"} // z3c is in every other test here
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			fw, err := testfirmware.Make(context.Background(), t.TempDir(), testfirmware.Options{
				Phone: name, Authority: authority(), SystemSize: 8 << 20, SystemFill: 1 << 20, KernelSize: 256 << 10, Disk: disk})
			if err != nil {
				t.Fatal(err)
			}
			phone := newPhone(t, simphone.Options{Name: name, Disk: disk, Dir: filepath.Join(t.TempDir(), "phone")})
			before := map[string]string{}
			for _, label := range kept {
				if _, ok := fw.Images[label]; ok {
					before[label] = start(t, phone, label)
				}
			}
			checked, err := check(t, fw.Bundle, restore.Request{})
			if err != nil {
				t.Fatal(err)
			}
			b := &bench{t: t, phone: phone, fw: checked, store: restore.Store{Dir: quickDir(t)}, opt: s1.Options{Hello: 300 * time.Millisecond}}
			if err := b.attempt(restore.Request{}, false, restore.RunOptions{}); err != nil {
				t.Fatal(err)
			}
			for label := range maps.Keys(fw.Images) {
				if !slices.Contains(kept, label) {
					b.restored(fw, label)
				}
			}
			for label, old := range before {
				if start(t, phone, label) != old {
					t.Errorf("%s was written", label)
				}
			}
			if boot := phone.PowerOn(); boot.Mode != simphone.ModeAndroid {
				t.Errorf("the phone does not start: %+v", boot)
			}
		})
	}
}
