package bootimg

import "encoding/binary"

// Node is a node of a device tree to be built.
type Node struct {
	Name     string // the root has none
	Props    []Property
	Children []Node
}

// Words makes a property of big-endian words.
func Words(name string, words ...uint32) Property {
	var v []byte
	for _, w := range words {
		v = binary.BigEndian.AppendUint32(v, w)
	}
	return Property{Name: name, Value: v}
}

// Text makes a property of strings.
func Text(name string, texts ...string) Property {
	var v []byte
	for _, s := range texts {
		v = append(append(v, s...), 0)
	}
	return Property{Name: name, Value: v}
}

// Build makes the flattened tree with n as its root: version 17, no memory
// reservations, each property name once.
func (n Node) Build() []byte {
	w := fdtWriter{names: map[string]uint32{}}
	w.node(n)
	w.word(fdtEnd)
	const reserved = 16 // one empty entry of the reservation map
	structBegin := uint32(fdtHeaderLen + reserved)
	stringsBegin := structBegin + uint32(len(w.structure))
	var b []byte
	b = append(b, FDTMagic...)
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
	w.structure = append(w.structure, make([]byte, roundUp(int64(len(b)), 4)-int64(len(b)))...)
}

func (w *fdtWriter) node(n Node) {
	w.word(fdtBeginNode)
	w.bytes(append([]byte(n.Name), 0))
	for _, p := range n.Props {
		at, ok := w.names[p.Name]
		if !ok {
			at = uint32(len(w.strings))
			w.names[p.Name] = at
			w.strings = append(append(w.strings, p.Name...), 0)
		}
		w.word(fdtProperty)
		w.word(uint32(len(p.Value)))
		w.word(at)
		w.bytes(p.Value)
	}
	for _, c := range n.Children {
		w.node(c)
	}
	w.word(fdtEndNode)
}
