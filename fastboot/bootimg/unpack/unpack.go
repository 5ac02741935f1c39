package unpack

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// NewReader decompresses r, which is compressed as a whole: one stream or
// several after each other, as the format's own program makes them. At most
// limit bytes come out, then ErrLimit. Whatever else follows the last stream
// gives ErrTrailing, after all data. It may accept from r more than it needs.
func NewReader(r io.Reader, f Format, limit int64) (*Stream, error) {
	return newStream(newSource(r), f, limit)
}

// Open starts with the stream at the start of data, which is followed by anything, like the
// payload of a kernel: that is not an error. At most limit bytes come out, then ErrLimit.
func Open(data []byte, f Format, limit int64) (*Stream, error) {
	// Three decoders read ahead or continue by themselves: they get to see one stream only.
	switch f {
	case XZ:
		data = data[:xzEnd(data)]
	case LZ4Frame:
		data = data[:lz4FrameEnd(data)]
	case Zstd:
		data = data[:zstdFrameEnd(data)]
	}
	s, err := newStream(newSource(bytes.NewReader(data)), f, limit)
	if err != nil {
		return nil, err
	}
	s.again = func() (io.Reader, error) { return nil, io.EOF }
	return s, nil
}

// First is Open for what fits into memory. On an error the bytes that came out
// before it are returned with it.
func First(data []byte, f Format, limit int64) (out []byte, used int, err error) {
	s, err := Open(data, f, limit)
	if err != nil {
		return nil, 0, err
	}
	var b bytes.Buffer
	_, err = io.Copy(&b, s)
	return b.Bytes(), s.Used(), err
}

// errTrailing says that something that is not a stream follows.
var errTrailing = errors.New("no further stream starts here")

// Stream gives what the streams of an input unpack to, one after the other. It bounds what
// comes out of their decoder and names its failures.
type Stream struct {
	decoder io.Reader
	again   func() (io.Reader, error) // next stream, io.EOF at the end of the input, or errTrailing
	src     *source
	format  Format
	left    int64
	err     error // sticky
}

func newStream(src *source, f Format, limit int64) (*Stream, error) {
	s := &Stream{src: src, format: f, left: limit}
	open, ok := decoders[f]
	if !ok {
		return nil, &Error{Format: f, Reason: ErrUnsupported}
	}
	var err error
	if s.decoder, s.again, err = open(src); err != nil {
		s.decoder = nil
		return nil, s.name(err)
	}
	return s, nil
}

// Used is how many bytes of the input have been taken. After io.EOF of Open it is the length
// of the stream.
func (s *Stream) Used() int { return int(s.src.taken) }

// Read returns the decompressed bytes, io.EOF at the end.
func (s *Stream) Read(p []byte) (n int, err error) {
	if s.err != nil || len(p) == 0 {
		return 0, s.err
	}
	if s.left == 0 { // is there more?
		var one [1]byte
		for n == 0 && err == nil {
			n, err = s.decode(one[:])
		}
		if n > 0 {
			s.err = &Error{Format: s.format, Reason: ErrLimit, Offset: s.src.taken}
		} else {
			s.err = s.name(err)
		}
		return 0, s.err
	}
	n, err = s.decode(p[:min(int64(len(p)), s.left)])
	s.left -= int64(n)
	if err != nil {
		s.err = s.name(err)
	}
	return n, s.err
}

// decode reads from the current stream, or from the next one. Data never come with io.EOF.
func (s *Stream) decode(p []byte) (int, error) {
	for { // each turn takes a stream header from the input
		n, err := s.decoder.Read(p)
		switch {
		case !errors.Is(err, io.EOF):
			return n, err
		case n > 0:
			return n, nil
		}
		next, err := s.again()
		if err != nil {
			return 0, err
		}
		s.decoder = next
	}
}

// name gives an error of a decoder its reason.
func (s *Stream) name(err error) error {
	switch {
	case s.src.failure != nil:
		return s.src.failure
	case err == io.EOF && s.decoder != nil: // not while a header is read
		return err
	}
	e := &Error{Format: s.format, Reason: ErrCorrupt, Offset: s.src.taken, Err: err}
	switch {
	case isDictionary(err):
		e.Reason = ErrDictionary
	case isOption(err):
		e.Reason = ErrUnsupported
	case errors.Is(err, errTrailing):
		e.Reason, e.Err = ErrTrailing, nil
	case s.src.ended:
		e.Reason, e.Err = ErrTruncated, nil
	}
	return e
}

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

// peek gives up to n bytes that come next, without taking them.
func (s *source) peek(n int) ([]byte, error) {
	b, err := s.in.Peek(n)
	if err != nil && !errors.Is(err, io.EOF) {
		s.failure = err
		return nil, err
	}
	return b, nil
}
