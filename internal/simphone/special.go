package simphone

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"xflash/internal/simphone/mkimage"
	"xflash/internal/trimarea"
	"xflash/sin/gpt"
)

// A layoutWriter is the sink of a partition layout (type 0x24).
type layoutWriter struct {
	image *image
	data  []byte
}

func (w *layoutWriter) write(data []byte) status {
	if len(w.data)+len(data) > maxSpecial {
		return statusSpecialBuffer
	}
	w.data = append(w.data, data...)
	return 0
}

// finish picks the layout for this phone's disk and writes it, unless it is
// there already. The data of the partitions stay where they are.
func (w *layoutWriter) finish() status {
	s := w.image.session
	d := s.phone.disk
	sectors := uint64(d.size / gpt.SectorSize)
	entries, why := pickLayout(w.data, sectors)
	if why != 0 {
		return why
	}
	if !s.model.knowsChain(entries) {
		return statusNoPartition
	}
	table := &gpt.Table{DiskGUID: diskGUID, Sectors: sectors, Entries: entries}
	if d.table() != nil {
		table.DiskGUID = d.table().DiskGUID
		if slices.Equal(d.table().Entries, entries) {
			s.note("partition layout is there already")
			return 0
		}
	}
	if s.lose {
		return statusReadBack
	}
	if err := mkimage.WriteGPT(d.file, table); err != nil {
		return statusLayoutFormat
	}
	d.loadTable()
	s.note(fmt.Sprintf("partition layout written: %d partitions", len(entries)))
	return 0
}

// layoutDevice is the number of the phone's only storage device in a layout.
const layoutDevice = 0

// pickLayout reads a payload of type 0x24 (sin/FORMAT.md §4.4, little-endian)
// and returns the entries of the layout with the largest end that fits.
func pickLayout(b []byte, sectors uint64) ([]gpt.Entry, status) {
	if len(b) < 8 || b[0] != 2 || b[2] != 1 {
		return nil, statusLayoutFormat
	}
	count := binary.LittleEndian.Uint32(b[4:])
	b = b[8:]
	var best []gpt.Entry
	var bestEnd uint64
	for range count {
		if len(b) < 8 {
			return nil, statusLayoutFormat
		}
		device, n := binary.LittleEndian.Uint32(b), uint64(binary.LittleEndian.Uint32(b[4:]))
		b = b[8:]
		if n > uint64(len(b))/gpt.EntrySize {
			// The phone reads on after the payload, whatever is there.
			return nil, statusLayoutFormat
		}
		if device != layoutDevice {
			b = b[n*gpt.EntrySize:]
			continue
		}
		entries, end, why := readEntries(b[:n*gpt.EntrySize])
		if why != 0 {
			return nil, why
		}
		b = b[n*gpt.EntrySize:]
		if end+tableSectors < sectors && end > bestEnd {
			best, bestEnd = entries, end
		}
	}
	if best == nil {
		return nil, statusNoLayout
	}
	return best, 0
}

// readEntries reads the entries of one layout and returns its last sector.
func readEntries(b []byte) (entries []gpt.Entry, end uint64, why status) {
	for raw := range slices.Chunk(b, gpt.EntrySize) {
		e, err := gpt.ParseEntry(raw)
		if err != nil || e.First > e.Last || !e.Used() {
			return nil, 0, statusLayoutFormat
		}
		entries = append(entries, e)
		end = max(end, e.Last)
	}
	if gpt.CheckEntries(entries) != nil {
		return nil, 0, statusLayoutFormat // overlap or the same id twice
	}
	return entries, end, 0
}

// layout21 answers command 21: the present layout as kind 5, count and entries,
// little-endian (usbproto/s1/PROTOCOL.md §11.10).
func layout21(s *session, _ packetHeader, data []byte) ([]byte, *refusal) {
	const kindGPT = 5
	if len(data) > 1 {
		return nil, minor(codeLayout, statusCmdParam)
	}
	if len(data) == 1 && data[0] != layoutDevice {
		return nil, minor(codeLayout, statusCmdParam)
	}
	table := s.phone.disk.table()
	if table == nil {
		return nil, minor(codeLayout, statusNoLayout)
	}
	whole := func() []byte { return layoutReply(kindGPT, table) }
	if s.model.layoutParts {
		return s.parts.next(cmdLayout, layoutPart, whole), nil
	}
	return whole(), nil
}

// layoutPart is how much a part of the answer has with the loaders that cut it. The
// real number is unknown; it is less than the 3464 bytes of 27 partitions.
const layoutPart = 1024

func layoutReply(kind uint32, table *gpt.Table) []byte {
	b := binary.LittleEndian.AppendUint32(nil, kind)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(table.Entries)))
	for _, e := range table.Entries {
		b, _ = mkimage.AppendEntry(b, e) // came from a table, so its name fits
	}
	return b
}

// knowsChain reports that a layout has the boot chain as this loader's table knows
// it: both partitions of every group, by their unique ids. One that has not is refused
// with 801C003B (usbproto/s1/PROTOCOL.md §11.14).
func (m *loaderModel) knowsChain(entries []gpt.Entry) bool {
	for _, set := range m.sets {
		for _, label := range set {
			row := m.row(label)
			for _, id := range []gpt.GUID{row.primary, row.alternate} {
				if !slices.ContainsFunc(entries, func(e gpt.Entry) bool { return e.Unique == id }) {
					return false
				}
			}
		}
	}
	return true
}

// A hwConfWriter is the sink of a hardware configuration (type 0x22).
type hwConfWriter struct {
	image *image
	data  []byte
}

func (w *hwConfWriter) write(data []byte) status {
	if len(w.data)+len(data) > maxSpecial {
		return statusSpecialBuffer
	}
	w.data = append(w.data, data...)
	return 0
}

func (w *hwConfWriter) finish() status {
	s := w.image.session
	if why := s.sec.admit(w.image.signer); why != 0 && s.sec.enforced(w.image.signer.role) {
		return why
	}
	conf, err := trimarea.ParseHWConf(w.data)
	if err != nil {
		var where *trimarea.HWConfError
		if errors.As(err, &where) && where.Field == "device id list" {
			return statusHWConfFormat
		}
		return statusHWConfGarbage
	}
	listed := func(id []byte) bool { return bytes.Equal(id, s.sec.uniqueID) }
	if !slices.ContainsFunc(conf.DeviceIDs, listed) {
		return statusDieID
	}
	s.sec.conf = conf // stays when it cannot be stored, and images are then judged by it
	if !s.trim.put(unitHWConf, slices.Concat(w.image.header.raw, w.data)) {
		return statusHWConfStore
	}
	return 0
}
