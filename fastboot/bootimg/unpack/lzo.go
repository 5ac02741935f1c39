package unpack

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/adler32"
	"hash/crc32"
	"io"
)

// The container of lzop, which is how kernels and ramdisks keep LZO
// (fastboot/bootimg/FORMAT.md §6.1). All numbers are big-endian: magic, version, version of
// the library, version needed, method, level, flags, a filter if a flag says so, mode, two
// words of time, the name with its length before it, checksum of the header; then blocks, and
// a zero word.
const (
	lzoMagic     = "\x89LZO\x00\r\n\x1a\n"
	lzoBlockMost = 64 << 20 // bytes that lzop puts into one block at most

	lzoAdlerData   = 0x0001
	lzoAdlerPacked = 0x0002
	lzoExtra       = 0x0040
	lzoCRCData     = 0x0100
	lzoCRCPacked   = 0x0200
	lzoMultipart   = 0x0400
	lzoFilter      = 0x0800
	lzoCRCHeader   = 0x1000
)

// errLZOMethod reports a container with something in it that is not plain LZO1X.
var errLZOMethod = errors.New("an lzop method, filter or format that is not in use")

// lzoReader decodes the blocks of one container.
type lzoReader struct {
	src    *source
	flags  uint32
	packed bytes.Buffer
	block  []byte
	left   []byte // of block
}

func openLZO(src *source) (io.Reader, func() (io.Reader, error), error) {
	next := func() (io.Reader, error) {
		if err := follows(src, lzoMagic); err != nil {
			return nil, err
		}
		z := &lzoReader{src: src}
		return z, unexpected(z.header())
	}
	z, err := next()
	if err == io.EOF || errors.Is(err, errTrailing) {
		b, _ := src.peek(len(lzoMagic))
		src.ended = len(b) < len(lzoMagic)
		err = errors.New("no lzop magic number")
	}
	return z, next, err
}

// header reads everything before the first block.
func (z *lzoReader) header() error {
	if _, err := io.CopyN(io.Discard, z.src, int64(len(lzoMagic))); err != nil {
		return err
	}
	var head bytes.Buffer
	in := io.TeeReader(z.src, &head)
	number := func(size int) (n uint32, err error) {
		var b [4]byte
		if _, err := io.ReadFull(in, b[4-size:]); err != nil {
			return 0, unexpected(err)
		}
		return binary.BigEndian.Uint32(b[:]), nil
	}
	var fail error
	read := func(size int) uint32 {
		n, err := number(size)
		fail = errors.Join(fail, err)
		return n
	}
	version := read(2)
	read(2) // of the library
	modern := version >= 0x0940
	if modern {
		read(2) // version that is needed
	}
	method := read(1)
	if modern {
		read(1) // level
	}
	z.flags = read(4)
	if z.flags&lzoFilter != 0 {
		read(4)
	}
	read(4) // mode
	read(4) // time
	if modern {
		read(4)
	}
	name := read(1)
	if fail != nil {
		return fail
	}
	if _, err := io.CopyN(io.Discard, in, int64(name)); err != nil {
		return unexpected(err)
	}
	var sum hash.Hash32 = adler32.New()
	if z.flags&lzoCRCHeader != 0 {
		sum = crc32.NewIEEE()
	}
	sum.Write(head.Bytes())
	if told := read(4); fail != nil {
		return fail
	} else if told != sum.Sum32() {
		return errors.New("the checksum of the header is wrong")
	}
	if method < 1 || method > 3 || z.flags&(lzoFilter|lzoMultipart) != 0 {
		return errLZOMethod
	}
	if z.flags&lzoExtra != 0 {
		extra := read(4)
		if fail != nil {
			return fail
		}
		if _, err := io.CopyN(io.Discard, z.src, int64(extra)+4); err != nil {
			return unexpected(err)
		}
	}
	return nil
}

func (z *lzoReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(z.left) == 0 { // each turn reads a block from the input
		if err := z.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, z.left)
	z.left = z.left[n:]
	return n, nil
}

func (z *lzoReader) word() (uint32, error) {
	var b [4]byte
	_, err := io.ReadFull(z.src, b[:])
	return binary.BigEndian.Uint32(b[:]), unexpected(err)
}

func (z *lzoReader) next() error {
	size, err := z.word()
	if err != nil {
		return err
	}
	if size == 0 {
		return io.EOF
	}
	packed, err := z.word()
	if err != nil {
		return err
	}
	if size > lzoBlockMost || packed == 0 || packed > size {
		return fmt.Errorf("a block of %d bytes packed in %d", size, packed)
	}
	var sums [4]uint32 // Adler-32 and CRC-32 of the data, the same of the packed bytes
	for i, flag := range [4]uint32{lzoAdlerData, lzoCRCData, lzoAdlerPacked, lzoCRCPacked} {
		if z.flags&flag == 0 || i >= 2 && packed == size { // a block that is not packed has no second pair
			continue
		}
		if sums[i], err = z.word(); err != nil {
			return err
		}
	}
	z.packed.Reset()
	if _, err := io.CopyN(&z.packed, z.src, int64(packed)); err != nil {
		return unexpected(err)
	}
	in := z.packed.Bytes()
	if packed < size {
		if !z.checks(in, lzoAdlerPacked, sums[2], lzoCRCPacked, sums[3]) {
			return errors.New("the checksum of a packed block is wrong")
		}
		z.block, err = lzo1x(z.block[:0], in, int(size))
	} else {
		z.block = append(z.block[:0], in...)
	}
	if err != nil {
		return err
	}
	if !z.checks(z.block, lzoAdlerData, sums[0], lzoCRCData, sums[1]) {
		return errors.New("the checksum of a block is wrong")
	}
	z.left = z.block
	return nil
}

// checks compares bytes with the checksums that the flags say are there.
func (z *lzoReader) checks(b []byte, adlerFlag, adler, crcFlag, crc uint32) bool {
	return (z.flags&adlerFlag == 0 || adler32.Checksum(b) == adler) && (z.flags&crcFlag == 0 || crc32.ChecksumIEEE(b) == crc)
}
