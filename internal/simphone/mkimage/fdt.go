package mkimage

import (
	"encoding/binary"

	"xflash/fastboot/bootimg"
)

// Node is a node of a device tree to be built.
type Node struct {
	Name     string // the root has none
	Props    []bootimg.Property
	Children []Node
}

// Words makes a property of big-endian words.
func Words(name string, words ...uint32) bootimg.Property {
	var v []byte
	for _, w := range words {
		v = binary.BigEndian.AppendUint32(v, w)
	}
	return bootimg.Property{Name: name, Value: v}
}

// Text makes a property of strings.
func Text(name string, texts ...string) bootimg.Property {
	var v []byte
	for _, s := range texts {
		v = append(append(v, s...), 0)
	}
	return bootimg.Property{Name: name, Value: v}
}

// Build makes the flattened tree with n as its root: version 17, no memory
// reservations, each property name once (fastboot/bootimg/FORMAT.md §2.2).
func (n Node) Build() []byte {
	w := fdtWriter{names: map[string]uint32{}}
	w.node(n)
	w.word(9)
	const fdtHeaderLen, reserved = 40, 16 // the second is one empty entry of the reservation map
	structBegin := uint32(fdtHeaderLen + reserved)
	stringsBegin := structBegin + uint32(len(w.structure))
	var b []byte
	b = append(b, bootimg.FDTMagic...)
	for _, v := range []uint32{stringsBegin + uint32(len(w.strings)), structBegin, stringsBegin, fdtHeaderLen, 17, 16, 0,
		uint32(len(w.strings)), uint32(len(w.structure))} {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	b = append(b, make([]byte, reserved)...)
	b = append(b, w.structure...)
	return append(b, w.strings...)
}

type fdtWriter struct {
	structure, strings []byte
	names              map[string]uint32
}

func (w *fdtWriter) word(v uint32) { w.structure = binary.BigEndian.AppendUint32(w.structure, v) }

func (w *fdtWriter) bytes(b []byte) {
	w.structure = append(w.structure, b...)
	w.structure = append(w.structure, make([]byte, -len(b)&3)...)
}

func (w *fdtWriter) node(n Node) {
	w.word(1)
	w.bytes(append([]byte(n.Name), 0))
	for _, p := range n.Props {
		at, ok := w.names[p.Name]
		if !ok {
			at = uint32(len(w.strings))
			w.names[p.Name] = at
			w.strings = append(append(w.strings, p.Name...), 0)
		}
		w.word(3)
		w.word(uint32(len(p.Value)))
		w.word(at)
		w.bytes(p.Value)
	}
	for _, c := range n.Children {
		w.node(c)
	}
	w.word(2)
}
