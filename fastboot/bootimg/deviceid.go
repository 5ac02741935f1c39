package bootimg

import (
	"cmp"
	"fmt"
	"slices"
)

// ID is one combination of chip and board that a device tree is for
// (FORMAT.md §2.1, §2.2).
type ID struct {
	Platform uint32    // chip: 194 is MSM8974AC
	Variant  uint32    // board: low byte the hardware platform, 8 is Qualcomm's MTP and Sony's phones
	Subtype  uint32    // of the board; not in version 1 tables and one-piece trees
	Rev      uint32    // of the chip, 0x10000 is v1.0
	PMIC     [4]uint32 // only in version 3 tables and trees with pmic ids
}

// Compare orders ids as dtbTool does, and as loaders rely on.
func (a ID) Compare(b ID) int {
	return cmp.Or(cmp.Compare(a.Platform, b.Platform), cmp.Compare(a.Variant, b.Variant), cmp.Compare(a.Subtype, b.Subtype),
		cmp.Compare(a.Rev, b.Rev), slices.Compare(a.PMIC[:], b.PMIC[:]))
}

// String returns the numbers in the spelling of device tree sources.
func (a ID) String() string {
	text := fmt.Sprintf("platform %d, board %#x subtype %d, revision %#x", a.Platform, a.Variant, a.Subtype, a.Rev)
	if a.PMIC != [4]uint32{} {
		text += fmt.Sprintf(", pmic %#x", a.PMIC)
	}
	return text
}

// Form is the way in which a tree states its ids. It decides which loaders
// take it when it is appended to a kernel (FORMAT.md §2.3).
type Form int

// Forms of ids.
const (
	FormNone     Form = iota // no qcom,msm-id: a mainline tree
	FormOnePiece             // triples in qcom,msm-id, no qcom,board-id
	FormSplit                // pairs in qcom,msm-id and in qcom,board-id
	FormPMIC                 // split, and qcom,pmic-id
)

// String names the form.
func (f Form) String() string {
	return [...]string{"without ids", "one-piece ids", "split ids", "split ids with pmic"}[f]
}

// DeviceTree is what the root of a device tree says about the device.
type DeviceTree struct {
	Model      string
	Compatible []string
	Form       Form
	MSMID      []uint32 // qcom,msm-id as it is
	BoardID    []uint32 // qcom,board-id
	PMICID     []uint32 // qcom,pmic-id
	IDs        []ID     // all combinations, in the order of the properties
}

// maxIDs is how many combinations a tree may have; real ones have a dozen.
const maxIDs = 4096

// Device reads what the root says about the device. With an error the fields
// that could be read are filled.
func (f *FDT) Device() (DeviceTree, error) {
	var d DeviceTree
	root, err := f.Root()
	if err != nil {
		return d, err
	}
	board, pmic := false, false
	for _, p := range root {
		switch p.Name {
		case "model":
			d.Model = cString(p.Value)
		case "compatible":
			d.Compatible = p.Strings()
		case "qcom,msm-id":
			d.MSMID, d.Form = p.Words(), FormOnePiece
		case "qcom,board-id":
			d.BoardID, board = p.Words(), true
		case "qcom,pmic-id":
			d.PMICID, pmic = p.Words(), true
		}
	}
	switch {
	case d.Form == FormNone:
		return d, nil
	case board && pmic:
		d.Form = FormPMIC
	case board:
		d.Form = FormSplit
	}
	return d, d.combine()
}

// combine makes the cross product of chips, boards and pmics.
func (d *DeviceTree) combine() error {
	bad := func(reason error, format string, args ...any) error {
		return fail("device tree ids", reason, 0, format, args...)
	}
	if d.Form == FormOnePiece {
		if len(d.MSMID) == 0 || len(d.MSMID)%3 != 0 {
			return bad(ErrMalformed, "qcom,msm-id has %d words, not triples", len(d.MSMID))
		}
		if len(d.MSMID)/3 > maxIDs {
			return bad(ErrTooLarge, "%d words in qcom,msm-id", len(d.MSMID))
		}
		for w := range slices.Chunk(d.MSMID, 3) {
			d.IDs = append(d.IDs, ID{Platform: w[0], Variant: w[1], Rev: w[2]})
		}
		return nil
	}
	pmics := []uint32{0, 0, 0, 0}
	if d.Form == FormPMIC {
		pmics = d.PMICID
	}
	chips, boards, sets := len(d.MSMID), len(d.BoardID), len(pmics)
	if chips == 0 || boards == 0 || sets == 0 || chips%2 != 0 || boards%2 != 0 || sets%4 != 0 {
		return bad(ErrMalformed, "qcom,msm-id, qcom,board-id and qcom,pmic-id have %d, %d and %d words, not pairs, pairs and sets of four", chips, boards, len(d.PMICID))
	}
	if (chips/2)*(boards/2) > maxIDs || (chips/2)*(boards/2)*(sets/4) > maxIDs {
		return bad(ErrTooLarge, "%d chips, %d boards and %d sets of pmics", chips/2, boards/2, sets/4)
	}
	for chip := range slices.Chunk(d.MSMID, 2) {
		for board := range slices.Chunk(d.BoardID, 2) {
			for set := range slices.Chunk(pmics, 4) {
				d.IDs = append(d.IDs, ID{Platform: chip[0], Rev: chip[1], Variant: board[0], Subtype: board[1], PMIC: [4]uint32(set)})
			}
		}
	}
	return nil
}
