package bootimg

import (
	"crypto/sha1"
	"encoding/binary"
)

// ComputeID is the id that mkbootimg gives a v0 to v2 image: SHA-1 over each
// section, followed by its size as a little-endian word, zeros after it
// (FORMAT.md §1.5). Kernel, ramdisk and second stage always count.
// Loaders ignore it, and the fastboot client leaves it zero.
func (m *Image) ComputeID() [32]byte { return m.computeID(true) }

func (m *Image) computeID(withDT bool) (id [32]byte) {
	sum := sha1.New()
	add := func(b []byte) {
		sum.Write(b)
		sum.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(b))))
	}
	add(m.Kernel)
	add(m.Ramdisk)
	add(m.Second)
	if len(m.DT) > 0 && withDT {
		add(m.DT)
	}
	if m.Version > 0 {
		add(m.RecoveryDTBO)
	}
	if m.Version > 1 {
		add(m.DTB)
	}
	sum.Sum(id[:0])
	return id
}

// IDState says what the id of an image is.
type IDState int

// States of an id. IDWithoutDT hints that a tool which does not know of dt_size
// packed the image.
const (
	IDNone      IDState = iota // zero, or a version without ids
	IDRight                    // that of the sections
	IDWithoutDT                // that of the sections without the device tree table
	IDOther                    // something else
)

// CheckID compares the stored id with the sections.
func (m *Image) CheckID() IDState {
	switch m.ID {
	case [32]byte{}:
		return IDNone
	case m.computeID(true):
		return IDRight
	case m.computeID(false):
		return IDWithoutDT
	}
	return IDOther
}
