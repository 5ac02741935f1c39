package simphone

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"hash"
	"io"
	"runtime"
	"sync"
)

// readBack compares what is on the card with what the tags say, after the whole
// image was written: so tags that overlap and wrong hashes in tags are found
// too (usbproto/s1/PROTOCOL.md §12.2).
func readBack(tags []mapTag) status {
	results := make([]status, len(tags))
	next := make(chan int)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			buffer := make([]byte, fillPieces)
			for i := range next {
				results[i] = tags[i].check(buffer)
			}
		})
	}
	for i := range tags {
		next <- i
	}
	close(next)
	workers.Wait()
	for _, why := range results {
		if why != 0 {
			return why
		}
	}
	return 0
}

// check reads back one tag.
func (t *mapTag) check(buffer []byte) status {
	if t.kind == "FILL" {
		same, err := t.partition.filled(t.word, t.dest, t.size)
		if err != nil {
			return statusCardTimeout
		}
		if !same {
			return statusFillReadBack
		}
		return 0
	}
	var h hash.Hash
	switch t.hashType {
	case hashSHA1:
		h = sha1.New()
	case hashSHA256:
		h = sha256.New()
	default:
		return 0
	}
	area := io.NewSectionReader(t.partition.disk.file, t.partition.Entry.Offset()+int64(t.dest), int64(t.size))
	if _, err := io.CopyBuffer(h, struct{ io.Reader }{area}, buffer); err != nil {
		return statusCardTimeout
	}
	if !bytes.Equal(h.Sum(nil), t.hash) {
		return statusReadBack
	}
	return 0
}
