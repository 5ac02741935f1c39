package simphone

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"xflash/internal/simphone/mkimage"
	"xflash/sin/gpt"
)

// A disk is the phone's eMMC: a sparse file with a real partition table. Writes
// go to the file at once, as they do on a phone; only the trim area is buffered.
type disk struct {
	file  *os.File
	size  int64
	known atomic.Pointer[gpt.Table]
}

func openDisk(path string) (*disk, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	d := &disk{file: f, size: info.Size()}
	d.loadTable()
	return d, nil
}

// loadTable reads the partition table again, as every start of a program does.
func (d *disk) loadTable() {
	table, err := gpt.Read(d.file, d.size)
	if err != nil {
		table = nil
		// One good copy is enough, and the other is repaired from it.
		if found, err := gpt.Salvage(d.file, d.size); err == nil && found.Table != nil && found.End == d.size && mkimage.WriteGPT(d.file, found.Table) == nil {
			table = found.Table
		}
	}
	d.known.Store(table)
}

// table is the partition table as the running program knows it; nil when the
// disk has no valid one.
func (d *disk) table() *gpt.Table { return d.known.Load() }

// A Partition is a view of one partition of emmc.img.
type Partition struct {
	disk  *disk
	Entry gpt.Entry
}

// Size is the length in bytes.
func (p *Partition) Size() int64 { return p.Entry.Size() }

// ReadAt reads from the partition; io.EOF at its end.
func (p *Partition) ReadAt(b []byte, off int64) (int, error) {
	return io.NewSectionReader(p.disk.file, p.Entry.Offset(), p.Size()).ReadAt(b, off)
}

// WriteAt writes to the partition. Nothing is written past its end.
func (p *Partition) WriteAt(b []byte, off int64) (int, error) {
	if off < 0 || off > p.Size() || int64(len(b)) > p.Size()-off {
		return 0, fmt.Errorf("partition %s has %d bytes: no room for %d at %d", p.Entry.Name, p.Size(), len(b), off)
	}
	return p.disk.file.WriteAt(b, p.Entry.Offset()+off)
}

// writeAnywhere is WriteAt of a loader that does not look where the partition ends.
func (p *Partition) writeAnywhere(b []byte, off int64) (int, error) {
	if at := p.Entry.Offset() + off; off < 0 || at < 0 || at > p.disk.size-int64(len(b)) {
		return 0, errors.New("past the end of the disk")
	}
	return p.disk.file.WriteAt(b, p.Entry.Offset()+off)
}

// holds reports that length bytes at off lie inside the partition.
func (p *Partition) holds(off, length uint64) bool {
	size := uint64(p.Size())
	return off <= size && length <= size-off
}

// fillPieces is how much of a pattern is written or compared at a time.
const fillPieces = 1 << 20

// fill writes the 32-bit word over and over, in the byte order of the phone's
// processor: 11223344 becomes 44 33 22 11 (usbproto/s1/PROTOCOL.md §11.12).
func (p *Partition) fill(word uint32, off, length uint64) error {
	if word == 0 && p.disk.punch(p.Entry.Offset()+int64(off), int64(length)) == nil {
		return nil
	}
	pattern := fillPattern32(word)
	for length > 0 {
		n := min(length, fillPieces)
		if _, err := p.WriteAt(pattern[:n], int64(off)); err != nil {
			return err
		}
		off, length = off+n, length-n
	}
	return nil
}

// filled reports that the area holds the pattern.
func (p *Partition) filled(word uint32, off, length uint64) (bool, error) {
	pattern, got := fillPattern32(word), make([]byte, fillPieces)
	for length > 0 {
		n := min(length, fillPieces)
		if _, err := p.ReadAt(got[:n], int64(off)); err != nil {
			return false, err
		}
		if !bytes.Equal(got[:n], pattern[:n]) {
			return false, nil
		}
		off, length = off+n, length-n
	}
	return true, nil
}

func fillPattern32(word uint32) []byte {
	return bytes.Repeat([]byte{byte(word), byte(word >> 8), byte(word >> 16), byte(word >> 24)}, fillPieces/4)
}
