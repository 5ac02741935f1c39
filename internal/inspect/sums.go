package inspect

import (
	"bufio"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"io"

	"xflash/sin"
)

// sums hashes a SIN while it is read: the file, and what follows its header.
type sums struct {
	r       *bufio.Reader
	on      bool
	n       int64
	sha     hash.Hash
	md      hash.Hash
	payload hash.Hash
	begin   int64 // of the payload; -1 when unknown
}

func newSums(r io.Reader, on bool) *sums {
	s := &sums{r: bufio.NewReaderSize(r, 64<<10), on: on, sha: sha256.New(), md: md5.New(), payload: sha256.New(), begin: -1}
	if start, err := s.r.Peek(sin.DetectSize); err == nil {
		s.begin = headerLength(start)
	}
	return s
}

func (s *sums) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if s.on {
		s.add(p[:n])
	}
	return n, err
}

func (s *sums) add(p []byte) {
	s.sha.Write(p)
	s.md.Write(p)
	if skip := s.begin - s.n; skip < int64(len(p)) {
		s.payload.Write(p[max(skip, 0):])
	}
	s.n += int64(len(p))
}

// headerLength is the place of the payload as the header states it (sin/FORMAT.md
// §2.1, §3.1).
func headerLength(start []byte) int64 {
	if start[0] == 3 {
		return int64(binary.BigEndian.Uint32(start[4:]))
	}
	return int64(binary.BigEndian.Uint32(start[2:]))
}

// drain reads what the check left unread, so that the hashes are those of the whole file.
func (s *sums) drain(ctx context.Context) error {
	if !s.on {
		return nil
	}
	buf := make([]byte, 256<<10)
	for ctx.Err() == nil {
		if _, err := s.Read(buf); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// file is SHA-256 and MD5 of all that was read.
func (s *sums) file() (sha, md string) {
	return hex.EncodeToString(s.sha.Sum(nil)), hex.EncodeToString(s.md.Sum(nil))
}

// payloadSum is the SHA-256 of what follows the header, empty when it is unknown.
func (s *sums) payloadSum() string {
	if !s.on || s.begin < 0 {
		return ""
	}
	return hex.EncodeToString(s.payload.Sum(nil))
}
