package simphone_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"xflash/internal/simphone"
	"xflash/internal/simphone/xperifirm"
	"xflash/usbproto"
)

// kinds are the phones that have different traces.
var kinds = []struct{ phone, storage, model, slot string }{
	{"xz1", "ufs", "", ""}, {"xz1", "ufs", "G8141", ""}, {"xz1", "emmc", "", ""},
	{"1", "ufs", "", "a"}, {"1", "ufs", "", "b"}, {"1", "emmc", "", "a"},
	{"1iii", "ufs", "", "a"}, {"1iii", "ufs", "", "b"}, {"1iii", "emmc", "", "b"},
}

// The worked trace restores every phone, from either slot: each partition, each table and
// unit is what the firmware has, nothing was refused, and it boots slot a.
func TestCommandWorkedTrace(t *testing.T) {
	for _, k := range kinds {
		t.Run(strings.Trim(fmt.Sprintf("%s-%s-%s%s", k.phone, k.storage, k.model, k.slot), "-"), func(t *testing.T) {
			t.Parallel()
			o := simphone.Options{Name: k.phone, Storage: k.storage, Model: k.model, Slot: k.slot}
			p := openPhone(t, o)
			fw := firmwareFor(t, xperifirm.Options{Phone: k.phone, Storage: k.storage, Model: k.model})
			h := hostOf(t, p)
			if k.slot != "" {
				h.want("OKAY"+k.slot, "getvar:current-slot")
			}
			start(h, fw).restore()
			for err := error(nil); !errors.Is(err, usbproto.ErrGone); { // it leaves when the answer was fetched
				_, err = h.conn.Read(context.Background(), make([]byte, 512))
			}
			if err := fw.Check(p); err != nil {
				t.Error(err)
			}
			for number, want := range fw.Units {
				if got, ok, err := p.Unit(2, number); err != nil || !ok || !bytes.Equal(got, want) {
					t.Errorf("unit %d: %x, %t, %v", number, got, ok, err)
				}
			}
			for unit, want := range fw.Tables {
				checkTable(t, p.LUN(unit), want, k.storage)
			}
			journal, err := p.Journal()
			if err != nil {
				t.Fatal(err)
			}
			for i, w := range journal {
				if open := i > 0; w.Refused != "" || (w.Flag == 1) != (open && w.Command != "Sync" && w.Command != "powerdown") {
					t.Errorf("journal line %d: %+v", i, w)
				}
			}
			boot := p.PowerOn()
			want := "boots"
			if k.slot != "" {
				want = "boots a"
			}
			if boot.Mode != simphone.ModeAndroid || boot.Reason != want {
				t.Errorf("it %v", boot)
			}
		})
	}
}

// checkTable compares the first copy of a table and has sgdisk look at both, on a loop
// device where blocks have 4096 bytes.
func checkTable(t *testing.T, file string, want []byte, storage string) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got := make([]byte, len(want))
	if _, err := f.ReadAt(got, 0); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s: another table, %v", file, err)
	}
	sgdisk, err := exec.LookPath("sgdisk")
	if err != nil {
		return
	}
	if storage == simphone.StorageUFS {
		loop, err := exec.Command("losetup", "--read-only", "--sector-size", "4096", "--find", "--show", file).Output()
		if err != nil {
			return // not root, or in a container
		}
		file = strings.TrimSpace(string(loop))
		defer func() {
			if err := exec.Command("losetup", "--detach", file).Run(); err != nil {
				t.Error(err)
			}
		}()
	}
	out, err := exec.Command(sgdisk, "--verify", file).CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("No problems found")) {
		t.Errorf("sgdisk: %v\n%s", err, out)
	}
}

// Over TCP too a command ends with its packet, and the phone leaves the bus when asked to.
func TestCommandServe(t *testing.T) {
	p := commandPhone(t, "1iii")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- p.Serve(context.Background(), l) }()
	conn, err := usbproto.DialBridge(context.Background(), l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	h := &rawHost{t, conn}
	defer conn.Close()
	h.want("OKAYXQ-BC72", "getvar:product")
	h.download(bytesOf(3, 100_000))
	h.want("OKAY", "Write-TA:2:2500")
	h.want("OKAY", "powerdown")
	if err := <-served; err != nil {
		t.Error(err)
	}
}
