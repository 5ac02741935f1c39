package simphone

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/pierrec/lz4/v4"

	"xflash/sin/gpt"
)

// A mapWriter is the sink of an image (type 0x27): MMCF header, then data that
// are written as they come.
type mapWriter struct {
	image *image
	lead  []byte     // the MMCF header as far as it has come
	short bool       // the first packet has less than the fixed part of it
	plan  *imageMap  // after the header
	ids   []gpt.GUID // of the partitions it is for

	tag    int    // present tag
	passed uint64 // bytes of the present tag's data, or of the part before the first, that were used
	packed []byte // compressed bytes of the present LZ4A tag
	plain  []byte // room for what is in them
}

func (w *mapWriter) write(data []byte) status {
	if w.plan == nil {
		var why status
		if data, why = w.header(data); why != 0 || w.plan == nil {
			return why
		}
		if w.plan.fatal {
			w.image.session.dead = true
			return 0
		}
		if why := w.erase(); why != 0 {
			return why
		}
		if why := w.fills(); why != 0 {
			return why
		}
	}
	if w.plan.skip > 0 {
		n := min(w.plan.skip, uint64(len(data)))
		w.plan.skip -= n
		data = data[n:]
	}
	for len(data) > 0 {
		if w.tag == len(w.plan.tags) {
			return statusDataState // bytes left over after the last tag
		}
		t := &w.plan.tags[w.tag]
		n := min(t.data-w.passed, uint64(len(data)))
		if why := w.put(t, data[:n]); why != 0 {
			return why
		}
		data = data[n:]
		if w.passed += n; w.passed == t.data {
			w.tag, w.passed = w.tag+1, 0
			if why := w.fills(); why != 0 {
				return why
			}
		}
	}
	return 0
}

// header collects the MMCF header and returns the data after it.
func (w *mapWriter) header(data []byte) ([]byte, status) {
	for {
		need := mapHeaderSize
		if len(w.lead) >= mapHeaderSize {
			if string(w.lead[:4]) != mapMagic {
				return nil, statusMapFormat
			}
			length := binary.BigEndian.Uint32(w.lead[4:])
			if length > heap {
				return nil, statusNoMemory
			}
			if int64(length) > w.image.header.total() {
				return nil, statusMapFormat
			}
			need += int(length)
			if len(w.lead) == need {
				break
			}
		}
		if len(data) == 0 {
			if s := w.image.session; s.model.old {
				return nil, statusNotAllowed // the whole map must lie in the first block
			}
			return nil, 0
		}
		n := min(need-len(w.lead), len(data))
		w.lead = append(w.lead, data[:n]...)
		data = data[n:]
	}
	s := w.image.session
	if w.short {
		return nil, statusMapFormat
	}
	find := func(id gpt.GUID) (*Partition, status) { return s.target(w.image.signer.role, id) }
	var why status
	w.plan, why = parseMap(w.lead[mapHeaderSize:], s.loader.supports, s.model.fill, find)
	return data, why
}

// target looks up the partition with that unique GUID. The right of the role to write
// it is asked first.
func (s *session) target(role string, id gpt.GUID) (*Partition, status) {
	if why := s.sec.mayWrite(role, &id); why != 0 {
		return nil, why
	}
	d := s.phone.disk
	if d.table() == nil {
		return nil, statusNoPartition
	}
	e, ok := d.table().ByUnique(id)
	if !ok {
		return nil, statusNoPartition
	}
	return &Partition{d, e}, 0
}

// erase blanks every partition that the map names, and turns boot images to their
// alternates: what an image does not write reads as erased afterwards, 0 on this card.
func (w *mapWriter) erase() status {
	s := w.image.session
	for _, p := range w.plan.targets {
		w.ids = append(w.ids, p.Entry.Unique)
		p.Entry = s.alternate(p.Entry) // the tags share it
		if !s.lose && p.fill(0, 0, uint64(p.Size())) != nil {
			return statusCardTimeout
		}
	}
	return 0
}

// fills carries out the tags that take no data.
func (w *mapWriter) fills() status {
	for w.tag < len(w.plan.tags) {
		t := &w.plan.tags[w.tag]
		if t.data != 0 {
			return 0
		}
		if why := w.put(t, nil); why != 0 {
			return why
		}
		w.tag++
	}
	return 0
}

// put uses the next bytes of a tag's data.
func (w *mapWriter) put(t *mapTag, data []byte) status {
	s := w.image.session
	if !t.partition.holds(t.dest, t.size) && !s.model.noBounds {
		return cmp.Or(s.model.pastEnd, statusPastPartition)
	}
	switch t.kind {
	case "FILL":
		if s.model.fill == fillErased {
			if t.word != 0 {
				return statusFillReadBack
			}
			return 0
		}
		if w.image.lost {
			return 0
		}
		if t.partition.fill(t.word, t.dest, t.size) != nil {
			return statusCardTimeout
		}
		return 0
	case "LZ4A":
		w.packed = append(w.packed, data...)
		if uint64(len(w.packed)) < t.data {
			return 0
		}
		w.plain = slices.Grow(w.plain[:0], int(t.size))[:t.size]
		n, err := lz4.UncompressBlock(w.packed, w.plain)
		w.packed = w.packed[:0]
		if err != nil || n != int(t.size) {
			return statusDataState
		}
		return w.store(t, w.plain, 0)
	default:
		return w.store(t, data, w.passed)
	}
}

// store writes to the card.
func (w *mapWriter) store(t *mapTag, data []byte, at uint64) status {
	if w.image.lost {
		return 0
	}
	write := t.partition.WriteAt
	if w.image.session.model.noBounds {
		write = t.partition.writeAnywhere
	}
	if _, err := write(data, int64(t.dest+at)); err != nil {
		return statusCardTimeout
	}
	return 0
}

// finish reads back what was written and, for the kernel, keeps its header.
func (w *mapWriter) finish() status {
	s := w.image.session
	if w.plan == nil || w.tag < len(w.plan.tags) {
		s.dead = true // shorter than its map: it waits forever
		return 0
	}
	if s.config&configNoVerify == 0 {
		if why := readBack(w.plan.tags); why != 0 {
			return why
		}
	}
	s.note(fmt.Sprintf("image stored: %d blocks", len(w.plan.tags)))
	for _, id := range w.ids {
		if s.model.headerOf != "" && id == mustGUID(partitionSpecs[s.model.headerOf].unique) {
			if why := s.keepHeader(w.image.header.raw); why != 0 {
				return why
			}
		}
		if why := s.written(id); why != 0 {
			return why
		}
	}
	return 0
}
