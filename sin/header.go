package sin

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sort"
)

// maxHeader bounds the header (FORMAT.md §9). A real one of a 4 GiB image
// has some 300 KiB.
const maxHeader = 16 << 20

// Header is everything before the payload.
type Header struct {
	Version  int    // 1 to 3; in a Report also 4 and 5, which have no header, so all else is empty
	Raw      []byte // from byte 0 to the payload: what S1 command 5 sends, bit for bit
	Type     PayloadType
	HashType HashType // of the blocks
	Blocks   []Block

	// Blob is the certificate blob, CertOffset its place in Raw.
	Blob       []byte
	CertOffset int
	// Signature is the blob taken apart, nil when it cannot be.
	Signature *Signature
	// Slack is the number of bytes between the blob and the payload. Real files have none.
	Slack int
	// Notes are odd but harmless things.
	Notes []Note

	sigErr error // why Signature is nil
}

// Block is one entry of the hash list: a run of payload bytes.
type Block struct {
	Offset int64 // in the file
	Length int64 // bytes
	// Dest is only in versions 1 and 2: the load address, or the offset in a dump of the
	// partition in bytes (sectors and spare bytes are taken into account).
	Dest int64
	Hash []byte // of these bytes
}

// Size is the size of the whole file in bytes.
func (h *Header) Size() int64 { return int64(len(h.Raw)) + h.PayloadSize() }

// PayloadSize is the number of bytes after the header.
func (h *Header) PayloadSize() int64 {
	if len(h.Blocks) == 0 {
		return 0
	}
	last := h.Blocks[len(h.Blocks)-1]
	return last.Offset + last.Length - int64(len(h.Raw))
}

// Certificate is the signer's certificate, nil when the blob is damaged.
func (h *Header) Certificate() *Certificate {
	if h.Signature == nil {
		return nil
	}
	return h.Signature.Chain[0]
}

// isLoader reports whether the payload is code that a boot stage loads.
func (h *Header) isLoader() bool {
	return h.Version == 3 && h.Type == TypeLoader || h.Version < 3 && (h.Type == TypeLoader12 || h.Type == TypeBoot12)
}

// isLayout reports whether the payload is a Layout.
func (h *Header) isLayout() bool { return h.Version == 3 && h.Type == TypeLayout }

// Signer is the subject of the certificate, which is the signer's role: S1_SW,
// S1_Boot, S1_Loader, S1_Cust, S1_HWConf, ... It is empty when the blob is damaged.
func (h *Header) Signer() string {
	if c := h.Certificate(); c != nil {
		return c.Subject
	}
	return ""
}

// Issuer is the name of the root that signed the certificate: S1_Root_9c84.
func (h *Header) Issuer() string {
	if c := h.Certificate(); c != nil {
		return c.Issuer
	}
	return ""
}

// Unsendable says why a phone in S1 flash mode must not get the file, as far as its header
// tells, whole and genuine as it may be; "" when nothing contradicts it.
func (h *Header) Unsendable() string {
	if h.Version > 3 {
		return fmt.Sprintf("version %d is for phones of 2017 and later, which speak another protocol", h.Version)
	}
	if h.Version == 3 && h.HashType == SHA1 {
		return "SHA-1 block hashes in a version 3 header crash the loader"
	}
	if h.Version == 3 && h.Signature != nil && h.Signature.Hash == SHA1 {
		return "a version 3 header whose signature is over SHA-1 crashes the loader"
	}
	return ""
}

func (h *Header) note(offset int64, format string, args ...any) {
	h.Notes = append(h.Notes, Note{Offset: offset, Text: fmt.Sprintf(format, args...)})
}

// ReadHeader reads exactly the header of a SIN of version 1, 2 or 3 from r. size is
// the size of the whole file in bytes, or -1 when it is unknown.
//
// The header's own lengths, the hash list and size must agree. When they do not and
// the signature proves that the header is not what was signed, that is the reason
// given. Whenever the header could be taken apart it is returned next to the error.
func ReadHeader(r io.Reader, size int64) (*Header, error) {
	hr := &headerReader{r: r, size: size}
	if err := hr.need(4); err != nil {
		right, seen := looksLike12(hr.buf)
		if errors.Is(err, Because(Truncated)) && !bytes.HasPrefix(magic3, hr.buf) && right < seen {
			return nil, fail(NotSIN, 0, "only %d bytes, without the magic number of any version", len(hr.buf))
		}
		return nil, err
	}
	switch {
	case bytes.Equal(hr.buf, magic3):
		return readHeader3(hr)
	case hr.buf[0] == 1 || hr.buf[0] == 2:
		return readHeader12(hr)
	case bytes.HasPrefix(hr.buf, magicGzip):
		return nil, fail(NotSIN, 0, "a gzip file; versions 4 and 5 are archives without their own header")
	}
	return nil, fail(NotSIN, 0, "the first bytes % x match no version", hr.buf)
}

