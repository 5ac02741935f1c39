package trimarea

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"

	"xflash/sin/gpt"
)

// HWConf is the payload of a hardware configuration record, version 6: the
// signed list of what this one phone accepts. The record itself is a SIN of
// type 0x22 kept in unit 2003; this is what follows its SIN header.
//
// The layout was read from a loader and seen in runs of it, never in the record
// of a real phone (FORMAT.md §4, usbproto/s1/PROTOCOL.md §11.2). A reader
// that cannot parse a record should fall back to searching its text.
type HWConf struct {
	Word1     uint16 // meaning not known
	ProductID uint16 // PROD_ID in the loader's information
	ListA     []HWConfItem
	IDs       []HWConfItem // IDTypeIMEI, IDTypeMEID
	Flags     uint16       // not proven: GLOB_SEC in the loader's information
	Roles     []HWConfRole
	// DeviceIDs must hold the id of this phone's chip, or the loader refuses the
	// record (80080040).
	DeviceIDs  [][]byte
	Attributes string // `OP_ID="…";OP_NAME="…";ROOTING_ALLOWED="…"`
}

// HWConfItem is an item of the first two lists.
type HWConfItem struct {
	Type byte
	Data []byte
}

// Types of the items of HWConf.IDs.
const (
	IDTypeIMEI = 0 // 7 bytes, two digits each: the first 14 digits
	IDTypeMEID = 1
)

// HWConfRole tells what images with one signer's name may do.
type HWConfRole struct {
	Word   uint16 // meaning not known
	Name   string // "S1_SW", "S1_Boot", …
	MinAID uint16 // lowest security version (certificate serial) accepted
	Flags  uint16 // Role… bits (internal/explain/ERRORS.md §3.2)
	// Partitions holds the unique GUIDs the role may write, in disk order. With
	// an empty list it may write none (80080028).
	Partitions []gpt.GUID
}

const hwConfVersion = 6

// Causes in an *HWConfError.
var (
	ErrHWConfVersion = errors.New("only version 6 of the record is known")
	ErrHWConfShort   = errors.New("a length points past the end")
	ErrHWConfGUID    = errors.New("a partition id does not have 16 bytes")
	ErrHWConfTail    = errors.New("bytes are left over after the attribute text")
)

// HWConfError tells which field of a record is wrong.
type HWConfError struct {
	Field  string
	Offset int // in the payload
	Err    error
}

func (e *HWConfError) Error() string {
	return fmt.Sprintf("hardware configuration, %s at byte %d: %v", e.Field, e.Offset, e.Err)
}

func (e *HWConfError) Unwrap() error { return e.Err }

// hwReader walks a record; the first error stays.
type hwReader struct {
	b    []byte
	base int // offset of b in the payload
	err  error
}

// take returns the next n bytes and their offset in the payload.
func (r *hwReader) take(field string, n int) ([]byte, int) {
	at := r.base
	if r.err == nil && n > len(r.b) {
		r.err = &HWConfError{field, at, ErrHWConfShort}
	}
	if r.err != nil {
		return nil, at
	}
	head := r.b[:n:n]
	r.b, r.base = r.b[n:], r.base+n
	return head, at
}

func (r *hwReader) u8(field string) byte {
	if b, _ := r.take(field, 1); b != nil {
		return b[0]
	}
	return 0
}

func (r *hwReader) u16(field string) uint16 {
	if b, _ := r.take(field, 2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

// each reads a list with a 16-bit size in front and calls item until it is used up.
func (r *hwReader) each(field string, item func(*hwReader)) {
	b, at := r.take(field, int(r.u16(field)))
	inner := hwReader{b: b, base: at}
	for r.err == nil && len(inner.b) > 0 {
		item(&inner)
		r.err = inner.err
	}
}

// ParseHWConf reads the payload of a hardware configuration record. Everything
// must be used up. Errors are *HWConfError. The result shares no memory with b.
func ParseHWConf(b []byte) (*HWConf, error) {
	r := &hwReader{b: append([]byte(nil), b...)}
	h := new(HWConf)
	if v := r.u16("version"); r.err == nil && v != hwConfVersion {
		return nil, &HWConfError{"version", 0, fmt.Errorf("%w, this is version %d", ErrHWConfVersion, v)}
	}
	h.Word1 = r.u16("second word")
	h.ProductID = r.u16("product id")
	typed := func(list *[]HWConfItem, field string) func(*hwReader) {
		return func(r *hwReader) {
			it := HWConfItem{Type: r.u8(field)}
			it.Data, _ = r.take(field, int(r.u16(field)))
			*list = append(*list, it)
		}
	}
	r.each("first list", typed(&h.ListA, "first list"))
	r.each("id list", typed(&h.IDs, "id list"))
	h.Flags = r.u16("flags")
	r.each("role list", func(r *hwReader) {
		role := HWConfRole{Word: r.u16("role")}
		name, _ := r.take("role name", int(r.u16("role name")))
		role.Name = string(name)
		role.MinAID = r.u16("role minimum")
		role.Flags = r.u16("role flags")
		r.each("role partitions", func(r *hwReader) {
			id, at := r.take("role partitions", int(r.u8("role partitions")))
			if r.err == nil && len(id) != len(gpt.GUID{}) {
				r.err = &HWConfError{"role partitions", at, ErrHWConfGUID}
			}
			if r.err == nil {
				role.Partitions = append(role.Partitions, gpt.GUID(id))
			}
		})
		h.Roles = append(h.Roles, role)
	})
	r.each("device id list", func(r *hwReader) {
		id, _ := r.take("device id list", int(r.u16("device id list")))
		h.DeviceIDs = append(h.DeviceIDs, id)
	})
	text, _ := r.take("attributes", int(r.u16("attributes")))
	h.Attributes = string(text)
	if r.err == nil && len(r.b) > 0 {
		r.err = &HWConfError{"end", r.base, ErrHWConfTail}
	}
	if r.err != nil {
		return nil, r.err
	}
	return h, nil
}

// IMEIs returns the 14 digits of every IMEI in the record; the 15th is the check
// digit. Items of another length are left out.
func (h *HWConf) IMEIs() []string {
	var digits []string
	for _, it := range h.IDs {
		if it.Type == IDTypeIMEI && len(it.Data) == 7 {
			digits = append(digits, hex.EncodeToString(it.Data))
		}
	}
	return digits
}
