package sin

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	_ "crypto/sha512" // SHA-384 and SHA-512
	"fmt"
	"hash"
)

// Signed says how far the digests of an archive's chunks are found in its signature.
type Signed int

// The answers.
const (
	SignedUnknown Signed = iota // none is: how the signature binds the chunks is not understood
	SignedListed                // each chunk's digest is in the signature, so each is what was signed by whoever signed
)

// chunkHash computes the digests of one chunk as it passes.
type chunkHash struct{ all []hash.Hash }

// newChunkHash computes SHA-256, and the digest that the CMS names if it is a different one.
func newChunkHash(c *CMS) chunkHash {
	h := chunkHash{[]hash.Hash{sha256.New()}}
	if c != nil {
		if f, ok := digestFunctions[c.Digest]; ok {
			h.all = append(h.all, f.New())
		}
	}
	return h
}

var digestFunctions = map[string]crypto.Hash{"SHA-1": crypto.SHA1, "SHA-384": crypto.SHA384, "SHA-512": crypto.SHA512}

func (h chunkHash) Write(p []byte) (int, error) {
	for _, f := range h.all {
		f.Write(p)
	}
	return len(p), nil
}

// in reports whether any of the digests occurs in a container. One of 20 bytes and more does
// not by chance, wherever it is in there.
func (h chunkHash) in(der []byte) bool {
	for _, f := range h.all {
		if bytes.Contains(der, f.Sum(nil)) {
			return true
		}
	}
	return false
}

// digests judges the chunks by what of their digests was found in the signature. Where some
// are listed and others are not, the others are not what was signed; where none is, the form
// of the container is unknown, and nothing follows.
func (a *Archive) digests() error {
	listed := 0
	for _, c := range a.Chunks {
		if c.listed {
			listed++
		}
	}
	if listed == 0 {
		return nil
	}
	for _, c := range a.Chunks {
		if !c.listed {
			return fail(CorruptBlock, c.Offset, "the signature lists the digests of %d of %d chunks, and that of %q is not one of them", listed, len(a.Chunks), c.Name)
		}
	}
	a.Signed = SignedListed
	return nil
}

// Fingerprint identifies an archive by its signature and all chunks, as 32 bytes: what was
// checked and what is sent are the same archive when it is the same.
func (a *Archive) Fingerprint() []byte {
	sum := sha256.New()
	sum.Write(a.cmsSHA256[:])
	for _, c := range a.Chunks {
		fmt.Fprintf(sum, "%q %d %x\n", c.Name, c.Size, c.SHA256)
	}
	return sum.Sum(nil)
}

// SameSignature reports whether a signature is the one that was checked.
func (a *Archive) SameSignature(cms []byte) bool { return sha256.Sum256(cms) == a.cmsSHA256 }
