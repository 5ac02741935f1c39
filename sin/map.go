package sin

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"iter"
	"slices"

	"xflash/sin/gpt"
)

// Limits of a map (FORMAT.md §9). 8 MiB of tags describe some 12 GiB of image in LZ4A
// blocks of 128 KiB.
const (
	maxMap     = 8 << 20
	maxTargets = 64
	maxNotes   = 32
	maxLZ4     = 16 << 20 // both lengths of an LZ4A tag, a limit of the phone
)

// Target is a partition that an image writes.
type Target struct {
	GUID gpt.GUID // unique GUID of the partition, zero when it is named
	Name string   // on MediaTek phones, and in versions 4 and 5
	End  int64    // bytes: the end of the last piece
}

// String names the partition as the file does.
func (t Target) String() string {
	if t.Name != "" {
		return t.Name
	}
	return t.GUID.String()
}

// Map is the list of pieces at the start of an image's payload (MMCF). A Map has
// passed every rule of FORMAT.md §4.2, §9 that needs no data.
type Map struct {
	Offset     int64    // of MMCF in the file
	DataOffset int64    // of the first byte after the map
	Targets    []Target // in the order of their first selection
	Notes      []Note
	Needs      Needs // of the loader that gets the image

	list    []byte
	written [][]extent // per target: what is written, ascending, joined where it touches
}

var magicMap = []byte("MMCF")

// mapFrame is the length of the magic and the length word before the tags.
const mapFrame = 8

// ReadMap reads the map at the start of the payload and leaves payload at the first
// byte of data. Errors of payload that are *Error pass through, so a verifying reader
// (NewReader) makes damage appear as what it is.
func (h *Header) ReadMap(payload io.Reader) (*Map, error) {
	at := int64(len(h.Raw))
	hr := &headerReader{r: payload, size: -1, base: at}
	if err := hr.need(mapFrame); err != nil {
		return nil, err
	}
	n, err := mapLength(hr.buf, at, h.PayloadSize())
	if err != nil {
		return nil, err
	}
	if err := hr.need(mapFrame + n); err != nil {
		return nil, err
	}
	return parseMap(hr.buf[mapFrame:], at, h.Size())
}

// mapLength checks the frame of a map at the file offset and gives the length of its
// tag list.
func mapLength(frame []byte, at, payload int64) (int64, error) {
	if !bytes.HasPrefix(frame, magicMap) {
		return 0, fail(BadMap, at, "it does not start with MMCF")
	}
	n := int64(binary.BigEndian.Uint32(frame[4:]))
	if n > maxMap || n > payload-mapFrame {
		return 0, fail(BadMap, at+4, "a map of %d bytes is too long for a payload of %d", n, payload)
	}
	return n, nil
}

