package unpack

import (
	"compress/gzip"
	"errors"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/mikelolasagasti/xz"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz/lzma"
)

// opener starts with the first stream of an input and says how to continue.
type opener func(*source) (stream io.Reader, again func() (io.Reader, error), err error)

var decoders = map[Format]opener{
	Gzip: openGzip, Bzip2: openBzip2, LZMA: openLZMA, XZ: openXZ, LZO: openLZO, LZ4Legacy: openLegacy, LZ4Frame: openFrame, Zstd: openZstd,
}

func openGzip(src *source) (io.Reader, func() (io.Reader, error), error) {
	z, err := gzip.NewReader(src)
	if err != nil {
		return nil, nil, err
	}
	z.Multistream(false)
	return z, func() (io.Reader, error) {
		if err := follows(src, "\x1f\x8b"); err != nil {
			return nil, err
		}
		if err := z.Reset(src); err != nil {
			return nil, unexpected(err)
		}
		z.Multistream(false)
		return z, nil
	}, nil
}

func openLZMA(src *source) (io.Reader, func() (io.Reader, error), error) {
	z, err := lzma.ReaderConfig{DictCap: MaxDictionary}.NewReader(src)
	return z, func() (io.Reader, error) { // the format has no further streams
		if err := follows(src, ""); err != nil {
			return nil, err
		}
		return nil, errTrailing
	}, err
}

func openXZ(src *source) (io.Reader, func() (io.Reader, error), error) {
	z, err := xz.NewReader(src, MaxDictionary)
	if err != nil {
		return nil, nil, err
	}
	z.Multistream(false)
	return z, func() (io.Reader, error) {
		err := z.Reset(nil) // continues with what it has read ahead
		switch {
		case err == nil:
			z.Multistream(false)
			return z, nil
		case errors.Is(err, io.EOF):
			return nil, io.EOF
		}
		return nil, errTrailing
	}, nil
}

func openFrame(src *source) (io.Reader, func() (io.Reader, error), error) {
	z := lz4.NewReader(src)
	if err := z.Apply(lz4.ConcurrencyOption(1)); err != nil { // no goroutines
		return nil, nil, err
	}
	if err := follows(src, ""); err != nil { // it takes an empty input for an empty frame
		src.ended = true
		return nil, nil, err
	}
	return byItself(z, lz4.ErrInvalidFrame)
}

func openZstd(src *source) (io.Reader, func() (io.Reader, error), error) {
	if err := follows(src, ""); err != nil { // it takes an empty input for an empty frame
		src.ended = true
		return nil, nil, err
	}
	z, err := zstd.NewReader(src, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(MaxDictionary))
	if err != nil {
		return nil, nil, err
	}
	return byItself(z, zstd.ErrMagicMismatch)
}

// byItself is a decoder that goes to the next frame by itself; noFrame is its error where
// none starts.
func byItself(z io.Reader, noFrame error) (io.Reader, func() (io.Reader, error), error) {
	var began bool
	return readerFunc(func(p []byte) (int, error) {
		n, err := z.Read(p)
		if began && errors.Is(err, noFrame) {
			err = errTrailing
		}
		began = began || n > 0
		return n, err
	}), func() (io.Reader, error) { return nil, io.EOF }, nil
}

// byBlocks is a decoder for streams that start with a magic number and are a row of blocks.
// open reads what is before the first one, and returns a function that gives the next block
// unpacked, and io.EOF after the last.
func byBlocks(src *source, magic string, open func() (func() ([]byte, error), error)) (io.Reader, func() (io.Reader, error), error) {
	again := func() (io.Reader, error) {
		if err := follows(src, magic); err != nil {
			return nil, err
		}
		if _, err := io.CopyN(io.Discard, src, int64(len(magic))); err != nil {
			return nil, err
		}
		next, err := open()
		var left []byte
		return readerFunc(func(p []byte) (n int, err error) {
			for len(left) == 0 { // each turn takes a block from the input
				if left, err = next(); err != nil {
					return 0, err
				}
			}
			n = copy(p, left)
			left = left[n:]
			return n, nil
		}), unexpected(err)
	}
	z, err := again()
	if err == io.EOF || errors.Is(err, errTrailing) {
		b, _ := src.peek(len(magic))
		src.ended = len(b) < len(magic)
		err = errors.New("no magic number of the format")
	}
	return z, again, err
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// follows returns nil when the input continues with magic, io.EOF at its end, else errTrailing.
func follows(src *source, magic string) error {
	b, err := src.peek(max(len(magic), 1))
	switch {
	case err != nil:
		return err
	case len(b) == 0:
		return io.EOF
	case string(b[:min(len(magic), len(b))]) != magic:
		return errTrailing
	}
	return nil
}

// unexpected keeps the end of the input within a header from looking like a regular end.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func isDictionary(err error) bool {
	var size *lzma.ErrDictSize
	return errors.Is(err, xz.ErrMemlimit) || errors.As(err, &size) || errors.Is(err, zstd.ErrWindowSizeExceeded)
}

// isOption reports a filter, a check or a method that a decoder does not have.
func isOption(err error) bool {
	return errors.Is(err, errLZOMethod) || errors.Is(err, xz.ErrOptions) || errors.Is(err, xz.ErrUnsupportedCheck)
}
