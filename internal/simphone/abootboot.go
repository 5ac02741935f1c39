package simphone

import (
	"encoding/binary"
	"strings"
)

// boardIDs is what the simulated phone's loader compares with: chip, board, its subtype,
// revision of the chip (fastboot/bootimg/FORMAT.md §2.7; the subtype of a Z3 Compact is not
// known).
type boardIDs struct{ chip, board, subtype, rev uint32 }

var z3cBoard = boardIDs{194, 8, 0, 0x10000}

// boot does what LK does on `boot`, in its order (fastboot/PROTOCOL.md §3.1). The magic at the
// start is not looked at. Addresses of the header are not used: they are forced ones (§1.6),
// and with abootDownload no image reaches the loader's own memory from there.
func (a *Aboot) boot() {
	if a.locked {
		if a.generation == Aboot2015 {
			a.fail("unlock device to use this command")
		} else {
			a.fail("Command not allowed")
		}
		return
	}
	if len(a.data) < 4 {
		a.fail("invalid bootimage header")
		return
	}
	// The loader reads the header out of its buffer, whatever else was there.
	header := make([]byte, 2048)
	copy(header, a.data)
	field := func(at int) uint32 { return binary.LittleEndian.Uint32(header[at:]) }
	page := field(36)
	pages := func(n uint32) uint64 { return uint64((n + (page - 1)) &^ (page - 1)) }
	kernelPages, ramdiskPages, secondPages := pages(field(8)), pages(field(16)), pages(field(24))
	size := uint64(len(a.data))
	if uint64(page)+kernelPages+ramdiskPages > size {
		if a.generation == Aboot2015 {
			a.fail("bootimage: incomplete or not signed")
		} else {
			a.fail("incomplete bootimage")
		}
		return
	}
	var tree []byte
	found := false
	if tableSize := uint64(field(40)); tableSize > 0 {
		if at := uint64(page) + kernelPages + ramdiskPages + secondPages; at < size {
			tree, found = a.treeInTable(a.data[at:min(size, at+tableSize)])
		}
	}
	var kernel []byte
	if kernelEnd := uint64(page) + uint64(field(8)); kernelEnd <= size {
		kernel = a.data[page:kernelEnd]
	}
	if !found {
		tree, found = a.treeBehindKernel(kernel)
	}
	if !found {
		a.fail("dtb not found")
		return
	}
	ramdisk := a.data[min(size, uint64(page)+kernelPages):]
	a.Outcome = outcome(kernel, ramdisk[:min(uint64(len(ramdisk)), uint64(field(16)))], tree)
	a.note("starts the kernel: " + string(a.Outcome))
	a.leave("boot")
}

// treeInTable looks for an entry of a QCDT table (§2.1, §2.3, §2.4) and gives its tree, nil
// when it is not where the entry says: the loader does not look.
func (a *Aboot) treeInTable(table []byte) ([]byte, bool) {
	le := binary.LittleEndian
	if len(table) < 12 || string(table[:4]) != "QCDT" {
		return nil, false
	}
	width := map[uint32]int{1: 20, 2: 24, 3: 40}[le.Uint32(table[4:])]
	if width == 0 || width == 40 && a.generation != Aboot2015 {
		return nil, false
	}
	count := uint64(le.Uint32(table[8:]))
	if 12+count*uint64(width)+4 > uint64(len(table)) {
		return nil, false
	}
	var entries []boardIDs
	for i := range int(count) {
		e := table[12+i*width:]
		ids := boardIDs{chip: le.Uint32(e), board: le.Uint32(e[4:]), rev: le.Uint32(e[8:])}
		if width > 20 {
			ids.subtype, ids.rev = le.Uint32(e[8:]), le.Uint32(e[12:])
		}
		entries = append(entries, ids)
	}
	i := a.pick(entries)
	if i < 0 {
		return nil, false
	}
	end := table[12+(i+1)*width-8:]
	at, size := uint64(le.Uint32(end)), uint64(le.Uint32(end[4:]))
	if at+size > uint64(len(table)) {
		return nil, true
	}
	return table[at : at+size], true
}

// pick returns the number of the entry that the loader accepts, or -1. In each round the exact
// revision ends the search, else the last older one is taken.
func (a *Aboot) pick(entries []boardIDs) int {
	own := z3cBoard
	round := func(fits func(boardIDs) bool) int {
		best := -1
		for i, e := range entries {
			if fits(e) && e.rev <= own.rev {
				if best = i; e.rev == own.rev {
					break
				}
			}
		}
		return best
	}
	if a.generation == Aboot2015 {
		return round(takenIn2015)
	}
	// Three rounds: the full board, then board and subtype, then the board alone. The first
	// two are one for a board without a minor and a major version.
	for _, strict := range []bool{true, false} {
		if i := round(func(e boardIDs) bool {
			board, target := e.board, own.board
			if strict {
				board, target = board|e.subtype<<24, target|own.subtype<<24
			}
			return e.chip == own.chip && board == target
		}); i >= 0 {
			return i
		}
	}
	return -1
}

