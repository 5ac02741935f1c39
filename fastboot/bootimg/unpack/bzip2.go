package unpack

import (
	"compress/bzip2"
	"encoding/binary"
	"io"
)

// Marks at the beginning of a block and of the end; they are at any bit.
const (
	bzip2Block = "\x31\x41\x59\x26\x53\x59"
	bzip2End   = "\x17\x72\x45\x38\x50\x90"
)

// bzip2Source ends where the stream ends. The decoder would continue and call the
// bytes after it a broken stream, without saying how many it took.
type bzip2Source struct {
	*source
	high, low uint64 // the last 16 bytes
	over      bool
}

func (s *bzip2Source) ReadByte() (byte, error) {
	if s.over {
		return 0, io.EOF
	}
	b, err := s.source.ReadByte()
	if err != nil {
		return 0, err
	}
	s.high, s.low = s.high<<8|s.low>>56, s.low<<8|uint64(b)
	s.over = s.atEnd()
	return b, nil
}

// atEnd looks for the end mark, followed by a checksum of 32 bits and up to seven bits that fill the byte.
func (s *bzip2Source) atEnd() bool {
	const mask = 1<<48 - 1
	end := binary.BigEndian.Uint64([]byte("\x00\x00" + bzip2End))
	for pad := 0; pad < 8; pad++ {
		if (s.high<<(32-pad)|s.low>>(32+pad))&mask == end {
			return true
		}
	}
	return false
}

func openBzip2(src *source) (io.Reader, func() (io.Reader, error), error) {
	next := func() io.Reader { return bzip2.NewReader(&bzip2Source{source: src}) }
	return next(), func() (io.Reader, error) {
		if err := follows(src, "BZh"); err != nil {
			return nil, err
		}
		return next(), nil
	}, nil
}
