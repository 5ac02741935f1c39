// Package mkimage makes what the program itself only reads: SIN files of all versions, the
// partition layouts in them, and partition tables; kernels, ramdisks, device trees and Sony's
// ELF images, small ones that have everything by which real ones are recognised. Simulated
// phones and tests need them.
//
// Facts: sin/FORMAT.md and fastboot/bootimg/FORMAT.md, cited by section; for partition tables
// the UEFI specification 2.x chapter 5. What makes an image shares types and constants with its
// parser, and gpt.CheckEntries, but no code that reads or writes.
package mkimage

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"
	"slices"

	"xflash/sin"
)

// DefaultBlockSize is the block size that Sony's signer is called with
// (sin/FORMAT.md §3.1).
const DefaultBlockSize = 0x80000

// DefaultBlockSize12 is that of versions 1 and 2, as in the X10's kernel.sin.
const DefaultBlockSize12 = 0x20000

// spareData is how many data bytes a NAND block holds besides its spare bytes.
const spareData = 0x20000

// Payload is what a SIN is built around.
type Payload struct {
	Head []byte // comes first and gets its own block: the map of an image
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
	Chain [][]byte     // DER; the first is that of Key
	Hash  sin.HashType // 0 is SHA-256
}

// Builder makes SIN files of versions 1 to 3.
type Builder struct {
	Version   int // 0 is 3
	Type      sin.PayloadType
	HashType  sin.HashType // of the blocks; 0 is SHA-256. Versions 1 and 2 leave no choice
	BlockSize int64        // bytes; 0 is DefaultBlockSize, in versions 1 and 2 DefaultBlockSize12
	// Address is the destination of the first block after the Head, in versions 1 and 2:
	// the load address of a loader, the offset in a partition.
	Address uint32
	Signer  *Signer
	Blob    []byte // certificate blob as it is, when Signer is nil
	Slack   int    // unused bytes between certificate and payload, in version 3
}

// Build writes a SIN. The payload is made twice, once for its hashes and once for the
// file, so nothing of it is kept in memory.
func (b Builder) Build(w io.Writer, p Payload) error {
	if b.Version < 0 || b.Version > 3 {
		return fmt.Errorf("a Builder does not make version %d", b.Version)
	}
	hashType := b.HashType
	switch {
	case b.Version == 1:
		hashType = sin.SHA1
	case b.old():
		hashType = sin.SHA256
	case hashType == sin.NoHash:
		hashType = sin.SHA256
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
	var header []byte
	if b.old() {
		if err := b.place(p, blocks); err != nil {
			return err
		}
		header = appendHeader12(b.Version, b.Type, hashType, blocks, certLen)
	} else {
		header = appendHeader3(b.Type, hashType, blocks, certLen)
		binary.BigEndian.PutUint32(header[4:], uint32(len(header)+certLen+b.Slack))
	}
	if b.Signer != nil {
		if blob, err = b.Signer.blob(head, header); err != nil {
			return err
		}
	}
	if _, err := w.Write(slices.Concat(header, blob, make([]byte, b.Slack))); err != nil {
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

// old reports whether the file has destinations in its hash list.
func (b Builder) old() bool { return b.Version == 1 || b.Version == 2 }

// place gives the blocks of an old file their destinations: the Head, a partition info,
// goes to 0, the others one after the other. Spare bytes do not count as data, and
// eMMC types count in sectors.
func (b Builder) place(p Payload, blocks []sin.Block) error {
	next := int64(b.Address)
	for i := range blocks {
		if i == 0 && len(p.Head) > 0 {
			continue
		}
		blocks[i].Dest = next
		switch {
		case b.Type == sin.TypeSpare12 && blocks[i].Length > spareData:
			next += blocks[i].Length - blocks[i].Length%spareData
		case b.Type == sin.TypeSectors12:
			next += (blocks[i].Length + 511) / 512
		default:
			next += blocks[i].Length
		}
		if next > math.MaxUint32 {
			return fmt.Errorf("version %d cannot address byte %#x", b.Version, next)
		}
	}
	return nil
}

func (s *Signer) hash() sin.HashType {
	if s.Hash == sin.NoHash {
		return sin.SHA256
	}
	return s.Hash
}

// blob completes a certificate blob whose signed part is head, for a header.
func (s *Signer) blob(head, header []byte) ([]byte, error) {
	t := s.hash()
	value, err := rsa.SignPKCS1v15(rand.Reader, s.Key, function(t), sum(t, sum(t, head), sum(t, header)))
	if err != nil {
		return nil, fmt.Errorf("signing the header: %w", err)
	}
	return append(append(head, byte(len(value)>>8), byte(len(value))), value...), nil
}

// hash runs the payload into w and gives its blocks.
func (b Builder) hash(p Payload, w io.Writer, t sin.HashType) ([]sin.Block, error) {
	size := b.BlockSize
	switch {
	case size == 0 && b.old():
		size = DefaultBlockSize12
	case size == 0:
		size = DefaultBlockSize
	}
	if size < 0 || size > math.MaxUint32 || int64(len(p.Head)) > math.MaxUint32 {
		return nil, fmt.Errorf("a block of %d bytes does not fit in the header", size)
	}
	cut := &blockCutter{w: w, size: math.MaxUint32, hash: newHash(t)}
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
	blocks []sin.Block
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
	c.blocks = append(c.blocks, sin.Block{Length: c.length, Hash: c.hash.Sum(nil)})
	c.length = 0
	c.hash.Reset()
}
