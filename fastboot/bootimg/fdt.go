package bootimg

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
)

// FDTMagic is the first word of a flattened device tree, as it is in the file.
const FDTMagic = "\xd0\x0d\xfe\xed"

// Limits that no device tree of a phone comes near to.
const (
	maxFDTDepth    = 64
	maxPropertyLen = 256 // of a property's name
)

const fdtHeaderLen = 40 // version 17; big-endian words

// Tokens of the structure block.
const (
	fdtBeginNode = 1
	fdtEndNode   = 2
	fdtProperty  = 3
	fdtNop       = 4
	fdtEnd       = 9
)

// FDT is a flattened device tree (FORMAT.md §2.2), read only. Nothing of it is copied.
type FDT struct {
	data       []byte
	structure  []byte
	strings    []byte
	structBase int64 // offset of structure in data, for errors
}

// FDTSize is the length in bytes that the tree at the start of data claims, 0
// when no tree starts there or when it does not fit.
func FDTSize(data []byte) int {
	if len(data) < fdtHeaderLen || string(data[:4]) != FDTMagic {
		return 0
	}
	total := int64(binary.BigEndian.Uint32(data[4:]))
	if total < fdtHeaderLen || total > int64(len(data)) {
		return 0
	}
	return int(total)
}

// ParseFDT checks the header of the tree at the start of data; more bytes may follow it.
func ParseFDT(data []byte) (*FDT, error) {
	bad := func(reason error, at int64, format string, args ...any) (*FDT, error) {
		return nil, fail("device tree", reason, at, format, args...)
	}
	if !bytes.HasPrefix(data, []byte(FDTMagic)) {
		return bad(ErrWrongKind, 0, "starts with % x", data[:min(4, len(data))])
	}
	if len(data) < fdtHeaderLen {
		return bad(ErrTruncated, int64(len(data)), "the header has %d bytes", fdtHeaderLen)
	}
	word := func(at int) int64 { return int64(binary.BigEndian.Uint32(data[at:])) }
	total := word(4)
	if total < fdtHeaderLen {
		return bad(ErrMalformed, 4, "a total size of %d bytes", total)
	}
	if total > int64(len(data)) {
		return bad(ErrTruncated, int64(len(data)), "the total size is %d bytes", total)
	}
	if version, compatible := word(20), word(24); version < 16 || compatible > 17 {
		return bad(ErrUnsupported, 20, "version %d, compatible with %d", version, compatible)
	}
	structBegin, stringsBegin := word(8), word(12)
	stringsEnd := stringsBegin + word(32)
	structEnd := total // version 16 does not tell it
	if word(20) >= 17 {
		structEnd = structBegin + word(36)
	}
	if structBegin < fdtHeaderLen || structBegin%4 != 0 || structEnd > total || structBegin > structEnd {
		return bad(ErrMalformed, 8, "a structure block from %#x to %#x in %#x bytes", structBegin, structEnd, total)
	}
	if stringsEnd > total {
		return bad(ErrMalformed, 12, "a strings block from %#x to %#x in %#x bytes", stringsBegin, stringsEnd, total)
	}
	return &FDT{data: data[:total:total], structure: data[structBegin:structEnd], strings: data[stringsBegin:stringsEnd], structBase: structBegin}, nil
}

// Bytes is the tree as it is in the file, without what followed it.
func (f *FDT) Bytes() []byte { return f.data }

// Property is a property of a node.
type Property struct {
	Name  string
	Value []byte
}

// Strings reads the value as a list of strings, each ended by a NUL.
func (p Property) Strings() []string {
	if len(p.Value) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(p.Value), "\x00"), "\x00")
}

// Words reads the value as big-endian words. Up to three bytes at its end are left out.
func (p Property) Words() []uint32 {
	words := make([]uint32, len(p.Value)/4)
	for i := range words {
		words[i] = binary.BigEndian.Uint32(p.Value[4*i:])
	}
	return words
}

// errStop ends a walk early.
var errStop = errors.New("stop")

// Root returns the properties of the root node. Anything after the first node below it is not looked at.
func (f *FDT) Root() ([]Property, error) {
	var root []Property
	err := f.tokens(func(path []string, p *Property) error {
		if len(path) > 1 {
			return errStop
		}
		if p != nil {
			root = append(root, *p)
		}
		return nil
	})
	if errors.Is(err, errStop) {
		err = nil
	}
	return root, err
}

// tokens reads the structure block to its end: visit gets every node when it
// starts, with p nil, and every property.
func (f *FDT) tokens(visit func(path []string, p *Property) error) error {
	rest := f.structure
	bad := func(reason error, format string, args ...any) error {
		return fail("device tree", reason, f.structBase+int64(len(f.structure)-len(rest)), format, args...)
	}
	var path []string
	for began := false; ; { // each turn takes a token
		if len(rest) < 4 {
			return bad(ErrTruncated, "the structure block has no end mark")
		}
		token := binary.BigEndian.Uint32(rest)
		if len(path) == 0 && began && token != fdtEnd && token != fdtNop || !began && token != fdtBeginNode && token != fdtNop {
			return bad(ErrMalformed, "token %#x outside the root node", token)
		}
		rest = rest[4:]
		switch token {
		case fdtNop:
		case fdtBeginNode:
			end := bytes.IndexByte(rest, 0)
			if end < 0 {
				return bad(ErrTruncated, "the name of a node has no end")
			}
			if len(path) == maxFDTDepth {
				return bad(ErrMalformed, "nodes are nested deeper than %d", maxFDTDepth)
			}
			began, path = true, append(path, string(rest[:end]))
			rest = rest[min(roundUp(int64(end)+1, 4), int64(len(rest))):]
			if err := visit(path, nil); err != nil {
				return err
			}
		case fdtEndNode:
			path = path[:len(path)-1]
		case fdtProperty:
			if len(rest) < 8 {
				return bad(ErrTruncated, "a property is truncated")
			}
			size, name := int64(binary.BigEndian.Uint32(rest)), int64(binary.BigEndian.Uint32(rest[4:]))
			if size > int64(len(rest)-8) {
				return bad(ErrTruncated, "a property of %d bytes has %d", size, len(rest)-8)
			}
			p, ok := f.name(name)
			if !ok {
				return bad(ErrMalformed, "the name of a property is at %#x of %#x bytes of strings, or is too long", name, len(f.strings))
			}
			value := rest[8 : 8+size : 8+size]
			rest = rest[min(8+roundUp(size, 4), int64(len(rest))):]
			if err := visit(path, &Property{Name: p, Value: value}); err != nil {
				return err
			}
		case fdtEnd:
			if len(path) > 0 {
				return bad(ErrMalformed, "the tree ends within a node")
			}
			return nil
		default:
			return bad(ErrMalformed, "unknown token %#x", token)
		}
	}
}

// name reads a string of the strings block. Its length is bounded, so that a
// tree of many properties with one long name takes no square of time.
func (f *FDT) name(at int64) (string, bool) {
	if at >= int64(len(f.strings)) {
		return "", false
	}
	s := f.strings[at:min(at+maxPropertyLen, int64(len(f.strings)))]
	end := bytes.IndexByte(s, 0)
	if end < 0 {
		return "", false
	}
	return string(s[:end]), true
}
