package inspect

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"time"

	"xflash/sin"
)

// FileSystem is what the first blocks of a file system say.
type FileSystem struct {
	Type      string `json:"type"` // ext2, ext3, ext4, FAT12, FAT16, FAT32, yaffs2
	Label     string `json:"label,omitempty"`
	UUID      string `json:"uuid,omitempty"` // of FAT the volume serial number
	Size      int64  `json:"size,omitempty"` // bytes
	BlockSize int64  `json:"block_size,omitempty"`
	Free      int64  `json:"free,omitempty"` // bytes
	Created   string `json:"created,omitempty"`
	LastMount string `json:"last_mount,omitempty"` // RFC 3339, UTC
	LastWrite string `json:"last_write,omitempty"`
	MountedOn string `json:"mounted_on,omitempty"` // where it was mounted last
	State     string `json:"state,omitempty"`
}

// recognizeFileSystem finds the file systems of partitions (sin/FORMAT.md §7).
func recognizeFileSystem(head []byte) looker {
	switch sin.Recognize(head) {
	case sin.KindYaffs2:
		return yaffs2
	case sin.KindExt4:
		return ofHead((*Report).ext)
	}
	if isFAT(head) {
		return ofHead((*Report).fat)
	}
	return nil
}

// Fields of the superblock, from the start of the file system (the kernel's
// Documentation/filesystems/ext4, little-endian).
const (
	extSuper     = 1024
	extSuperSize = 1024

	extFreeLow      = 0x0C
	extMountTime    = 0x2C
	extWriteTime    = 0x30
	extState        = 0x3A
	extCompat       = 0x5C
	extIncompat     = 0x60
	extReadOnly     = 0x64
	extUUID         = 0x68
	extLabel        = 0x78
	extMountedOn    = 0x88
	extMakeTime     = 0x108
	extBlocksHigh   = 0x150
	extFreeHigh     = 0x158
	extChecksumType = 0x175
	extChecksum     = 0x3FC

	extHasJournal  = 0x4
	extRecover     = 0x4
	extExtents     = 0x40
	ext64bit       = 0x80
	extMetaCsum    = 0x400
	extBlockShift  = 0x18
	extBlocksLow   = 0x04
	extStateClean  = 1
	extStateErrors = 2
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// ext inspects the superblock of an ext2, ext3 or ext4 file system.
func (r *Report) ext(head []byte) {
	if len(head) < extSuper+extSuperSize {
		head = append(head, make([]byte, extSuper+extSuperSize-len(head))...)
	}
	b, le := head[extSuper:extSuper+extSuperSize], binary.LittleEndian
	fs := &FileSystem{Type: "ext2", Label: cstring(b[extLabel : extLabel+16]), MountedOn: cstring(b[extMountedOn : extMountedOn+64])}
	compat, incompat := le.Uint32(b[extCompat:]), le.Uint32(b[extIncompat:])
	switch {
	case incompat&(extExtents|ext64bit) != 0:
		fs.Type = "ext4"
	case compat&extHasJournal != 0:
		fs.Type = "ext3"
	}
	fs.BlockSize = 1024 << le.Uint32(b[extBlockShift:]) // at most 6: sin.ExtSize saw to it
	blocks, free := uint64(le.Uint32(b[extBlocksLow:])), uint64(le.Uint32(b[extFreeLow:]))
	if incompat&ext64bit != 0 {
		blocks |= uint64(le.Uint32(b[extBlocksHigh:])) << 32
		free |= uint64(le.Uint32(b[extFreeHigh:])) << 32
	}
	r.Kind, r.FileSystem, r.Title = KindExt, fs, fs.Type+" file system"
	if blocks > uint64(1<<62)/uint64(fs.BlockSize) {
		r.wrong("bad superblock", extSuper, fmt.Sprintf("the file system says it has %d blocks", blocks))
		return
	}
	fs.Size, fs.Free = int64(blocks)*fs.BlockSize, int64(min(free, blocks))*fs.BlockSize
	fs.UUID = uuid(b[extUUID : extUUID+16])
	fs.Created, fs.LastMount, fs.LastWrite = unixTime(b[extMakeTime:]), unixTime(b[extMountTime:]), unixTime(b[extWriteTime:])
	fs.State = extStateText(le.Uint16(b[extState:]), incompat)
	r.Layouts = []Layout{{Of: "file", Size: r.Size, Regions: []Region{{RegionHeader, "superblock", extSuper, extSuperSize}}}}
	l := &r.Layouts[0]
	l.add(RegionData, fs.Type, extSuper+extSuperSize, min(fs.Size, r.Size)-extSuper-extSuperSize)
	if r.short(fs.Size, "the file system has %d bytes") {
		return
	}
	l.add(RegionTrailing, "", fs.Size, r.Size-fs.Size)
	if le.Uint32(b[extReadOnly:])&extMetaCsum != 0 && b[extChecksumType] == 1 {
		// The sum is kept as it is in the register, without the last inversion.
		if ^crc32.Checksum(b[:extChecksum], castagnoli) != le.Uint32(b[extChecksum:]) {
			r.wrong("bad superblock", extSuper, "the checksum of the superblock is wrong")
			return
		}
	}
	r.unproven("the file is complete; only e2fsck can tell whether its content is right")
}

func extStateText(state uint16, incompat uint32) string {
	switch {
	case incompat&extRecover != 0:
		return "was in use when it was copied: its journal holds changes"
	case state&extStateErrors != 0:
		return "has errors, recorded by the system that used it"
	case state&extStateClean != 0:
		return "clean"
	}
	return "not unmounted cleanly"
}

// unixTime shows seconds since 1970, empty for never.
func unixTime(b []byte) string {
	t := binary.LittleEndian.Uint32(b)
	if t == 0 {
		return ""
	}
	return time.Unix(int64(t), 0).UTC().Format(time.RFC3339)
}

// uuid shows 16 bytes in the order in which they are; empty for zeros.
func uuid(b []byte) string {
	if len(bytes.Trim(b, "\x00")) == 0 {
		return ""
	}
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// cstring is a text that ends at its first zero; what cannot be shown is replaced.
func cstring(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return strings.ToValidUTF8(string(b), "\uFFFD")
}

// isFAT wants a jump, a sector size, and one or two tables: the jump alone is not a mark.
func isFAT(b []byte) bool {
	if len(b) < 512 || b[0] != 0xEB && b[0] != 0xE9 || b[510] != 0x55 || b[511] != 0xAA {
		return false
	}
	sector := binary.LittleEndian.Uint16(b[11:])
	cluster := b[13]
	return (sector == 512 || sector == 1024 || sector == 2048 || sector == 4096) &&
		cluster != 0 && cluster&(cluster-1) == 0 && (b[16] == 1 || b[16] == 2) && binary.LittleEndian.Uint16(b[14:]) != 0
}

// fat inspects the boot sector of a FAT file system. Its kind follows from the number of
// clusters (Microsoft's FAT specification 1.03).
func (r *Report) fat(b []byte) {
	le := binary.LittleEndian
	sector := int64(le.Uint16(b[11:]))
	sectors, table := int64(le.Uint16(b[19:])), int64(le.Uint16(b[22:]))
	if sectors == 0 {
		sectors = int64(le.Uint32(b[32:]))
	}
	extended := b[36:]
	if table == 0 { // FAT32 has its extended fields further on
		table, extended = int64(le.Uint32(b[36:])), b[64:]
	}
	roots := (int64(le.Uint16(b[17:]))*32 + sector - 1) / sector
	clusters := (sectors - int64(le.Uint16(b[14:])) - int64(b[16])*table - roots) / int64(b[13])
	fs := &FileSystem{Size: sectors * sector, BlockSize: int64(b[13]) * sector, Type: "FAT32"}
	switch {
	case clusters < 4085:
		fs.Type = "FAT12"
	case clusters < 65525:
		fs.Type = "FAT16"
	}
	if extended[2] == 0x29 { // serial number and label follow
		serial := le.Uint32(extended[3:])
		fs.UUID = fmt.Sprintf("%04X-%04X", serial>>16, serial&0xFFFF)
		fs.Label = strings.TrimRight(cstring(extended[7:18]), " ")
	}
	r.Kind, r.FileSystem, r.Title = KindFAT, fs, fs.Type+" file system"
	r.Layouts = []Layout{{Of: "file", Size: r.Size}}
	l := &r.Layouts[0]
	l.add(RegionHeader, "boot sector", 0, sector)
	l.add(RegionData, fs.Type, sector, min(fs.Size, r.Size)-sector)
	switch {
	case clusters < 0 || fs.Size < sector:
		r.wrong("bad boot sector", 0, "the boot sector contradicts itself")
	case r.short(fs.Size, "the file system has %d bytes"):
	default:
		l.add(RegionTrailing, "", fs.Size, r.Size-fs.Size)
		r.unproven("the file is complete; the format has no checksum for its content")
	}
}

// Sizes of a yaffs2 page and its spare bytes on the phones that have it (sin/FORMAT.md §2.4).
const yaffsPage, yaffsSpare = 2048, 64

// yaffs2 inspects an image of flash with spare bytes. The spare bytes of the first page
// repeat what the page is: an object header.
func yaffs2(_ context.Context, rep *Report, s source) error {
	page := make([]byte, yaffsPage+yaffsSpare)
	r, err := s.open()
	if err != nil {
		return err
	}
	_, err = io.ReadFull(r, page)
	if e := r.Close(); e != nil {
		return e
	}
	rep.Kind, rep.Title = KindYaffs2, "yaffs2 file system with spare bytes"
	rep.FileSystem = &FileSystem{Type: "yaffs2", BlockSize: yaffsPage}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		rep.wrong("truncated", s.size, "it ends within its first page")
		return nil
	}
	if err != nil {
		return err
	}
	const unit = yaffsPage + yaffsSpare
	pages := s.size / unit
	rep.FileSystem.Size = pages * yaffsPage
	rep.Layouts = []Layout{{Of: "file", Size: s.size, Regions: []Region{{RegionData, "pages with spare bytes", 0, pages * unit}}}}
	if rest := s.size % unit; rest != 0 {
		rep.wrong("truncated", s.size, fmt.Sprintf("%d pages of %d bytes, and %d bytes of another one", pages, unit, rest))
		return nil
	}
	rep.unproven(fmt.Sprintf("%d complete pages; the known parts of the format have no checksum for their content", pages))
	return nil
}
