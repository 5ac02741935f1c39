package bootcheck

import (
	"bytes"
	"encoding/binary"

	"xflash/fastboot/bootimg"
)

// RepairOnePiece is the second way of repair, for loaders that look after the kernel and
// nowhere else: the first device tree for the phone gets its ids in one piece, in its
// place, as Sony's own kernels have them since 2016 (fastboot/bootimg/FORMAT.md §2.6, §4.6
// step 5). No byte moves: what is left over of the old ids becomes words that readers skip. Every
// loader that reads appended trees at all takes such a tree.
func RepairOnePiece(d *Diagnosis, t Target) (*Repaired, error) {
	if d.image == nil || d.image.Version != 0 || d.kernel == nil || d.Has("C2") {
		return nil, &NotRepairable{Reason: "this repair works only for a complete Android image with header version 0"}
	}
	board := t.board()
	platform, variant, _, rev := hardware(board)
	for _, tree := range d.kernel.Trees {
		dev, ok := deviceOf(tree.Data)
		if !ok || dev.Form != bootimg.FormSplit || appendedRev(dev, LK2014, board) < 0 {
			continue
		}
		m := *d.image
		m.Kernel = bytes.Clone(m.Kernel)
		own := rev
		for _, id := range dev.IDs {
			if id.Platform == platform && id.Variant == variant && id.Rev <= rev {
				own = id.Rev
				break
			}
		}
		if !onePiece(m.Kernel[tree.Offset:tree.Offset+len(tree.Data)], platform, variant, own) {
			return nil, &NotRepairable{Reason: "the ids of the device tree leave no room to join them"}
		}
		m.Trailing = nil
		return repaired(&m, t, "joined the ids of the device tree after the kernel, in place; the rest of the kernel is unchanged")
	}
	return nil, &NotRepairable{Reason: "there is no device tree with split ids for this phone after the kernel"}
}

// Words of the structure of a flattened tree.
const (
	fdtBeginNode = 1
	fdtProperty  = 3
	fdtNop       = 4
)

// onePiece rewrites the ids of the root of a tree in place; false when there is no room.
// The tree has been read before, so its structure is sound.
func onePiece(tree []byte, platform, variant, rev uint32) bool {
	be := binary.BigEndian
	at, texts := int(be.Uint32(tree[8:])), int(be.Uint32(tree[12:]))
	first := true
	done := false
	for at+12 <= len(tree) {
		switch be.Uint32(tree[at:]) {
		case fdtNop:
			at += 4
		case fdtBeginNode:
			if !first {
				return done // the first node below the root
			}
			first = false
			name := bytes.IndexByte(tree[at+4:], 0)
			if name < 0 {
				return false
			}
			at += 4 + (name+4)&^3
		case fdtProperty:
			length, nameAt := int(be.Uint32(tree[at+4:])), texts+int(be.Uint32(tree[at+8:]))
			end := at + 12 + (length+3)&^3
			if length < 0 || end > len(tree) || nameAt >= len(tree) {
				return false
			}
			name, _, _ := bytes.Cut(tree[nameAt:], []byte{0})
			switch string(name) {
			case "qcom,msm-id":
				if length < 12 {
					return false
				}
				be.PutUint32(tree[at+4:], 12)
				for i, w := range []uint32{platform, variant, rev} {
					be.PutUint32(tree[at+12+4*i:], w)
				}
				nops(tree[at+24 : end])
				done = true
			case "qcom,board-id":
				nops(tree[at:end])
			}
			at = end
		default:
			return done
		}
	}
	return done
}

func nops(b []byte) {
	for ; len(b) >= 4; b = b[4:] {
		binary.BigEndian.PutUint32(b, fdtNop)
	}
}
