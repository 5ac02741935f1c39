package bootcheck

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"xflash/fastboot/bootimg"
	"xflash/internal/simphone/mkimage"
)

// The split ids become one piece without a byte moving, all loaders accept the image, and dtc
// reads the tree.
func TestRepairOnePiece(t *testing.T) {
	data := image(t, appending(ariesSplit()))
	d, err := Diagnose(data, z3c(t))
	if err != nil {
		t.Fatal(err)
	}
	r, err := RepairOnePiece(d, z3c(t))
	if err != nil {
		t.Fatal(err)
	}
	if r.Diagnosis.AcceptedBy() != "all" || !r.Diagnosis.Has("D2b") || len(r.Image) != len(data) {
		t.Errorf("accepted by %s, %v, %d bytes of %d", r.Diagnosis.AcceptedBy(), r.Diagnosis.Rules(), len(r.Image), len(data))
	}
	after, err := bootimg.Parse(r.Image)
	if err != nil {
		t.Fatal(err)
	}
	trees := bootimg.ParseKernel(after.Kernel).Trees
	if len(trees) != 1 {
		t.Fatalf("%d trees", len(trees))
	}
	dev, ok := deviceOf(trees[0].Data)
	if !ok || dev.Form != bootimg.FormOnePiece || len(dev.IDs) != 1 || dev.IDs[0].Platform != 194 || dev.IDs[0].Variant != 8 || dev.IDs[0].Rev != 0x10000 || dev.Model != "SoMC Aries ROW" {
		t.Errorf("%+v", dev)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.dtb"), trees[0].Data, 0o644); err != nil {
		t.Fatal(err)
	}
	source := tool(t, dir, "dtc", "-q", "-I", "dtb", "-O", "dts", "a.dtb")
	if !strings.Contains(source, "qcom,msm-id = <0xc2 0x08 0x10000>") || strings.Contains(source, "board-id") {
		t.Errorf("dtc reads\n%s", source)
	}
}

func TestOnePieceRefuses(t *testing.T) {
	short := mkimage.SplitDTB("SoMC Aries ROW", "somc,aries-row", []uint32{194, 0x10000}, []uint32{8, 0})
	for name, data := range map[string][]byte{
		"a table and no tree after the kernel": image(t, withQCDT),
		"one piece already":                    image(t, appending(ariesOnePiece())),
		"no room":                              image(t, appending(short)),
		"another phone":                        image(t, appending(mkimage.SplitDTB("SoMC Honami", "somc,honami", []uint32{126, 0x20002, 185, 0x20002}, []uint32{8, 0}))),
		"cut":                                  image(t, appending(ariesSplit()))[:4096],
		"a bare kernel":                        zimage(config34, ariesSplit()),
	} {
		d, err := Diagnose(data, z3c(t))
		if err != nil {
			t.Fatal(err)
		}
		var not *NotRepairable
		if _, err := RepairOnePiece(d, z3c(t)); !errors.As(err, &not) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
