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
	default:
		if _, err := p.WriteAt(a.data, 0); err != nil {
			a.fail("flash write failure")
			return
		}
		a.okay("")
	}
}

// flashSparse walks the chunks as LK does, with its words for each fault
// (boot-fastboot.md §3.2). What was written before a fault stays written.
func (a *Aboot) flashSparse(p *Partition) {
	le := binary.LittleEndian
	d := a.data
	fileHeader, chunkHeader := int(le.Uint16(d[8:])), int(le.Uint16(d[10:]))
	block, chunks := uint64(le.Uint32(d[12:])), le.Uint32(d[20:])
	if a.generation == Aboot2015 {
		switch {
		case fileHeader != 28:
			a.fail("sparse header size mismatch")
			return
		case chunkHeader != 12:
			a.fail("chunk header size mismatch")
			return
		case block == 0 || block%4 != 0:
			a.fail("Invalid block size\n")
			return
		case block*uint64(le.Uint32(d[16:])) > uint64(p.Size()):
			a.fail("size too large")
			return
		}
	} else if block*uint64(le.Uint32(d[16:])) > uint64(p.Size()) {
		a.fail("size too large")
		return
	}
	if fileHeader < 28 || chunkHeader < 12 || fileHeader > len(d) {
		a.fail("sparse image write failure")
		return
	}
	d = d[fileHeader:]
	at := uint64(0)
	for range chunks {
		if len(d) < chunkHeader {
			a.fail("buffer overreads occured due to invalid sparse header")
			return
		}
		kind, size, total := le.Uint16(d), uint64(le.Uint32(d[4:]))*block, uint64(le.Uint32(d[8:]))
		if total < uint64(chunkHeader) || total > uint64(len(d)) {
			a.fail("buffer overreads occured due to invalid sparse header")
			return
		}
		data := d[chunkHeader:total]
		d = d[total:]
		if kind != 0xCAC4 && !p.holds(at, size) {
			a.fail("Chunk data size exceeds partition size")
			return
		}
		switch kind {
		case 0xCAC1:
			if uint64(len(data)) != size {
				a.fail("Bogus chunk size for chunk type Raw")
				return
			}
			if _, err := p.WriteAt(data, int64(at)); err != nil {
				a.fail("flash write failure")
				return
			}
		case 0xCAC2:
			if len(data) != 4 {
				a.fail("Bogus chunk size for chunk type FILL")
				return
			}
			if err := p.fill(le.Uint32(data), at, size); err != nil {
				a.fail("flash write failure")
				return
			}
		case 0xCAC3:
			if len(data) != 0 && a.generation == Aboot2015 {
				a.fail("bogus size for chunk DONT CARE type")
				return
			}
		case 0xCAC4:
			if len(data) != 4 {
				a.fail("Bogus chunk size for chunk type CRC")
				return
			}
			size = 0
		default:
			a.fail("Unknown chunk type")
			return
		}
		at += size
	}
	a.okay("")
}
