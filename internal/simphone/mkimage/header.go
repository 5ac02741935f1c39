package mkimage

import (
	"crypto"
	_ "crypto/sha1"   // hash type 1
	_ "crypto/sha256" // hash type 2
	"encoding/binary"
	"hash"

	"xflash/sin"
)

// appendHeader3 builds a header of version 3 (sin/FORMAT.md §3.1) up to the certificate blob, whose length it needs.
func appendHeader3(t sin.PayloadType, hash sin.HashType, blocks []sin.Block, certLen int) []byte {
	be := binary.BigEndian
	listLen := len(blocks) * (4 + hash.Size())
	out := []byte("\x03SIN")
	out = be.AppendUint32(out, uint32(24+4+listLen+certLen))
	out = be.AppendUint32(out, uint32(t))
	out = be.AppendUint32(out, uint32(hash))
	out = be.AppendUint32(out, 0)
	out = be.AppendUint32(out, uint32(listLen))
	for _, b := range blocks {
		out = be.AppendUint32(out, uint32(b.Length))
		out = append(out, b.Hash...)
	}
	return be.AppendUint32(out, uint32(certLen))
}

// appendHeader12 builds a header of version 1 or 2 (sin/FORMAT.md §2.1) up to the certificate blob, whose length it needs.
func appendHeader12(version int, t sin.PayloadType, hash sin.HashType, blocks []sin.Block, certLen int) []byte {
	be := binary.BigEndian
	listLen := len(blocks) * (9 + hash.Size())
	out := be.AppendUint32([]byte{byte(version), 0}, uint32(15+4+listLen+certLen))
	out = append(out, byte(t), 0, 0, 0, 0)
	out = be.AppendUint32(out, uint32(listLen))
	for _, b := range blocks {
		out = be.AppendUint32(out, uint32(b.Dest))
		out = be.AppendUint32(out, uint32(b.Length))
		out = append(append(out, byte(hash.Size())), b.Hash...)
	}
	return be.AppendUint32(out, uint32(certLen))
}

// blobHead builds the signed part of a certificate blob; length and value of the
// signature follow it.
func blobHead(chain [][]byte, hash sin.HashType) []byte {
	out := []byte{0, 1, 0, 0}
	for _, der := range chain {
		out = binary.BigEndian.AppendUint16(out, uint16(len(der)))
		out = append(out, der...)
	}
	binary.BigEndian.PutUint16(out[2:], uint16(len(out)-4))
	return append(out, byte(hash))
}

// function is the hash function of a type.
func function(t sin.HashType) crypto.Hash {
	if t == sin.SHA1 {
		return crypto.SHA1
	}
	return crypto.SHA256
}

func newHash(t sin.HashType) hash.Hash { return function(t).New() }

// sum is the hash of all parts together.
func sum(t sin.HashType, parts ...[]byte) []byte {
	h := newHash(t)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}