// sections reads the rest of a header whose list of listLen bytes follows its fixed
// part: list, length of the blob, blob, and whatever is left up to headerLen, whose own
// place is lengthAt. Every length is cross-checked with headerLen before it is followed,
// so that a damaged one is named instead of leading astray. parse then takes the fixed
// part and the list apart.
func (hr *headerReader) sections(headerLen, fixed, listLen, lengthAt int64, parse func(*Header) *Error) (*Header, error) {
	blobAt := fixed + listLen + 4
	if err := hr.need(blobAt); err != nil {
		return nil, err
	}
	certLen := int64(binary.BigEndian.Uint32(hr.buf[blobAt-4:]))
	end := blobAt + certLen
	if end > headerLen {
		return nil, fail(Malformed, blobAt-4, "a certificate of %d bytes does not fit in a header of %d", certLen, headerLen)
	}
	if err := hr.need(end); err != nil {
		return nil, err
	}
	if hr.size >= end && hr.size < headerLen {
		return nil, fail(Malformed, lengthAt, "the header length is %d, but the header's parts end at %d and the file at %d", headerLen, end, hr.size)
	}
	if err := hr.need(headerLen); err != nil {
		return nil, err
	}
	h := &Header{Raw: hr.buf, CertOffset: int(blobAt), Blob: hr.buf[blobAt:end], Slack: int(headerLen - end)}
	return h.finish(hr, parse(h))
}

// finish checks what all versions have in common once the header is taken apart:
// problem is the first rule that was broken on the way, nil if none.
func (h *Header) finish(hr *headerReader, problem *Error) (*Header, error) {
	if h.Signature, h.sigErr = parseSignature(h.Blob, int64(h.CertOffset)); h.Signature != nil {
		h.Signature.header = h.Raw[:h.CertOffset]
	}
	if whole := h.Raw[h.CertOffset:]; problem == nil && h.Slack > 0 && h.Signature == nil {
		if s, _ := parseSignature(whole, int64(h.CertOffset)); s != nil {
			problem = fail(Malformed, int64(h.CertOffset)-4, "the certificate blob has %d bytes, but its length says %d", len(whole), len(h.Blob))
		}
	}
	if h.Slack > 0 {
		h.note(int64(len(h.Raw)-h.Slack), "%d unused bytes between certificate and payload", h.Slack)
	}
	if problem == nil && hr.size >= 0 && hr.size < h.Size() {
		problem = fail(Truncated, hr.size, "the file has %d bytes, but its header says %d", hr.size, h.Size())
		problem.Block = h.blockAt(hr.size)
	}
	if problem == nil && hr.size > h.Size() {
		problem = fail(Trailing, h.Size(), "the file has %d bytes, but its header says %d", hr.size, h.Size())
	}
	if problem == nil {
		return h, nil
	}
	// A length that was changed looks like a file that was cut. The signature knows.
	if err := h.VerifySignature(); errors.Is(err, Because(HeaderChanged)) {
		return h, &Error{Reason: HeaderChanged, Offset: -1, Block: -1, Detail: "it is not the header that was signed", Err: problem}
	}
	return h, problem
}

// blockAt is the index of the block that holds the file offset, -1 when none does.
func (h *Header) blockAt(offset int64) int {
	i := sort.Search(len(h.Blocks), func(i int) bool { return h.Blocks[i].Offset+h.Blocks[i].Length > offset })
	if i == len(h.Blocks) || offset < h.Blocks[i].Offset {
		return -1
	}
	return i
}

// addBlock appends a block after the others; entry is the file offset of its entry in the
// hash list. A header has no room for so many 32-bit lengths that their sum could overflow.
func (h *Header) addBlock(entry, length int64, hash []byte) *Error {
	if length == 0 {
		return &Error{Reason: Malformed, Offset: entry, Block: len(h.Blocks), Detail: "a block of the hash list is empty"}
	}
	h.Blocks = append(h.Blocks, Block{Offset: h.Size(), Length: length, Hash: hash})
	return nil
}

// headerReader reads a header piece by piece, never more than asked for.
type headerReader struct {
	r    io.Reader
	size int64 // of the file, -1 unknown
	base int64 // file offset of buf
	buf  []byte
}

// need makes the first n bytes available in buf. It allocates at most
// twice what has really arrived.
func (hr *headerReader) need(n int64) error {
	for int64(len(hr.buf)) < n {
		have := len(hr.buf)
		want := min(n, max(4096, 2*int64(have)))
		grown := make([]byte, want)
		copy(grown, hr.buf)
		got, err := io.ReadFull(hr.r, grown[have:])
		hr.buf = grown[:have+got]
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return fail(Truncated, hr.base+int64(len(hr.buf)), "the file ends early")
		}
		if err != nil {
			return err
		}
	}
	return nil
}
