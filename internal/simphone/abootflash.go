package simphone

import (
	"encoding/binary"
	"strings"
)

// flash writes what was downloaded to a partition.
func (a *Aboot) flash(name string) {
	p := a.target(name)
	if p == nil {
		return
	}
	const sparseMagic = 0xED26FF3A
	switch {
	case (name == "boot" || name == "recovery") && !strings.HasPrefix(string(a.data), "ANDROID!"):
		a.fail("image is not a boot image")
	case len(a.data) >= 28 && binary.LittleEndian.Uint32(a.data) == sparseMagic:
		a.flashSparse(p)
	case int64(len(a.data)) > p.Size():
		a.fail("size too large")
	case a.dropsData():
		a.okay("")
	default:
		if _, err := p.WriteAt(a.data, 0); err != nil {
			a.fail("flash write failure")
			return
		}
		a.okay("")
	}
}

// sparseWords are the texts that differ between the generations (fastboot/PROTOCOL.md §3.2).
type sparseWords struct{ short, past, raw, fill, skip, crc string }

func (a *Aboot) sparseWords() sparseWords {
	if a.generation == Aboot2015 {
		return sparseWords{
			short: "buffer overreads occured due to invalid sparse header",
			past:  "Chunk data size exceeds partition size",
			raw:   "Bogus size for RAW chunk type",
			fill:  "bogus size for chunk FILL type",
			skip:  "bogus size for chunk DONT CARE type",
			crc:   "bogus size for chunk CRC type",
		}
	}
	// Older loaders run past the end of their buffer and of the partition; this one does not.
	return sparseWords{
		short: "sparse image write failure",
		past:  "flash write failure",
		raw:   "Bogus chunk size for chunk type Raw",
		fill:  "Bogus chunk size for chunk type FILL",
		skip:  "Bogus chunk size for chunk type Dont Care",
		crc:   "Bogus chunk size for chunk type CRC",
	}
}

// sparseHeader is what a loader reads of a sparse image's header (fastboot/bootimg/FORMAT.md
// §7.1).
type sparseHeader struct {
	size, chunkHeader int
	block, total      uint64
	chunks            uint32
}

// refusal is the answer to a header that no chunk is read for; empty for a good one.
func (h sparseHeader) refusal(a *Aboot, imageSize int, p *Partition) string {
	strict := a.generation == Aboot2015
	switch {
	case strict && h.size != 28:
		return "sparse header size mismatch"
	case strict && h.chunkHeader != 12:
		return "chunk header size mismatch"
	case strict && (h.block == 0 || h.block%4 != 0):
		return "Invalid block size\n"
	case h.block*h.total > uint64(p.Size()):
		return "size too large"
	case h.size < 28 || h.chunkHeader < 12 || h.size > imageSize:
		return "sparse image write failure"
	}
	return ""
}

// flashSparse walks the chunks as LK does, with its words for each fault. What was written
// before a fault stays written. The checksum of the whole is not looked at.
func (a *Aboot) flashSparse(p *Partition) {
	le := binary.LittleEndian
	d := a.data
	h := sparseHeader{int(le.Uint16(d[8:])), int(le.Uint16(d[10:])), uint64(le.Uint32(d[12:])), uint64(le.Uint32(d[16:])), le.Uint32(d[20:])}
	if no := h.refusal(a, len(d), p); no != "" {
		a.fail(no)
		return
	}
	say := a.sparseWords()
	d = d[h.size:]
	blocks := uint64(0)
	for range h.chunks {
		if len(d) < h.chunkHeader {
			a.fail(say.short)
			return
		}
		kind, count, total := le.Uint16(d), uint64(le.Uint32(d[4:])), uint64(le.Uint32(d[8:]))
		if total < uint64(h.chunkHeader) || total > uint64(len(d)) {
			a.fail(say.short)
			return
		}
		data := d[h.chunkHeader:total]
		d = d[total:]
		if kind == chunkCRC {
			count = 0 // covers what came before
		}
		if no := a.chunk(p, kind, data, blocks*h.block, count*h.block, say); no != "" {
			a.fail(no)
			return
		}
		blocks += count
	}
	if blocks != h.total {
		a.fail("sparse image write failure")
		return
	}
	a.okay("")
}

const (
	chunkRaw  = 0xCAC1
	chunkFill = 0xCAC2
	chunkSkip = 0xCAC3
	chunkCRC  = 0xCAC4
)

// chunk carries out one chunk for size bytes at off; the answer to a bad one, or nothing.
func (a *Aboot) chunk(p *Partition, kind uint16, data []byte, off, size uint64, say sparseWords) string {
	wrong := map[uint16]struct {
		length uint64
		text   string
	}{chunkRaw: {size, say.raw}, chunkFill: {4, say.fill}, chunkSkip: {0, say.skip}, chunkCRC: {4, say.crc}}
	want, known := wrong[kind]
	switch {
	case !known:
		return "Unknown chunk type"
	case uint64(len(data)) != want.length:
		return want.text
	case !p.holds(off, size):
		return say.past
	}
	var err error
	switch {
	case a.dropsData():
	case kind == chunkRaw:
		_, err = p.WriteAt(data, int64(off))
	case kind == chunkFill:
		err = p.fill(binary.LittleEndian.Uint32(data), off, size)
	}
	if err != nil {
		return "flash write failure"
	}
	return ""
}
