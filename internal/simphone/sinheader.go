package simphone

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
)

// Payload types of a version 3 SIN, sin/FORMAT.md §3.3.
const (
	payloadLoader = 0x20
	payloadHWConf = 0x22
	payloadLayout = 0x24
	payloadImage  = 0x27
	payloadBlob   = 0x2A

	payloadFirst, payloadLast = 0x20, 0x2A // what the header parser lets through
)

// Hash types of a version 3 SIN.
const (
	hashSHA1   = 1
	hashSHA256 = 2
)

// heap is more than the loader can have of memory for one thing. Its own limit was
// not read.
const heap = 64 << 20

// sinHeaderMin is the part before the hash list plus the certificate length.
const sinHeaderMin = 28

// A sinHeader is a version 3 header as the phone's own parser sees it. This
// package has its own parser because the phone's order of checks and its
// numbers are what it is about; package sin judges files.
type sinHeader struct {
	raw      []byte // without bytes after the header length
	kind     byte
	hashType byte
	blocks   []block
	signed   []byte // header up to the certificate blob
	blob     []byte // certificate blob
}

// A block is one entry of the hash list: the next so many bytes of the payload.
type block struct {
	length uint32
	hash   []byte
}

// total is the length of the payload.
func (h *sinHeader) total() (n int64) {
	for _, b := range h.blocks {
		n += int64(b.length)
	}
	return n
}

// parseSINHeader is the header parser of the Z3 Compact's loader: checks and
// numbers of sin/FORMAT.md §3.2, in that order. b is what commands 5 carried.
func parseSINHeader(b []byte) (*sinHeader, status) {
	if len(b) < sinHeaderMin {
		return nil, statusSINShort
	}
	if b[0] != 3 {
		return nil, statusSINVersion
	}
	if string(b[1:4]) != "SIN" {
		return nil, statusSINMagic
	}
	size := binary.BigEndian.Uint32(b[4:])
	if uint64(size) > uint64(len(b)) {
		return nil, statusSINHeaderSize
	}
	h := &sinHeader{raw: b[:size], kind: b[11], hashType: b[15]} // only the low bytes count
	if h.kind < payloadFirst || h.kind > payloadLast {
		return nil, statusSINType
	}
	hashSize := map[byte]int{hashSHA1: sha1.Size, hashSHA256: sha256.Size}[h.hashType]
	if hashSize == 0 {
		return nil, statusSINHashType
	}
	if size < sinHeaderMin {
		return nil, statusSINBlockList
	}
	list := uint64(binary.BigEndian.Uint32(b[20:]))
	entry := uint64(4 + hashSize)
	if list > heap {
		return nil, statusSINMemory
	}
	if list%entry != 0 || list > uint64(size)-sinHeaderMin {
		return nil, statusSINBufferSize
	}
	for at := uint64(24); at < 24+list; at += entry {
		h.blocks = append(h.blocks, block{binary.BigEndian.Uint32(b[at:]), b[at+4 : at+entry]})
	}
	blob := uint64(binary.BigEndian.Uint32(b[24+list:]))
	if blob > uint64(size)-sinHeaderMin-list {
		return nil, statusSINBufferSize
	}
	h.signed = b[:sinHeaderMin+list]
	h.blob = b[sinHeaderMin+list:][:blob]
	return h, 0
}

// algorithm is the hash type of the signature, 0 when the certificate blob is too
// short to have one.
func (h *sinHeader) algorithm() byte {
	if len(h.blob) < 4 {
		return 0
	}
	if at := 4 + int(binary.BigEndian.Uint16(h.blob[2:])); at < len(h.blob) {
		return h.blob[at]
	}
	return 0
}

// sum hashes a block with the hash of the list.
func (h *sinHeader) sum(data []byte) []byte { return digest(h.hashType, data) }

// digest is the hash of one of the two types; nil for others.
func digest(hashType byte, data []byte) []byte {
	switch hashType {
	case hashSHA1:
		d := sha1.Sum(data)
		return d[:]
	case hashSHA256:
		d := sha256.Sum256(data)
		return d[:]
	}
	return nil
}
