package simphone

import (
	"encoding/binary"

	"xflash/sin/gpt"
)

// maxBlock bounds both lengths of an LZ4A block, sin/FORMAT.md §4.2.
const maxBlock = 0x1000000

// A mapTag is one data tag of an image's MMCF header: what to write where.
type mapTag struct {
	kind      string     // ADDR, LZ4A or FILL
	partition *Partition // selected by the GPTP before it
	data      uint64     // bytes in the data area; FILL takes none
	dest      uint64     // offset in the partition
	size      uint64     // bytes written there
	word      uint32     // of FILL
	hashType  byte       // of what is at the destination; 0 is none
	hash      []byte
}

// An imageMap is the MMCF header of an image, sin/FORMAT.md §4.
type imageMap struct {
	skip    uint64 // bytes before the first data offset
	tags    []mapTag
	targets []*Partition
	fatal   bool // something in it crashes or hangs every loader that was run
}

const (
	mapMagic      = "MMCF"
	mapHeaderSize = 8
)

// parseMap walks the tags with the rules and numbers of the phone. find looks a
// partition up and says whether it may be written; supported says which tags
// this loader knows.
func parseMap(b []byte, supported func(tag string) bool, form fillForm, find func(gpt.GUID) (*Partition, status)) (*imageMap, status) {
	m := &imageMap{}
	var target *Partition
	var next uint64 // data offset that must come now
	first := true
	place := func(offset, length uint64) bool {
		if first {
			first, m.skip, next = false, offset, offset
		}
		ok := offset == next && next+length >= next
		next += length
		return ok
	}
	for len(b) > 0 {
		if len(b) < mapHeaderSize {
			return nil, statusMapFormat
		}
		kind := string(b[:4])
		size := binary.BigEndian.Uint32(b[4:])
		if size < mapHeaderSize || uint64(size) > uint64(len(b)) || !supported(kind) {
			return nil, statusMapFormat
		}
		tag := b[:size]
		b = b[size:]
		u64 := func(at int) uint64 { return binary.BigEndian.Uint64(tag[at:]) }
		switch kind {
		case "GPTP":
			if size != 24 {
				return nil, statusMapFormat
			}
			p, why := find(gpt.GUID(tag[8:24]))
			if why != 0 {
				return nil, why
			}
			target = p
			m.targets = append(m.targets, p)
			continue
		case "MTKP":
			if size != 24 {
				return nil, statusMapFormat
			}
			_, why := find(gpt.GUID{}) // names belong to MediaTek phones
			return nil, why
		}
		if target == nil {
			return nil, statusMapFormat
		}
		t := mapTag{kind: kind, partition: target}
		switch kind {
		case "ADDR":
			if size < 36 {
				return nil, statusMapFormat
			}
			t.data, t.size, t.dest, t.hashType, t.hash = u64(16), u64(16), u64(24), tag[35], tag[36:]
			if t.hashType == 0 {
				return nil, statusUnsupportedHash
			}
			if len(t.hash) != len(digest(t.hashType, nil)) || !place(u64(8), t.data) {
				return nil, statusMapFormat
			}
			m.fatal = m.fatal || t.size == 0 || t.hashType == hashSHA1
		case "LZ4A":
			if size < 52 {
				return nil, statusMapFormat
			}
			t.size, t.data, t.dest, t.hashType = u64(16), u64(24), u64(32), tag[51]
			if t.hashType == 0 {
				return nil, statusUnsupportedHash
			}
			// The tag's length is not compared with the hash's: a hash cut off
			// is a hash that does not match.
			t.hash = tag[52:min(len(tag), 52+len(digest(t.hashType, nil)))]
			if t.size > maxBlock || t.data > maxBlock || !place(u64(8), t.data) {
				return nil, statusMapFormat
			}
		case "FILL":
			if form == fill28 && size != 28 || form != fill28 && size < 32 {
				return nil, statusMapFormat
			}
			t.dest, t.size, t.word = u64(8), u64(16), binary.BigEndian.Uint32(tag[24:])
			if t.size%4 != 0 {
				return nil, statusMapValue
			}
		default:
			return nil, statusMapFormat
		}
		m.tags = append(m.tags, t)
	}
	if n := len(m.tags); form == fill32 && n > 0 && m.tags[n-1].kind == "FILL" {
		return nil, statusDataState
	}
	return m, 0
}
