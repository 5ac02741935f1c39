package sin

import (
	"encoding/binary"
)

// The fixed parts of a version 3 header (FORMAT.md §3.1): 24 bytes before
// the hash list, and the length of the certificate blob after it.
const (
	fixed3   = 24
	minimum3 = fixed3 + 4
)

var magic3 = []byte("\x03SIN")

// readHeader3 reads a version 3 header; its first 4 bytes are in hr and right.
//
// Every length is cross-checked with the header length before it is followed, so
// that a damaged one is named instead of leading astray.
func readHeader3(hr *headerReader) (*Header, error) {
	if err := hr.need(fixed3); err != nil {
		return nil, err
	}
	be := binary.BigEndian
	headerLen := int64(be.Uint32(hr.buf[4:]))
	typeWord, hashWord := be.Uint32(hr.buf[8:]), be.Uint32(hr.buf[12:])
	listLen := int64(be.Uint32(hr.buf[20:]))
	switch {
	case headerLen < minimum3 || headerLen > maxHeader:
		return nil, fail(Malformed, 4, "the header length is %d; it must be %d to %d", headerLen, minimum3, maxHeader)
	case minimum3+listLen > headerLen:
		return nil, fail(Malformed, 20, "a hash list of %d bytes does not fit in a header of %d", listLen, headerLen)
	}
	return hr.sections(headerLen, fixed3, listLen, 4, func(h *Header) *Error {
		h.Version, h.Type, h.HashType = 3, PayloadType(typeWord), HashType(hashWord)
		return h.parse3(typeWord, hashWord, listLen)
	})
}

// parse3 checks the words of the header and reads the hash list. Only the low bytes
// of type and hash type count for the phone.
func (h *Header) parse3(typeWord, hashWord uint32, listLen int64) *Error {
	if typeWord > 0xFF {
		h.note(8, "the payload type %#x has more than one byte", typeWord)
	}
	if hashWord > 0xFF {
		h.note(12, "the hash type %#x has more than one byte", hashWord)
	}
	if reserved := binary.BigEndian.Uint32(h.Raw[16:]); reserved != 0 {
		h.note(16, "the reserved word is %#x", reserved)
	}
	switch {
	case h.Type < minType || h.Type > maxType:
		return fail(Malformed, 8, "payload type %#02x does not exist in version 3", uint8(h.Type))
	case !h.HashType.valid():
		return fail(Malformed, 12, "hash type %d does not exist", uint8(h.HashType))
	}
	size := int64(4 + h.HashType.Size())
	if listLen == 0 || listLen%size != 0 {
		return fail(Malformed, 20, "a hash list of %d bytes is not a whole number of %d-byte entries", listLen, size)
	}
	h.Blocks = make([]Block, 0, listLen/size)
	for at := int64(fixed3); at < fixed3+listLen; at += size {
		length := int64(binary.BigEndian.Uint32(h.Raw[at:]))
		if err := h.addBlock(at, length, h.Raw[at+4:at+size]); err != nil {
			return err
		}
	}
	return nil
}
