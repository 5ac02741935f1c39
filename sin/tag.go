package sin

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
)

// TagKind is the four characters of a map tag.
type TagKind string

// Tags (FORMAT.md §4.2).
const (
	TagGPTP TagKind = "GPTP" // selects a partition by its unique GUID
	TagMTKP TagKind = "MTKP" // selects a partition by name
	TagADDR TagKind = "ADDR" // bytes as they are
	TagLZ4A TagKind = "LZ4A" // one raw LZ4 block
	TagFILL TagKind = "FILL" // a repeated word, no data
	TagMTKM TagKind = "MTKM" // three runs of data on MediaTek phones, meaning not known
)

// tagSizes is the length of each tag without a hash. FILL may be longer: loaders that do
// not know LZ4A accept 32 bytes and more, the others exactly 28 (usbproto/s1/PROTOCOL.md §14.3).
var tagSizes = map[TagKind]int64{TagGPTP: 24, TagMTKP: 24, TagADDR: 36, TagLZ4A: 52, TagFILL: 28, TagMTKM: 64}

// Tag is one entry of a map.
type Tag struct {
	Kind    TagKind
	Offset  int64 // of the tag in the file
	Length  int64 // bytes of the tag in the map
	Target  int   // index in Map.Targets
	Data    int64 // file offset of its data
	DataLen int64 // bytes in the file: compressed ones for LZ4A, none for FILL
	Dest    int64 // byte offset in the partition
	DestLen int64 // bytes in the partition
	// Fill is the four bytes as they come to lie on the phone: the reverse of the
	// word in the tag (usbproto/s1/PROTOCOL.md §11.12).
	Fill     [4]byte
	HashType HashType
	Hash     []byte // of the bytes in the partition
}

// tagAt parses the tag at a position of the list and returns its length. Only what
// one tag tells by itself is checked.
func (m *Map) tagAt(pos int, note func(int64, string, ...any)) (Tag, int, error) {
	t := Tag{Offset: m.Offset + mapFrame + int64(pos)}
	rest := m.list[pos:]
	if len(rest) < 8 {
		return t, 0, fail(BadMap, t.Offset, "the map ends inside a tag")
	}
	t.Kind = TagKind(rest[:4])
	n := int64(binary.BigEndian.Uint32(rest[4:]))
	fixed, known := tagSizes[t.Kind]
	switch {
	case !known:
		return t, 0, fail(BadMap, t.Offset, "unknown tag %q", rest[:4])
	case n < fixed:
		return t, 0, fail(BadMap, t.Offset, "a %s tag has %d bytes instead of %d", t.Kind, n, fixed)
	case n > int64(len(rest)):
		return t, 0, fail(BadMap, t.Offset, "a %s tag of %d bytes runs past the map", t.Kind, n)
	}
	t.Length = n
	tag := rest[:n]
	hashAt := int64(0)
	f := fields{tag: tag}
	switch t.Kind {
	case TagADDR:
		t.Data, t.DataLen, t.Dest, hashAt = f.u63(8), f.u63(16), f.u63(24), 32
		t.DestLen = t.DataLen
	case TagLZ4A:
		t.Data, t.DestLen, t.DataLen, t.Dest, hashAt = f.u63(8), f.u63(16), f.u63(24), f.u63(32), 48
		if again := f.u63(40); again != t.DestLen && note != nil {
			note(t.Offset+40, "the destination length %d is not the uncompressed length %d", again, t.DestLen)
		}
		if t.DestLen < 1 || t.DestLen > maxLZ4 || t.DataLen < 1 || t.DataLen > maxLZ4 {
			return t, 0, fail(BadMap, t.Offset, "an LZ4A piece of %d in %d bytes is not between 1 byte and 16 MiB", t.DestLen, t.DataLen)
		}
	case TagFILL:
		t.Dest, t.DestLen = f.u63(8), f.u63(16)
		for i := range t.Fill {
			t.Fill[i] = tag[27-i]
		}
		if t.DestLen%4 != 0 {
			return t, 0, fail(BadMap, t.Offset, "a FILL of %d bytes is not a whole number of words", t.DestLen)
		}
	case TagMTKM:
		hashAt = 60
		if err := f.mtkm(&t); err != nil {
			return t, 0, err
		}
	}
	if hashAt > 0 {
		word := binary.BigEndian.Uint32(tag[hashAt:])
		t.HashType, t.Hash = HashType(word), tag[hashAt+4:]
		if word > 0xFF && note != nil {
			note(t.Offset+hashAt, "the hash type %#x has more than one byte", word)
		}
		if t.HashType > SHA256 {
			return t, 0, fail(BadMap, t.Offset+hashAt, "hash type %d does not exist", uint8(t.HashType))
		}
		fixed += int64(t.HashType.Size())
	}
	const limit = math.MaxInt64
	switch {
	case n != fixed && t.Kind != TagFILL:
		return t, 0, fail(BadMap, t.Offset, "a %s tag has %d bytes instead of %d", t.Kind, n, fixed)
	case f.bad || t.Dest > limit-t.DestLen || t.Data > limit-t.DataLen || m.DataOffset > limit-t.Data-t.DataLen:
		return t, 0, fail(BadMap, t.Offset, "a length or an offset of %s is too large", t.Kind)
	}
	t.Data += m.DataOffset
	return t, int(n), nil
}

