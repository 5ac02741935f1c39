package restore_test

import (
	"os/exec"
	"strings"
	"testing"

	"xflash/internal/restore"
	"xflash/internal/simphone/xperifirm"
)

// All generations, both storages, from either slot, with and without --wipe: each partition
// holds what the firmware says, and the phone starts.
func TestCommandRestore(t *testing.T) {
	t.Parallel()
	for i, spec := range []string{"xz1", "xz1,model=G8141", "xz1,storage=emmc", "1", "1,slot=b", "1,storage=emmc", "1iii", "1iii,slot=b", "1iii,storage=emmc"} {
		for _, wipe := range []bool{false, true} {
			name := spec
			if testing.Short() && wipe == (i%2 == 0) {
				continue
			}
			if wipe {
				name += ",wipe"
			}
			t.Run(name, func(t *testing.T) {
				k := newCommandKit(t, spec, xperifirm.Options{})
				k.on()
				plan, err := k.run(restore.Request{Wipe: wipe}, false, restore.RunOptions{})
				if err != nil {
					if plan != nil {
						t.Log(plan.Text())
					}
					t.Fatal(err)
				}
				k.whole(wipe)
				if strings.Contains(spec, "emmc") { // sgdisk assumes blocks of 512 bytes in a file, and UFS has 4096
					k.validTable(0)
				}
			})
		}
	}
}

// validTable lets sgdisk judge the partition table of a logical unit.
func (k *commandKit) validTable(lun int) {
	k.t.Helper()
	sgdisk, err := exec.LookPath("sgdisk")
	if err != nil {
		return
	}
	out, err := exec.Command(sgdisk, "-v", k.phone.LUN(lun)).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "No problems found") {
		k.t.Errorf("sgdisk: %v\n%s", err, out)
	}
}
