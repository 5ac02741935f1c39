package unpack

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/adler32"
	"hash/crc32"
	"io"
	"slices"

	"github.com/anchore/go-lzo"
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

func openLZO(src *source) (io.Reader, func() (io.Reader, error), error) {
	return byBlocks(src, lzoMagic, func() (func() ([]byte, error), error) {
		flags, err := lzoHeader(src)
		return (&lzoReader{src: src, flags: flags}).next, err
	})
}

// lzoHeader reads everything between the magic and the first block.
func lzoHeader(src *source) (flags uint32, err error) {
	var head bytes.Buffer
	in := io.TeeReader(src, &head)
	read := func(size int) uint32 {
		var b [4]byte
		if err == nil {
			_, err = io.ReadFull(in, b[4-size:])
		}
		return binary.BigEndian.Uint32(b[:])
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
	flags = read(4)
	if flags&lzoFilter != 0 {
		read(4)
	}
	read(4) // mode
	read(4) // time
	if modern {
		read(4)
	}
	for range read(1) { // the name
		read(1)
	}
	sum := adler32.Checksum(head.Bytes())
	if flags&lzoCRCHeader != 0 {
		sum = crc32.ChecksumIEEE(head.Bytes())
	}
	switch told := read(4); {
	case err != nil:
		return 0, err
	case told != sum:
		return 0, errors.New("the checksum of the header is wrong")
	case method < 1 || method > 3 || flags&(lzoFilter|lzoMultipart) != 0:
		return 0, errLZOMethod
	}
	if flags&lzoExtra != 0 {
		if extra := int64(read(4)); err == nil {
			_, err = io.CopyN(io.Discard, src, extra+4)
		}
	}
	return flags, err
}

// lzoReader decodes the blocks of one container.
type lzoReader struct {
	src    *source
	flags  uint32
	packed bytes.Buffer
	block  []byte
}

func (z *lzoReader) word() (uint32, error) {
	var b [4]byte
	_, err := io.ReadFull(z.src, b[:])
	return binary.BigEndian.Uint32(b[:]), unexpected(err)
}

func (z *lzoReader) next() ([]byte, error) {
	size, err := z.word()
	if err != nil {
		return nil, err
	}
	if size == 0 {
		return nil, io.EOF
	}
	packed, err := z.word()
	if err != nil {
		return nil, err
	}
	// A block cannot expand more than 256 times, which keeps small inputs small.
	if size > lzoBlockMost || packed == 0 || packed > size || size/256 > packed {
		return nil, fmt.Errorf("a block of %d bytes packed in %d", size, packed)
	}
	var sums [4]uint32 // Adler-32 and CRC-32 of the data, the same of the packed bytes
	for i, flag := range [4]uint32{lzoAdlerData, lzoCRCData, lzoAdlerPacked, lzoCRCPacked} {
		if z.flags&flag == 0 || i >= 2 && packed == size { // a block that is not packed has no second pair
			continue
		}
		if sums[i], err = z.word(); err != nil {
			return nil, err
		}
	}
	z.packed.Reset()
	if _, err := io.CopyN(&z.packed, z.src, int64(packed)); err != nil {
		return nil, unexpected(err)
	}
	block := z.packed.Bytes()
	if packed < size {
		if !z.checks(block, lzoAdlerPacked, sums[2], lzoCRCPacked, sums[3]) {
			return nil, errors.New("the checksum of a packed block is wrong")
		}
		z.block = slices.Grow(z.block[:0], int(size))[:size]
		if err := lzo1x(z.block, block); err != nil {
			return nil, err
		}
		block = z.block
	}
	if !z.checks(block, lzoAdlerData, sums[0], lzoCRCData, sums[1]) {
		return nil, errors.New("the checksum of a block is wrong")
	}
	return block, nil
}

// checks compares bytes with the checksums that the flags say are there.
func (z *lzoReader) checks(b []byte, adlerFlag, adler, crcFlag, crc uint32) bool {
	return (z.flags&adlerFlag == 0 || adler32.Checksum(b) == adler) && (z.flags&crcFlag == 0 || crc32.ChecksumIEEE(b) == crc)
}

// lzo1x unpacks what must fill a block.
func lzo1x(block, packed []byte) error {
	n, err := lzo.Decompress(packed, block)
	if err == nil && n < len(block) {
		err = errors.New("a block unpacks to less than it announced")
	}
	return err
}