// fields reads the numbers of a tag; bad is set when one leaves 63 bits.
type fields struct {
	tag []byte
	bad bool
}

func (f *fields) u63(at int) int64 {
	v := binary.BigEndian.Uint64(f.tag[at:])
	if v > math.MaxInt64 {
		f.bad = true
		return 0
	}
	return int64(v)
}

// mtkm reads the three runs of an MTKM tag, which must follow each other.
func (f *fields) mtkm(t *Tag) error {
	next := f.u63(8)
	t.Data = next
	for at := 8; at < 56; at += 16 {
		start, length := f.u63(at), f.u63(at+8)
		if start != next || length > math.MaxInt64-start {
			return fail(BadMap, t.Offset, "the parts of MTKM do not follow each other")
		}
		next = start + length
	}
	t.DataLen = next - t.Data
	return nil
}

// Needs is what a map asks of the loader that writes it. Loaders differ in the tags they
// know and in the length of a FILL tag (usbproto/s1/PROTOCOL.md §14.3); each wrong form is
// refused only in the middle of the image, when its partition is already erased.
type Needs struct {
	Tags      []TagKind // each kind once, in the order of the map
	ShortFill bool      // a FILL tag of exactly 28 bytes
	MidFill   bool      // one of 29 to 31 bytes, which no loader accepts
	LongFill  bool      // one of 32 bytes or more
	LastFill  bool      // no data follow the last FILL
	FillWord  bool      // a FILL writes something other than zeros

	unsendable string // why no loader may get it
}

// Unsendable says why no phone may get the image, whatever its loader; "" when nothing
// contradicts it. These maps follow the format, and crash or hang every loader that was
// executed, or are refused by it (usbproto/s1/PROTOCOL.md §12.5).
func (m *Map) Unsendable() string { return m.Needs.unsendable }

// add takes the next tag into account.
func (n *Needs) add(t Tag) {
	if !slices.Contains(n.Tags, t.Kind) {
		n.Tags = append(n.Tags, t.Kind)
	}
	never := func(what string) {
		if n.unsendable == "" {
			n.unsendable = fmt.Sprintf("the %s tag at file offset %#x %s", t.Kind, t.Offset, what)
		}
	}
	switch t.Kind {
	case TagGPTP, TagMTKP:
		return
	case TagFILL:
		n.LastFill = true
		n.ShortFill = n.ShortFill || t.Length == 28
		n.MidFill = n.MidFill || t.Length > 28 && t.Length < 32
		n.LongFill = n.LongFill || t.Length >= 32
		n.FillWord = n.FillWord || t.Fill != [4]byte{}
		if t.DestLen == 0 {
			never("writes 0 bytes, and no known loader survives an empty piece")
		}
		return
	}
	n.LastFill = false
	switch {
	case t.DataLen == 0:
		never("writes 0 bytes, which hangs the loader")
	case t.HashType == SHA1:
		never("has a SHA-1 hash, which crashes the loader")
	case t.HashType == NoHash:
		never("has no hash, which the loader refuses with 800A0014")
	}
}
