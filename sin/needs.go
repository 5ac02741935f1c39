package sin

import (
	"fmt"
	"slices"
)

// Needs is what a map asks of the loader that writes it. Loaders differ in the tags they
// know and in the length of a FILL tag (usbproto/s1/PROTOCOL.md §14.3); each wrong form is
// refused only in the middle of the image, when its partition is already erased.
type Needs struct {
	Tags      []TagKind // each kind once, in the order of the map
	ShortFill bool      // a FILL tag of exactly 28 bytes
	MidFill   bool      // one of 29 to 31 bytes, which no loader accepts
	LongFill  bool      // one of 32 bytes or more
	LastFill  bool      // no data follow the last FILL
	FillWord  bool      // a FILL writes something other than zeros

	unsendable string // why no loader may get it
}

// Unsendable says why no phone may get the image, whatever its loader; "" when nothing
// contradicts it. These maps follow the format, and crash or hang every loader that was
// executed, or are refused by it (usbproto/s1/PROTOCOL.md §12.5).
func (m *Map) Unsendable() string { return m.Needs.unsendable }

// add takes the next tag into account.
func (n *Needs) add(t Tag) {
	if !slices.Contains(n.Tags, t.Kind) {
		n.Tags = append(n.Tags, t.Kind)
	}
	never := func(what string) {
		if n.unsendable == "" {
			n.unsendable = fmt.Sprintf("the %s tag at file offset %#x %s", t.Kind, t.Offset, what)
		}
	}
	switch t.Kind {
	case TagGPTP, TagMTKP:
		return
	case TagFILL:
		n.LastFill = true
		n.ShortFill = n.ShortFill || t.Length == 28
		n.MidFill = n.MidFill || t.Length > 28 && t.Length < 32
		n.LongFill = n.LongFill || t.Length >= 32
		n.FillWord = n.FillWord || t.Fill != [4]byte{}
		if t.DestLen == 0 {
			never("writes 0 bytes, and no known loader survives an empty piece")
		}
		return
	}
	n.LastFill = false
	switch {
	case t.DataLen == 0:
		never("writes 0 bytes, which hangs the loader")
	case t.HashType == SHA1:
		never("has a SHA-1 hash, which crashes the loader")
	case t.HashType == NoHash:
		never("has no hash, which the loader refuses with 800A0014")
	}
}
