package sin

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"
)

// DefaultBlockSize is the block size that Sony's signer is called with
// (sin-ftf-format.md §3.1).
const DefaultBlockSize = 0x80000

// Payload is what a SIN is built around.
type Payload struct {
	Head []byte // comes first and gets a block of its own: the map of an image
	// Body writes the rest. It is called twice and must write the same bytes.
	Body func(w io.Writer) error
}

// BytesPayload is a payload in memory.
func BytesPayload(b []byte) Payload {
	return Payload{Body: func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	}}
}

// Signer makes signatures: a key and the certificates that vouch for it.
type Signer struct {
	Key   *rsa.PrivateKey
	Chain [][]byte // DER; the first is that of Key
	Hash  HashType // 0 is SHA-256
}

// Builder makes SIN files of version 3.
type Builder struct {
	Type      PayloadType
	HashType  HashType // of the blocks; 0 is SHA-256
	BlockSize int64    // bytes; 0 is DefaultBlockSize
	Signer    *Signer
	Blob      []byte // certificate blob as it is, when Signer is nil
}

// Build writes a SIN. The payload is made twice, once for its hashes and once for the
// file, so nothing of it is kept in memory.
func (b Builder) Build(w io.Writer, p Payload) error {
	hashType := b.HashType
	if hashType == NoHash {
		hashType = SHA256
	}
	blocks, err := b.hash(p, io.Discard, hashType)
	if err != nil {
		return err
	}
	if len(blocks) == 0 {
		return errors.New("a SIN cannot have an empty payload")
	}
	blob, head := b.Blob, []byte(nil)
	certLen := len(blob)
	if b.Signer != nil {
		head = blobHead(b.Signer.Chain, b.Signer.hash())
		certLen = len(head) + 2 + b.Signer.Key.Size()
	}
	header := appendHeader3(b.Type, hashType, blocks, certLen)
	if b.Signer != nil {
		if blob, err = b.Signer.blob(head, header); err != nil {
			return err
		}
	}
	if _, err := w.Write(append(header, blob...)); err != nil {
		return err
	}
	again, err := b.hash(p, w, hashType)
	if err != nil {
		return err
	}
	if len(again) != len(blocks) || !bytes.Equal(again[len(again)-1].Hash, blocks[len(blocks)-1].Hash) {
		return errors.New("the payload changed while the SIN was built")
	}
	return nil
}

func (s *Signer) hash() HashType {
	if s.Hash == NoHash {
		return SHA256
	}
	return s.Hash
}

// blob completes a certificate blob whose signed part is head, for a header.
func (s *Signer) blob(head, header []byte) ([]byte, error) {
	sig := &Signature{Hash: s.hash(), head: head, header: header}
	value, err := rsa.SignPKCS1v15(rand.Reader, s.Key, sig.Hash.function(), sig.Digest())
	if err != nil {
		return nil, fmt.Errorf("signing the header: %w", err)
	}
	return append(append(head, byte(len(value)>>8), byte(len(value))), value...), nil
}

// hash runs the payload into w and gives its blocks.
func (b Builder) hash(p Payload, w io.Writer, t HashType) ([]Block, error) {
	size := b.BlockSize
	if size == 0 {
		size = DefaultBlockSize
	}
	if size < 0 || size > math.MaxUint32 || int64(len(p.Head)) > math.MaxUint32 {
		return nil, fmt.Errorf("a block of %d bytes does not fit in the header", size)
	}
	cut := &blockCutter{w: w, size: math.MaxUint32, hash: t.function().New()}
	if _, err := cut.Write(p.Head); err != nil {
		return nil, err
	}
	cut.end()
	cut.size = size
	if err := p.Body(cut); err != nil {
		return nil, err
	}
	cut.end()
	return cut.blocks, nil
}

// blockCutter hashes what passes in blocks of a size.
type blockCutter struct {
	w      io.Writer
	size   int64
	hash   hash.Hash
	length int64 // of the current block
	blocks []Block
}

func (c *blockCutter) Write(p []byte) (int, error) {
	done := 0
	for done < len(p) {
		n := int(min(int64(len(p)-done), c.size-c.length))
		c.hash.Write(p[done : done+n])
		wrote, err := c.w.Write(p[done : done+n])
		done += wrote
		if err != nil {
			return done, err
		}
		if c.length += int64(n); c.length == c.size {
			c.end()
		}
	}
	return done, nil
}

// end closes the current block, if it has any bytes.
func (c *blockCutter) end() {
	if c.length == 0 {
		return
	}
	c.blocks = append(c.blocks, Block{Length: c.length, Hash: c.hash.Sum(nil)})
	c.length = 0
	c.hash.Reset()
}