// parseMap checks the tag list of a map whose frame lies at the file offset at; end is
// the size of the file.
func parseMap(list []byte, at, end int64) (*Map, error) {
	m := &Map{Offset: at, DataOffset: at + mapFrame + int64(len(list)), list: list}
	target, next := -1, int64(-1)
	for pos := 0; pos < len(list); {
		t, n, err := m.tagAt(pos, m.note)
		if err != nil {
			return nil, err
		}
		pos += n
		m.Needs.add(t)
		if t.Kind == TagGPTP || t.Kind == TagMTKP {
			if target, err = m.selectTarget(t, list[pos-n:pos]); err != nil {
				return nil, err
			}
			continue
		}
		if target < 0 {
			return nil, fail(BadMap, t.Offset, "%s comes before any partition is selected", t.Kind)
		}
		if t.DestLen > 0 { // a piece of nothing does not make the image longer
			m.Targets[target].End = max(m.Targets[target].End, t.Dest+t.DestLen)
		}
		m.written[target] = addExtent(m.written[target], extent{t.Dest, t.Dest + t.DestLen})
		if t.Kind == TagFILL {
			continue
		}
		switch {
		case next < 0 && t.Data > m.DataOffset:
			m.note(m.DataOffset, "%d bytes of data before the first piece", t.Data-m.DataOffset)
		case next >= 0 && t.Data != next:
			return nil, fail(BadMap, t.Offset, "the data of %s starts at %#x, but the data before it ends at %#x", t.Kind, t.Data, next)
		}
		if t.Data > end || t.DataLen > end-t.Data {
			return nil, fail(BadMap, t.Offset, "the data of %s ends past the end of the file", t.Kind)
		}
		next = t.Data + t.DataLen
	}
	if len(m.Targets) == 0 {
		return nil, fail(BadMap, at, "no partition is selected")
	}
	if next < 0 {
		next = m.DataOffset
	}
	if next != end {
		return nil, fail(BadMap, next, "%d bytes of data belong to no piece", end-next)
	}
	for i := range m.Targets {
		if err := m.joinExtents(i); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *Map) note(offset int64, format string, args ...any) {
	if len(m.Notes) < maxNotes {
		m.Notes = append(m.Notes, Note{Offset: offset, Text: fmt.Sprintf(format, args...)})
	}
}

// selectTarget finds or adds the target that a GPTP or MTKP tag names.
func (m *Map) selectTarget(t Tag, tag []byte) (int, error) {
	var want Target
	if t.Kind == TagGPTP {
		want.GUID = gpt.GUID(tag[8:])
	} else {
		name := tag[8:]
		if i := bytes.IndexByte(name, 0); i >= 0 {
			name = name[:i]
		}
		if len(name) == 0 || !printable(string(name)) {
			return 0, fail(BadMap, t.Offset, "the partition name is not readable")
		}
		want.Name = string(name)
	}
	same := func(o Target) bool { return o.GUID == want.GUID && o.Name == want.Name }
	if i := slices.IndexFunc(m.Targets, same); i >= 0 {
		return i, nil
	}
	if len(m.Targets) == maxTargets {
		return 0, fail(BadMap, t.Offset, "more than %d partitions are selected", maxTargets)
	}
	m.Targets = append(m.Targets, want)
	m.written = append(m.written, nil)
	return len(m.Targets) - 1, nil
}

// Tags walks over the tags in the order of the file. Their data lie in the same order,
// without gaps.
func (m *Map) Tags() iter.Seq[Tag] {
	return func(yield func(Tag) bool) {
		for c := (tagCursor{m: m}); ; {
			t, ok := c.next()
			if !ok || !yield(t) {
				return
			}
		}
	}
}

// tagCursor walks over a map that parseMap has checked.
type tagCursor struct {
	m      *Map
	pos    int
	target int
}

func (c *tagCursor) next() (Tag, bool) {
	if c.pos == len(c.m.list) {
		return Tag{}, false
	}
	t, n, err := c.m.tagAt(c.pos, nil)
	if err == nil && (t.Kind == TagGPTP || t.Kind == TagMTKP) {
		c.target, err = c.m.selectTarget(t, c.m.list[c.pos:c.pos+n])
	}
	if err != nil {
		panic(err) // parseMap has accepted this tag
	}
	c.pos += n
	t.Target = c.target
	return t, true
}

// extent is a range of a partition.
type extent struct{ start, end int64 }

// addExtent appends e, joined to the last one where that goes without a gap.
func addExtent(to []extent, e extent) []extent {
	last := len(to) - 1
	switch {
	case e.start == e.end:
		return to
	case last >= 0 && to[last].end == e.start:
		to[last].end = e.end
		return to
	}
	return append(to, e)
}

// joinExtents sorts what a target gets. It fails when two tags write the same byte.
func (m *Map) joinExtents(target int) error {
	all := m.written[target]
	slices.SortFunc(all, func(a, b extent) int { return cmp.Compare(a.start, b.start) })
	joined := all[:0]
	for _, e := range all {
		if last := len(joined) - 1; last >= 0 && e.start < joined[last].end {
			both := extent{e.start, min(e.end, joined[last].end)}
			return fail(BadMap, m.overlapAt(target, both), "two pieces write the same bytes of the partition, from %#x", e.start)
		}
		joined = addExtent(joined, e)
	}
	m.written[target] = joined
	return nil
}

// overlapAt is the file offset of the second tag that writes into e.
func (m *Map) overlapAt(target int, e extent) int64 {
	seen := false
	for t := range m.Tags() {
		if t.Target == target && t.Dest < e.end && t.Dest+t.DestLen > e.start {
			if seen {
				return t.Offset
			}
			seen = true
		}
	}
	return m.Offset
}
