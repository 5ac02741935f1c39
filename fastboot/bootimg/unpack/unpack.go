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
func NewReader(r io.Reader, f Format, limit int64) (io.Reader, error) {
	return newOutput(newSource(r), f, limit, false)
}

// Stream decompresses the stream that starts at the start of a slice and is
// followed by anything, like the payload of a kernel.
type Stream struct{ out *output }

// Open starts with the stream at the start of data. At most limit bytes come
// out, then ErrLimit; what follows the stream is not an error.
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
	out, err := newOutput(newSource(bytes.NewReader(data)), f, limit, true)
	if err != nil {
		return nil, err
	}
	return &Stream{out}, nil
}

// Read returns the decompressed bytes, io.EOF at the end of the stream.
func (s *Stream) Read(p []byte) (int, error) { return s.out.Read(p) }

// Used is how many bytes of the slice the stream has taken; after io.EOF that is
// its length.
func (s *Stream) Used() int { return int(s.out.src.taken) }

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

// chain reads the streams of one input, one after the other.
type chain struct {
	stream io.Reader
	again  func() (io.Reader, error) // next stream, io.EOF at the end of the input, or errTrailing
}

// errTrailing says that something that is not a stream follows.
var errTrailing = errors.New("no further stream starts here")

func (c *chain) Read(p []byte) (int, error) {
	for { // each turn takes a stream header from the input
		n, err := c.stream.Read(p)
		if n > 0 || !errors.Is(err, io.EOF) {
			return n, notEOF(err)
		}
		if c.stream, err = c.again(); err != nil {
			c.stream = ended{err}
			return 0, err
		}
	}
}

// notEOF leaves io.EOF for the next call, so that data never come with it.
func notEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

type ended struct{ err error }

func (e ended) Read([]byte) (int, error) { return 0, e.err }

// output bounds what comes out of a decoder and names its failures.
type output struct {
	decoder io.Reader
	src     *source
	format  Format
	left    int64
	err     error // sticky
}

func newOutput(src *source, f Format, limit int64, first bool) (*output, error) {
	o := &output{src: src, format: f, left: limit}
	open, ok := decoders[f]
	if !ok {
		return nil, &Error{Format: f, Reason: ErrUnsupported}
	}
	stream, again, err := open(src)
	if err != nil {
		return nil, o.name(err)
	}
	if first {
		again = func() (io.Reader, error) { return nil, io.EOF }
	}
	o.decoder = &chain{stream: stream, again: again}
	return o, nil
}

func (o *output) Read(p []byte) (int, error) {
	if o.err != nil {
		return 0, o.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	if o.left == 0 { // is there more?
		var one [1]byte
		n, err := io.ReadFull(o.decoder, one[:])
		if n > 0 {
			o.err = &Error{Format: o.format, Reason: ErrLimit, Offset: o.src.taken}
		} else {
			o.err = o.name(err)
		}
		return 0, o.err
	}
	n, err := o.decoder.Read(p[:min(int64(len(p)), o.left)])
	o.left -= int64(n)
	if err != nil {
		o.err = o.name(err)
	}
	return n, o.err
}

// name gives an error of a decoder its reason.
func (o *output) name(err error) error {
	switch {
	case o.src.failure != nil:
		return o.src.failure
	case err == io.EOF && o.decoder != nil: // not while a header is read
		return err
	}
	e := &Error{Format: o.format, Reason: ErrCorrupt, Offset: o.src.taken, Err: err}
	switch {
	case isDictionary(err):
		e.Reason = ErrDictionary
	case isOption(err):
		e.Reason = ErrUnsupported
	case errors.Is(err, errTrailing):
		e.Reason, e.Err = ErrTrailing, nil
	case o.src.ended:
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
