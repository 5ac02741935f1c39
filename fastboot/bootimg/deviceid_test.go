package bootimg_test

import (
	"slices"
	"testing"

	"xflash/fastboot/bootimg"
	"xflash/internal/simphone/mkimage"
)

func device(t *testing.T, dtb []byte) (bootimg.DeviceTree, error) {
	t.Helper()
	f, err := bootimg.ParseFDT(dtb)
	if err != nil {
		t.Fatal(err)
	}
	return f.Device()
}

func TestDeviceForms(t *testing.T) {
	pmic := mkimage.Node{Props: []bootimg.Property{mkimage.Words("qcom,msm-id", 206, 0), mkimage.Words("qcom,board-id", 8, 1),
		mkimage.Words("qcom,pmic-id", 1, 2, 3, 4, 5, 6, 7, 8)}}.Build()
	for name, c := range map[string]struct {
		dtb  []byte
		form bootimg.Form
		ids  []bootimg.ID
	}{
		"mainline": {mkimage.PlainDTB("m", "c"), bootimg.FormNone, nil},
		"one piece": {mkimage.OnePieceDTB("m", "c", 126, 8, 0x20002, 185, 8, 0x20002), bootimg.FormOnePiece,
			[]bootimg.ID{{Platform: 126, Variant: 8, Rev: 0x20002}, {Platform: 185, Variant: 8, Rev: 0x20002}}},
		"split": {mkimage.SplitDTB("m", "c", []uint32{194, 0x10000, 210, 0x10000}, []uint32{8, 0, 9, 1}), bootimg.FormSplit,
			[]bootimg.ID{{Platform: 194, Variant: 8, Rev: 0x10000}, {Platform: 194, Variant: 9, Subtype: 1, Rev: 0x10000},
				{Platform: 210, Variant: 8, Rev: 0x10000}, {Platform: 210, Variant: 9, Subtype: 1, Rev: 0x10000}}},
		"pmic": {pmic, bootimg.FormPMIC, []bootimg.ID{{Platform: 206, Variant: 8, Subtype: 1, PMIC: [4]uint32{1, 2, 3, 4}},
			{Platform: 206, Variant: 8, Subtype: 1, PMIC: [4]uint32{5, 6, 7, 8}}}},
	} {
		d, err := device(t, c.dtb)
		if err != nil || d.Form != c.form || !slices.Equal(d.IDs, c.ids) {
			t.Errorf("%s: %v, %v, %v", name, d.Form, d.IDs, err)
		}
	}
	d, err := device(t, mkimage.SplitDTB("SoMC Aries ROW", "somc,aries-row", mkimage.AriesChips, mkimage.AriesBoard))
	if err != nil || d.Model != "SoMC Aries ROW" || d.Compatible[0] != "somc,aries-row" || len(d.IDs) != 8 || len(d.MSMID) != 16 {
		t.Errorf("%+v, %v", d, err)
	}
}

func TestDeviceRefuses(t *testing.T) {
	many := make([]uint32, 2*65)
	for name, c := range map[string]struct {
		dtb    []byte
		reason error
		model  string
	}{
		"four words in one piece": {mkimage.OnePieceDTB("m", "c", 194, 8, 0x10000, 1), bootimg.ErrMalformed, "m"},
		"no words":                {mkimage.OnePieceDTB("m", "c"), bootimg.ErrMalformed, "m"},
		"odd chips":               {mkimage.SplitDTB("m", "c", []uint32{194, 0x10000, 1}, []uint32{8, 0}), bootimg.ErrMalformed, "m"},
		"odd boards":              {mkimage.SplitDTB("m", "c", []uint32{194, 0x10000}, []uint32{8}), bootimg.ErrMalformed, "m"},
		"too many":                {mkimage.SplitDTB("m", "c", many, many), bootimg.ErrTooLarge, "m"},
		"too many triples":        {mkimage.OnePieceDTB("m", "c", make([]uint32, 3*4097)...), bootimg.ErrTooLarge, "m"},
	} {
		d, err := device(t, c.dtb)
		wantError(t, name, err, c.reason, "")
		if d.Model != c.model {
			t.Errorf("%s: the model is %q", name, d.Model)
		}
	}
}
