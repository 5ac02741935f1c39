package bootcheck

import (
	"encoding/binary"

	"xflash/fastboot/bootimg"
	"xflash/internal/phone"
)

// The answers of loaders (fastboot/PROTOCOL.md §3.2).
const (
	answerTooLarge   = "data too large"
	answerHeader     = "invalid bootimage header"
	answerIncomplete = "incomplete bootimage"
	answerCut2015    = "bootimage: incomplete or not signed"
	answerNoTree     = "dtb not found"
	answerLocked2015 = "unlock device to use this command"
	answerNotAllowed = "Command not allowed"
)

// simulate does what a loader of a generation does on `boot`, step by step (§3.1), and
// gives its answer, empty for OKAY. The loader does not look for the ANDROID! magic, so
// neither does this.
func simulate(data []byte, g Generation, t Target) string {
	if t.MaxDownload > 0 && int64(len(data)) > t.MaxDownload {
		return answerTooLarge
	}
	if t.Locked {
		if g == LK2015 {
			return answerLocked2015
		}
		return answerNotAllowed
	}
	const headerSize = 1632 // of the header that a loader of that time knows
	if len(data) < 4 {
		return answerHeader
	}
	header := make([]byte, headerSize)
	copy(header, data)
	word := func(at int) uint64 { return uint64(binary.LittleEndian.Uint32(header[at:])) }
	page := word(36)
	rounded := func(n uint64) uint64 { // ROUND_TO_PAGE with page-1 as mask, in 32 bits
		return uint64((uint32(n) + uint32(page) - 1) &^ (uint32(page) - 1))
	}
	kernelSize, kernel, ramdisk, second := word(8), rounded(word(8)), rounded(word(16)), rounded(word(24))
	if page+kernel+ramdisk > uint64(len(data)) {
		if g == LK2015 {
			return answerCut2015
		}
		return answerIncomplete
	}
	if at := page + kernel + ramdisk + second; word(40) > 0 && at < uint64(len(data)) {
		table := data[at:]
		if size := word(40); size < uint64(len(table)) {
			table = table[:size]
		}
		if _, _, ok := matchTable(table, g, t.board()); ok {
			return ""
		}
	}
	if page+kernelSize <= uint64(len(data)) {
		if _, ok := matchAppended(data[page:page+kernelSize], g, t.board()); ok {
			return ""
		}
	}
	return answerNoTree
}

// hardware is the ids that a loader compares with: the first of the board's lists.
func hardware(b phone.Board) (platform, variant, subtype, rev uint32) {
	return b.MSM[0], b.BoardIDs[0][0], b.BoardIDs[0][1], uint32(b.SoCRev)
}

// matchTable finds the entry of a QCDT table that a loader accepts, and in which round.
func matchTable(data []byte, g Generation, b phone.Board) (bootimg.TableEntry, int, bool) {
	t, err := bootimg.ParseQCDT(data)
	if err != nil || t.Version == 3 && g != LK2015 {
		return bootimg.TableEntry{}, 0, false
	}
	platform, variant, subtype, rev := hardware(b)
	if g == LK2015 {
		best := -1
		for i, e := range t.Entries {
			if fits2015(e.ID, b) && (best < 0 || e.Rev >= t.Entries[best].Rev) {
				best = i
			}
		}
		if best < 0 {
			return bootimg.TableEntry{}, 0, false
		}
		return t.Entries[best], 1, true
	}
	// Three rounds, the first that yields anything wins (§2.3). The board's version is 0.0,
	// so the first two ask for the same.
	full := variant | subtype<<24
	for round := 1; round <= 3; round++ {
		older := -1
		for i, e := range t.Entries {
			candidate := e.Variant | e.Subtype<<24
			want := full
			if round == 3 {
				candidate, want = e.Variant, variant
			}
			if e.Platform != platform || candidate != want || e.Rev > rev {
				continue
			}
			if e.Rev == rev {
				return e, round, true
			}
			older = i
		}
		if older >= 0 {
			return t.Entries[older], round, true
		}
	}
	return bootimg.TableEntry{}, 0, false
}

// fits2015 is the filter of loaders of 2015 and later, for one id (§2.4).
func fits2015(id bootimg.ID, b phone.Board) bool {
	platform, variant, subtype, rev := hardware(b)
	own := id.Subtype&0xFF | id.Variant>>24 // the older spelling keeps it in the variant
	version := id.Variant & 0xFFFF00
	return id.Platform&0xFFFF == platform&0xFFFF && id.Variant&0xFF == variant&0xFF && own == subtype&0xFF &&
		id.Rev <= rev && (version == 0 || version == 0xFFFF00)
}

// matchAppended finds the device tree after a kernel that a loader takes.
func matchAppended(kernel []byte, g Generation, b phone.Board) (*bootimg.DeviceTree, bool) {
	if len(kernel) < 0x30 {
		return nil, false
	}
	_, _, _, rev := hardware(b)
	var best *bootimg.DeviceTree
	bestRev := int64(-2)
	at := uint64(binary.LittleEndian.Uint32(kernel[0x2C:]))
	for at < uint64(len(kernel)) {
		n := bootimg.FDTSize(kernel[at:])
		if n == 0 {
			break
		}
		tree, err := bootimg.ParseFDT(kernel[at : at+uint64(n)])
		at += uint64(n)
		if err != nil {
			continue
		}
		device, err := tree.Device()
		if err != nil {
			continue
		}
		fit := appendedRev(device, g, b)
		if fit == int64(rev) {
			return &device, true
		}
		if fit > bestRev {
			best, bestRev = &device, fit
		}
	}
	return best, best != nil
}

// appendedRev returns the revision with which a loader accepts a tree, -1 for a tree without
// ids that it takes as a last choice, -2 when it does not accept it (§2.3).
func appendedRev(d bootimg.DeviceTree, g Generation, b phone.Board) int64 {
	const refused, lastChoice = -2, -1
	platform, variant, subtype, rev := hardware(b)
	if d.Form == bootimg.FormNone {
		if g == LK2015 {
			return refused
		}
		return lastChoice
	}
	best := int64(refused)
	take := func(ok bool, r uint32) {
		if ok && r <= rev {
			best = max(best, int64(r))
		}
	}
	if g == LK2013 { // the first three words are read as a triple, whatever they are
		if len(d.MSMID) >= 3 {
			take(d.MSMID[0] == platform && d.MSMID[1] == variant, d.MSMID[2])
		}
		return best
	}
	for _, id := range d.IDs {
		switch {
		case g == LK2015:
			take(fits2015(id, b), id.Rev)
		case d.Form == bootimg.FormOnePiece:
			take(id.Platform == platform && id.Variant&0xFF == variant, id.Rev)
		default: // one strict round
			take(id.Platform == platform && id.Variant|id.Subtype<<24 == variant|subtype<<24, id.Rev)
		}
	}
	return best
}

// devices reads what the trees after the kernel say; trees that cannot be read are left out.
func devices(trees []bootimg.AppendedTree) []bootimg.DeviceTree {
	var out []bootimg.DeviceTree
	for _, t := range trees {
		if d, ok := deviceOf(t.Data); ok {
			out = append(out, d)
		}
	}
	return out
}

func deviceOf(dtb []byte) (bootimg.DeviceTree, bool) {
	tree, err := bootimg.ParseFDT(dtb)
	if err != nil {
		return bootimg.DeviceTree{}, false
	}
	d, err := tree.Device()
	return d, err == nil
}
