package restore_test

import (
	"testing"

	"xflash/internal/restore"
	"xflash/internal/simphone/xperifirm"
)

// All generations, both storages, from either slot, with and without --wipe: each partition
// holds what the firmware says, and the phone starts.
func TestCommandRestore(t *testing.T) {
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
			})
		}
	}
}
