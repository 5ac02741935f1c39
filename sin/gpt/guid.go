// Package gpt reads GUID partition tables as Sony phones have them
// on their eMMC: 512-byte sectors, 128-byte entries, a protective MBR, one
// table at each end of the disk. Partition layouts inside firmware (SIN type
// 0x24) hold the same entries without the headers, so entries are usable alone.
//
// Facts: UEFI specification 2.x chapter 5 for the table, sin/FORMAT.md §4.4
// for the entries in firmware. All integers are little-endian.
package gpt

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// GUID is a globally unique identifier in the byte order of the disk: the
// first three groups little-endian, the last two as written. SIN images name
// their target partition in this order too (sin/FORMAT.md §4.2, GPTP).
type GUID [16]byte

// ErrGUID is the cause when a text is not a GUID.
var ErrGUID = errors.New("not a GUID of the form XXXXXXXX-XXXX-XXXX-XXXX-XXXXXXXXXXXX")

// ParseGUID reads the canonical form with hyphens, in any case.
func ParseGUID(s string) (GUID, error) {
	var g GUID
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return g, fmt.Errorf("%q: %w", s, ErrGUID)
	}
	raw, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	if err != nil || len(raw) != len(g) {
		return g, fmt.Errorf("%q: %w", s, ErrGUID)
	}
	copy(g[:], raw)
	g.swap()
	return g, nil
}

// swap turns the written order into the disk's order and back.
func (g *GUID) swap() {
	binary.LittleEndian.PutUint32(g[0:], binary.BigEndian.Uint32(g[0:]))
	binary.LittleEndian.PutUint16(g[4:], binary.BigEndian.Uint16(g[4:]))
	binary.LittleEndian.PutUint16(g[6:], binary.BigEndian.Uint16(g[6:]))
}

// String returns the canonical form in upper case.
func (g GUID) String() string {
	g.swap()
	return fmt.Sprintf("%X-%X-%X-%X-%X", g[0:4], g[4:6], g[6:8], g[8:10], g[10:16])
}

// IsZero tells whether the GUID is all zero; as a type it marks an unused entry.
func (g GUID) IsZero() bool { return g == GUID{} }

// MarshalText makes JSON show the canonical form.
func (g GUID) MarshalText() ([]byte, error) { return []byte(g.String()), nil }

// UnmarshalText reads the canonical form.
func (g *GUID) UnmarshalText(b []byte) error {
	v, err := ParseGUID(string(b))
	if err == nil {
		*g = v
	}
	return err
}
