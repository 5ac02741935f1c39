package bootimg

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// CPIOFile is the header of a file in a ramdisk: a cpio archive in the "newc"
// form, the only one that kernels read.
type CPIOFile struct {
	Name string // without a leading "/" as a rule
	Mode uint32 // type and permissions as in Unix
	Size int64  // bytes
}

const (
	cpioHeaderLen  = 110
	cpioMagic      = "070701"
	cpioMagicSum   = "070702" // the same with checksums, which nobody looks at
	cpioEndName    = "TRAILER!!!"
	maxCPIONameLen = 4096
)

// IsCPIO reports whether data start like such an archive. Six bytes are enough.
func IsCPIO(data []byte) bool {
	return bytes.HasPrefix(data, []byte(cpioMagic)) || bytes.HasPrefix(data, []byte(cpioMagicSum))
}

// ReadCPIO reads an archive to its end mark and gives each file to visit, with
// a reader of its data, which visit may leave unread. An error of visit ends it
// and is returned; so is an error of r, which tells of damaged compression.
func ReadCPIO(r io.Reader, visit func(f CPIOFile, data io.Reader) error) error {
	var at int64 // bytes read so far
	read := func(b []byte, what string) error {
		n, err := io.ReadFull(r, b)
		at += int64(n)
		return cpioCut(err, at, what)
	}
	skip := func(n int64, what string) error {
		m, err := io.CopyN(io.Discard, r, n)
		at += m
		return cpioCut(err, at, what)
	}
	var h [cpioHeaderLen]byte
	for begin := int64(0); ; begin = at { // each turn reads a header
		if err := read(h[:], "a file header"); err != nil {
			if begin == 0 && errors.Is(err, ErrTruncated) && !IsCPIO(h[:]) {
				return fail("ramdisk", ErrWrongKind, 0, "fewer than %d bytes", cpioHeaderLen)
			}
			return err
		}
		if !IsCPIO(h[:]) {
			reason := ErrMalformed
			if begin == 0 {
				reason = ErrWrongKind
			}
			return fail("ramdisk", reason, begin, "%q is where a file header of a newc archive is expected", h[:6])
		}
		mode, err1 := cpioField(h[:], 1)
		size, err2 := cpioField(h[:], 6)
		nameLen, err3 := cpioField(h[:], 11)
		if err := errors.Join(err1, err2, err3); err != nil || nameLen == 0 || nameLen > maxCPIONameLen {
			return fail("ramdisk", ErrMalformed, begin, "a file header with a name of %d bytes", nameLen)
		}
		name := make([]byte, nameLen)
		if err := read(name, "a file name"); err != nil {
			return err
		}
		if err := skip(-(cpioHeaderLen+nameLen)&3, "a file name"); err != nil {
			return err
		}
		f := CPIOFile{Name: cString(name), Mode: uint32(mode), Size: size}
		if f.Name == cpioEndName {
			return nil
		}
		data := &io.LimitedReader{R: r, N: size}
		if err := visit(f, data); err != nil {
			return err
		}
		at += size - data.N
		if err := skip(data.N+-size&3, fmt.Sprintf("the data of %q", f.Name)); err != nil {
			return err
		}
	}
}

// cpioField reads field i of a header: eight hexadecimal digits.
func cpioField(h []byte, i int) (int64, error) {
	v, err := strconv.ParseUint(string(h[6+8*i:14+8*i]), 16, 32)
	return int64(v), err
}

func cpioCut(err error, at int64, what string) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fail("ramdisk", ErrTruncated, at, "it ends within %s", what)
	}
	return err
}
