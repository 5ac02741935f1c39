package restore

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"

	"xflash/ftf"
	"xflash/internal/phone"
	"xflash/sin"
)

// Phones of 2017 and later: their files are archives that carry a signature which only the
// phone can judge (sin/FORMAT.md §6), their targets are names, and their protocol is another
// (usbproto/command/PROTOCOL.md).

// command reports whether the firmware is for a phone of 2017 or later.
func (fw *Firmware) command() bool {
	return fw.Family != nil && fw.Family.Protocol == phone.ProtocolCommand
}

// accepts is an error when the phones refuse a version of SIN files.
func (fw *Firmware) accepts(version int) error {
	switch {
	case fw.command() && version < 4:
		return unfit(fmt.Sprintf("it is a SIN file of version %d, but these phones accept versions 4 and 5", version))
	case !fw.command() && version != 3:
		return unfit(fmt.Sprintf("it is a SIN file of version %d, but these phones accept version 3", version))
	}
	return nil
}

// SpeaksCommands reports whether the first image of a bundle is one for phones of 2017 and
// later.
func SpeaksCommands(b *ftf.Bundle) bool {
	images := b.Images()
	if len(images) == 0 {
		return false
	}
	r, err := images[0].Open()
	if err != nil {
		return false
	}
	head := make([]byte, sin.DetectSize)
	n, _ := io.ReadFull(r, head) // a short file is not an archive
	_ = r.Close()                // it was not read to its end
	return sin.Detect(head[:n]) > 3
}

// describeArchive keeps what was found in an archive that was read whole.
func (it *Item) describeArchive(report *sin.Report) {
	a := report.Archive
	if a == nil {
		return
	}
	it.Archive, it.HeaderSHA256 = a, hex.EncodeToString(a.Fingerprint())
	for _, p := range report.Parts {
		it.avb = parseAVB(p.Head)
	}
}

// readName reads only what an archive is for.
func (it *Item) readName(r io.Reader) error {
	a, err := sin.OpenArchive(r)
	if err != nil {
		return err
	}
	it.Archive, it.blind = &sin.Archive{Name: a.Name, Bytes: len(a.CMS)}, false
	return nil
}

// sent is how many bytes of an archive go to the phone.
func (it *Item) sent() (n int64) {
	if it.Archive == nil {
		return 0
	}
	n = int64(it.Archive.Bytes)
	for _, c := range it.Archive.Chunks {
		n += c.Size
	}
	return n
}

// avbHeader is what protects a phone from older firmware (Android Verified Boot 2.0): the
// phone keeps the highest index of each location, and starts nothing that has a lower one.
type avbHeader struct {
	index    uint64
	location uint32
}

// parseAVB reads the header of a vbmeta image: AVB0, rollback_index big-endian at byte 112 and
// rollback_index_location at 124; nil when it is none.
func parseAVB(head []byte) *avbHeader {
	if len(head) < 128 || string(head[:4]) != "AVB0" {
		return nil
	}
	return &avbHeader{binary.BigEndian.Uint64(head[112:]), binary.BigEndian.Uint32(head[124:])}
}
