package ftf

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"hash/crc32"
)

// rawZip builds archives byte by byte, also those no zip program would write. The
// layout is that of PKWARE's APPNOTE 6.3; every field can be set apart.
type rawZip struct {
	members []*rawMember
	prefix  []byte // before the first member
	gap     []byte // before the directory
	suffix  []byte // after the end record
	comment []byte
	zip64   bool           // write zip64 end records
	end     func(b []byte) // last change to the end record
	end64   func(b []byte) // last change to the zip64 end record
	locator func(b []byte) // last change to the zip64 locator
	central func(all []byte) []byte
}

type rawMember struct {
	name, localName string // localName empty: the same
	data            []byte // unpacked
	packed          []byte // nil: made from data
	method          uint16
	flags           uint16
	madeBy          uint16
	external        uint32
	described       bool           // sizes after the data instead of in the header
	descriptor      []byte         // instead of the true one
	unsigned        bool           // descriptor without signature
	wide            bool           // sizes in zip64 extra fields (and a wide descriptor)
	extra           []byte         // more extra field, local and central
	at              *int           // header offset to claim in the directory
	sharedWith      *rawMember     // no bytes of its own
	local, dir      func(b []byte) // last change to the header and the entry

	offset int
}

func deflated(data []byte) []byte {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestSpeed)
	w.Write(data)
	w.Close()
	return b.Bytes()
}

type leWriter struct{ bytes.Buffer }

func (w *leWriter) put(values ...any) {
	for _, v := range values {
		if err := binary.Write(w, binary.LittleEndian, v); err != nil {
			panic(err)
		}
	}
}

func (m *rawMember) pack() []byte {
	if m.packed != nil {
		return m.packed
	}
	if m.method == methodDeflate {
		return deflated(m.data)
	}
	return m.data
}

// sizes returns packed and unpacked size as the short fields have them, and the
// zip64 extra field.
func (m *rawMember) sizes(central bool) (packed, size uint32, extra []byte) {
	packed, size = uint32(len(m.pack())), uint32(len(m.data))
	var x leWriter
	if m.wide {
		x.put(uint16(1), uint16(16), uint64(size), uint64(packed))
		packed, size = 0xFFFFFFFF, 0xFFFFFFFF
	}
	return packed, size, append(x.Bytes(), m.extra...)
}

func (z *rawZip) bytes() []byte {
	var w leWriter
	w.Write(z.prefix)
	for _, m := range z.members {
		if m.sharedWith != nil {
			m.offset = m.sharedWith.offset
			continue
		}
		m.offset = w.Len()
		if m.described {
			m.flags |= flagDescriptor
		}
		crc := crc32.ChecksumIEEE(m.data)
		packed, size, extra := m.sizes(false)
		name := m.localName
		if name == "" {
			name = m.name
		}
		var h leWriter
		h.put(uint32(sigLocal), uint16(20), m.flags, m.method, uint16(0), uint16(0x21))
		if m.described {
			h.put(uint32(0), uint32(0), uint32(0))
			extra = m.extra
		} else {
			h.put(crc, packed, size)
		}
		h.put(uint16(len(name)), uint16(len(extra)), []byte(name), extra)
		if m.local != nil {
			m.local(h.Bytes())
		}
		w.Write(h.Bytes())
		w.Write(m.pack())
		switch {
		case m.descriptor != nil:
			w.Write(m.descriptor)
		case m.described:
			if !m.unsigned {
				w.put(uint32(sigDescriptor))
			}
			w.put(crc)
			if m.wide {
				w.put(uint64(len(m.pack())), uint64(len(m.data)))
			} else {
				w.put(uint32(len(m.pack())), uint32(len(m.data)))
			}
		}
	}
	w.Write(z.gap)
	directory := z.directory()
	at := w.Len()
	w.Write(directory)
	z.ends(&w, at, len(directory))
	w.Write(z.suffix)
	return w.Bytes()
}

func (z *rawZip) directory() []byte {
	var all leWriter
	for _, m := range z.members {
		packed, size, extra := m.sizes(true)
		offset := m.offset
		if m.at != nil {
			offset = *m.at
		}
		var d leWriter
		d.put(uint32(sigCentral), m.madeBy, uint16(20), m.flags, m.method, uint16(0), uint16(0x21),
			crc32.ChecksumIEEE(m.data), packed, size, uint16(len(m.name)), uint16(len(extra)), uint16(0),
			uint16(0), uint16(0), m.external, uint32(offset), []byte(m.name), extra)
		if m.dir != nil {
			m.dir(d.Bytes())
		}
		all.Write(d.Bytes())
	}
	if z.central != nil {
		return z.central(all.Bytes())
	}
	return all.Bytes()
}

func (z *rawZip) ends(w *leWriter, at, length int) {
	count := len(z.members)
	end64At := w.Len()
	if z.zip64 {
		var e leWriter
		e.put(uint32(sigEnd64), uint64(44), uint16(45), uint16(45), uint32(0), uint32(0),
			uint64(count), uint64(count), uint64(length), uint64(at))
		if z.end64 != nil {
			z.end64(e.Bytes())
		}
		w.Write(e.Bytes())
		var l leWriter
		l.put(uint32(sigLocator64), uint32(0), uint64(end64At), uint32(1))
		if z.locator != nil {
			z.locator(l.Bytes())
		}
		w.Write(l.Bytes())
	}
	var e leWriter
	if z.zip64 {
		e.put(uint32(sigEnd), uint16(0), uint16(0), uint16(0xFFFF), uint16(0xFFFF), uint32(0xFFFFFFFF), uint32(0xFFFFFFFF))
	} else {
		e.put(uint32(sigEnd), uint16(0), uint16(0), uint16(count), uint16(count), uint32(length), uint32(at))
	}
	e.put(uint16(len(z.comment)), z.comment)
	if z.end != nil {
		z.end(e.Bytes())
	}
	w.Write(e.Bytes())
}

// plain is an archive with one small image, and further members.
func plain(more ...*rawMember) *rawZip {
	return &rawZip{members: append([]*rawMember{{name: "kernel.sin", data: []byte("kernel image")}}, more...)}
}

func put16(at int, v uint16) func([]byte) {
	return func(b []byte) { binary.LittleEndian.PutUint16(b[at:], v) }
}

func put32(at int, v uint32) func([]byte) {
	return func(b []byte) { binary.LittleEndian.PutUint32(b[at:], v) }
}

func put64(at int, v uint64) func([]byte) {
	return func(b []byte) { binary.LittleEndian.PutUint64(b[at:], v) }
}
