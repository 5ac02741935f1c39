package restore

import (
	"fmt"

	"xflash/internal/phone"
	"xflash/sin"
)

// receiver is the loader that will get the images, as far as it decides which forms of an
// image it accepts (usbproto/s1/PROTOCOL.md §14.3). A wrong form is refused in the middle of an
// image, when its partition is already erased, or hangs the loader; so it is judged here.
type receiver struct {
	row     *phone.Loader // what is known about it; nil when it is not in the data
	name    string
	knows   func(sin.TagKind) bool
	fill    phone.FillForm
	lz4a    bool
	packets int // of one hash block that it keeps; it hangs with more
}

// cautiousPackets is what every executed loader keeps.
const cautiousPackets = 15

// smallestPacket is the least MAX_PKT_SZ of the executed loaders in bytes.
const smallestPacket = 0x80000

// receiverOf reads from a loader's payload what it can do. The data on known loaders add
// what the payload does not show. nil when there is no loader to look at.
func receiverOf(f *phone.Family, l *sin.Loader) *receiver {
	if l == nil {
		return nil
	}
	row, known := f.LoaderByVersion(l.Version)
	r := &receiver{
		name:    "the loader " + l.Version,
		knows:   func(k sin.TagKind) bool { return l.Supports(string(k)) },
		lz4a:    l.Supports(string(sin.TagLZ4A)),
		packets: cautiousPackets,
	}
	if known {
		r.row, r.packets = &row, row.PacketsPerBlock
	}
	switch {
	case r.lz4a:
		r.fill = phone.Fill28
	case !l.IgnoresCRC || known && row.Fill == phone.FillErased:
		r.fill = phone.FillErased
	default:
		r.fill = phone.Fill32
	}
	return r
}

// runningReceiver is the loader that already runs in the phone, known by the VER of its
// hello; nil when nothing is known of it.
func runningReceiver(f *phone.Family, version string) *receiver {
	row, known := f.LoaderByVersion(version)
	if !known {
		return nil
	}
	return &receiver{
		row: &row, name: "the loader " + row.Version + " in the phone", lz4a: row.LZ4A, fill: row.Fill, packets: row.PacketsPerBlock,
		// Every loader knows these; what else it knows is not in the data.
		knows: func(k sin.TagKind) bool {
			return k == sin.TagGPTP || k == sin.TagADDR || k == sin.TagFILL || k == sin.TagLZ4A && row.LZ4A
		},
	}
}

// imageForm is what of an image the loader must be able to deal with.
type imageForm struct {
	needs      sin.Needs
	mapSplit   bool  // the map is not wholly in the first hash block
	largest    int64 // bytes of the longest hash block
	unsendable string
}

func formOf(h *sin.Header, m *sin.Map) imageForm {
	f := imageForm{needs: m.Needs, unsendable: h.Unsendable()}
	if f.unsendable == "" {
		f.unsendable = m.Unsendable()
	}
	for i, b := range h.Blocks {
		f.largest = max(f.largest, b.Length)
		f.mapSplit = f.mapSplit || i == 0 && m.DataOffset > b.Offset+b.Length
	}
	return f
}

// refuses says why the loader would not get through an image of this form, "" when it
// would. A nil receiver is a loader that nobody knows: only what no loader accepts counts.
func (r *receiver) refuses(f imageForm) string {
	n := f.needs
	switch {
	case f.unsendable != "":
		return f.unsendable
	case n.MidFill:
		return "it has a FILL tag of 29 to 31 bytes, which no loader accepts"
	case n.ShortFill && n.LongFill:
		return "it has FILL tags of 28 bytes and longer ones, but each loader accepts only one of the two"
	case r == nil:
		return ""
	}
	for _, k := range n.Tags {
		if r.knows(k) {
			continue
		}
		if k == sin.TagLZ4A {
			return r.name + " cannot unpack the compressed blocks of this image (LZ4A): it is older than the firmware"
		}
		return fmt.Sprintf("%s does not know the tag %s in this image", r.name, k)
	}
	switch {
	case n.ShortFill && !r.fill.Accepts(28):
		return r.name + " accepts only FILL tags of 32 bytes and more, but the image has shorter ones"
	case n.LongFill && !r.fill.Accepts(32):
		return r.name + " accepts only FILL tags of exactly 28 bytes, but the image has longer ones"
	case !r.lz4a && n.LastFill && (n.ShortFill || n.LongFill):
		return r.name + " refuses an image that ends with a FILL tag"
	case r.fill == phone.FillErased && n.FillWord:
		return r.name + " does not write FILL tags: it accepts only zeros, which an erased partition reads anyway"
	case !r.lz4a && f.mapSplit:
		return r.name + " refuses an image whose map is not in the first hash block"
	// A packet can lie in two blocks, so one more than fits is kept at either end.
	case f.largest/smallestPacket+2 > int64(r.packets):
		return fmt.Sprintf("%s would hang: it keeps %d packets of a hash block, but the image has a block of %d bytes", r.name, r.packets, f.largest)
	}
	return ""
}
