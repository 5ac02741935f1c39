package unpack

import (
	"bufio"
	"errors"
	"io"
)

// source is the compressed input. It counts what decoders take, knows whether
// they asked for more than there is, and keeps failures of the reader behind
// it apart from those of the decoder. Its Read never gives data and an error
// together, which one of the decoders does not expect.
type source struct {
	in      *bufio.Reader
	taken   int64
	ended   bool  // a decoder asked for more than there is
	failure error // of the reader behind, never io.EOF
}

func newSource(r io.Reader) *source { return &source{in: bufio.NewReaderSize(r, 32<<10)} }

func (s *source) Read(p []byte) (int, error) {
	if s.failure != nil {
		return 0, s.failure
	}
	n, err := s.in.Read(p)
	s.taken += int64(n)
	s.note(err, n == 0)
	if n > 0 {
		return n, nil
	}
	return 0, err
}

// ReadByte lets decoders take exactly the bytes they need.
func (s *source) ReadByte() (byte, error) {
	if s.failure != nil {
		return 0, s.failure
	}
	b, err := s.in.ReadByte()
	if err != nil {
		s.note(err, true)
		return 0, err
	}
	s.taken++
	return b, nil
}

func (s *source) note(err error, empty bool) {
	switch {
	case err == nil:
	case !errors.Is(err, io.EOF):
		s.failure = err
	case empty:
		s.ended = true
	}
}

// peek returns up to n bytes that come next, without taking them.
func (s *source) peek(n int) ([]byte, error) {
	b, err := s.in.Peek(n)
	if err != nil && !errors.Is(err, io.EOF) {
		s.failure = err
		return nil, err
	}
	return b, nil
}
