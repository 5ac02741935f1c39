package sin

import (
	"crypto"
	_ "crypto/sha1"   // hash type 1
	_ "crypto/sha256" // hash type 2
	"fmt"
)

// PayloadType says what the payload is for (FORMAT.md §2.3, §3.3). The
// numbers of versions 1 and 2 and those of version 3 do not meet.
type PayloadType uint8

// Payload types of version 3.
const (
	TypeLoader PayloadType = 0x20 // code for the loader stage
	TypeHWConf PayloadType = 0x22 // hardware configuration, stored whole in unit 2003
	TypeLayout PayloadType = 0x24 // partition layouts, Layout
	TypeImage  PayloadType = 0x27 // partition data, Map
	TypeRaw    PayloadType = 0x2A // accepted by the phone and discarded (usbproto/s1/PROTOCOL.md §11.13)
)

// The range of types whose header a phone accepts (FORMAT.md §3.2).
const minType, maxType = 0x20, 0x2A

// String returns the number and, where known, the use.
func (t PayloadType) String() string {
	name := map[PayloadType]string{
		TypeLoader: "loader", TypeHWConf: "hardware configuration", TypeLayout: "partition layout",
		TypeImage: "partition data", TypeRaw: "raw blob",
		TypeLoader12: "loader", TypeBoot12: "boot loader", TypeFlash12: "partition data",
		TypeSpare12: "partition data with spare bytes", TypeTable12: "partition table", TypeSectors12: "partition data by sectors",
	}[t]
	if name == "" {
		return fmt.Sprintf("%#02x", uint8(t))
	}
	return fmt.Sprintf("%#02x (%s)", uint8(t), name)
}

// HashType is the number of a hash function, the same in the header, in the
// certificate blob and in the map.
type HashType uint8

// Hash types.
const (
	NoHash HashType = 0 // only in the map
	SHA1   HashType = 1
	SHA256 HashType = 2
)

// Size is the length of a hash in bytes.
func (t HashType) Size() int {
	if !t.valid() {
		return 0
	}
	return t.function().Size()
}

// String names the hash function.
func (t HashType) String() string {
	switch {
	case t == NoHash:
		return "none"
	case t.valid():
		return t.function().String()
	}
	return fmt.Sprintf("hash type %d", uint8(t))
}

// function is the hash function itself; t is SHA1 or SHA256.
func (t HashType) function() crypto.Hash {
	if t == SHA1 {
		return crypto.SHA1
	}
	return crypto.SHA256
}

// valid reports whether t is a hash function.
func (t HashType) valid() bool { return t == SHA1 || t == SHA256 }

// sum is the hash of data.
func (t HashType) sum(parts ...[]byte) []byte {
	h := t.function().New()
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}