// takenIn2015 is the filter of §2.4 as far as ids tell.
func takenIn2015(e boardIDs) bool {
	own := z3cBoard
	subtype := e.board>>24 | e.subtype&0xFF
	middle := e.board >> 8 & 0xFFFF
	return e.chip&0xFFFF == own.chip&0xFFFF && e.board&0xFF == own.board&0xFF && subtype == own.subtype &&
		(middle == 0 || middle == 0xFFFF) && e.rev <= own.rev
}

// treeBehindKernel walks the device trees from the word at 0x2C of the zImage on (§2.3) and
// gives the one that the loader takes.
func (a *Aboot) treeBehindKernel(kernel []byte) (best []byte, found bool) {
	if len(kernel) < 0x30 {
		return nil, false
	}
	at, rev := uint64(binary.LittleEndian.Uint32(kernel[0x2C:])), uint32(0)
	for at+40 <= uint64(len(kernel)) {
		tree := kernel[at:]
		total := uint64(binary.BigEndian.Uint32(tree[4:]))
		if binary.BigEndian.Uint32(tree) != 0xD00DFEED || total < 40 || total > uint64(len(tree)) {
			break
		}
		if words, ok := rootWords(tree[:total]); ok {
			switch r, ok := a.takesAppended(words); {
			case !ok:
			case r == z3cBoard.rev:
				return tree[:total], true
			case !found || r >= rev:
				best, rev, found = tree[:total], r, true
			}
		}
		at += total
	}
	return best, found
}

// treeWords are the properties of a tree's root that a loader reads.
type treeWords struct {
	msm, board []uint32
	model      string
}

// takesAppended tells whether a tree after the kernel is for this phone, and the best
// revision that it names.
func (a *Aboot) takesAppended(t treeWords) (rev uint32, ok bool) {
	own := z3cBoard
	if len(t.msm) == 0 {
		return 0, a.generation != Aboot2015 // "very old revision": the last choice
	}
	if a.generation == Aboot2013 { // the first three words, whatever they are
		if len(t.msm) < 3 || t.msm[0] != own.chip || t.msm[1] != own.board || t.msm[2] > own.rev {
			return 0, false
		}
		return t.msm[2], true
	}
	try := func(e boardIDs, fits bool) {
		if a.generation == Aboot2015 {
			fits = takenIn2015(e)
		}
		if fits && e.chip&0xFFFF == own.chip && e.rev <= own.rev {
			rev, ok = max(rev, e.rev), true
		}
	}
	if len(t.board) == 0 { // triples
		for i := 0; i+3 <= len(t.msm); i += 3 {
			e := boardIDs{chip: t.msm[i], board: t.msm[i+1], rev: t.msm[i+2]}
			try(e, e.chip == own.chip && e.board&0xFF == own.board)
		}
		return rev, ok
	}
	for i := 0; i+2 <= len(t.msm); i += 2 {
		for j := 0; j+2 <= len(t.board); j += 2 {
			e := boardIDs{t.msm[i], t.board[j], t.board[j+1], t.msm[i+1]}
			try(e, e.chip == own.chip && e.board|e.subtype<<24 == own.board|own.subtype<<24)
		}
	}
	return rev, ok
}

// rootWords reads the ids of the root node; false for a tree that makes no sense.
func rootWords(tree []byte) (t treeWords, ok bool) {
	be := binary.BigEndian
	structure, texts := uint64(be.Uint32(tree[8:])), uint64(be.Uint32(tree[12:]))
	size := uint64(len(tree))
	word := func(at uint64) (uint32, bool) {
		if at+4 > size {
			return 0, false
		}
		return be.Uint32(tree[at:]), true
	}
	const (
		beginNode, endNode, property, nop = 1, 2, 3, 4
	)
	at := structure
	for {
		token, ok := word(at)
		if !ok {
			return t, false
		}
		at += 4
		switch token {
		case nop:
		case beginNode:
			if at-4 != structure {
				return t, true // the first node below the root
			}
			for at < size && tree[at] != 0 {
				at++
			}
			at = (at + 4) &^ 3
		case property:
			length, ok1 := word(at)
			name, ok2 := word(at + 4)
			at += 8
			if !ok1 || !ok2 || uint64(length) > size-min(at, size) || texts+uint64(name) >= size {
				return t, false
			}
			switch textAt(tree[texts+uint64(name):]) {
			case "qcom,msm-id":
				t.msm = words(tree[at : at+uint64(length)])
			case "qcom,board-id":
				t.board = words(tree[at : at+uint64(length)])
			case "model":
				t.model = textAt(tree[at : at+uint64(length)])
			}
			at = (at + uint64(length) + 3) &^ 3
		case endNode:
			return t, true
		default:
			return t, false
		}
	}
}

// textAt is the text up to a NUL; empty without one.
func textAt(b []byte) string {
	text, _, ended := strings.Cut(string(b), "\x00")
	if !ended {
		return ""
	}
	return text
}

func words(b []byte) (w []uint32) {
	for ; len(b) >= 4; b = b[4:] {
		w = append(w, binary.BigEndian.Uint32(b))
	}
	return w
}
