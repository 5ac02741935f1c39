package ftf

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

const (
	// What a bundle may unpack to, far above any firmware: the largest image known has 4.7 GB.
	// What is declared is compared when the bundle is opened; a member never gives more than
	// it declared.
	maxMember = 16 << 30 // bytes of one member
	maxTotal  = 32 << 30 // bytes of all members
	// maxRatio is more than deflate can do (1032:1); beyond it the header lies.
	maxRatio = 1040
	// bombAllowance and bombRatio bound the whole archive. Images barely
	// compress; an empty user data partition is what the allowance is for.
	bombAllowance = 256 << 20
	bombRatio     = 100
)

// checkEntries applies every rule that the directory alone can break.
func checkEntries(entries []*zipEntry, archive int64) error {
	seen := map[string]string{}
	total := int64(0)
	for _, e := range entries {
		if err := checkEntry(e); err != nil {
			if err.Member == "" && err.Reason != UnsafeName {
				err.Member = e.name
			}
			return err
		}
		key := foldName(strings.TrimSuffix(e.name, "/"))
		if other, dup := seen[key]; dup {
			return fail(Duplicate, "the members %q and %q have the same name", other, e.name)
		}
		seen[key] = e.name
		if total += e.size; total > maxTotal {
			return tooLarge(total, maxTotal, "the members")
		}
	}
	if limit := bombAllowance + bombRatio*min(archive, 1<<50); total > limit {
		return tooLarge(total, limit, fmt.Sprintf("an archive of %d bytes", archive))
	}
	return nil
}

func tooLarge(have, limit int64, what string) *Error {
	e := fail(TooLarge, "%s would unpack to %d bytes; the limit is %d", what, have, limit)
	e.Have, e.Want = have, limit
	return e
}

func checkEntry(e *zipEntry) *Error {
	if err := checkName(e.name); err != nil {
		return err
	}
	if e.flags&flagEncrypted != 0 {
		return fail(Encrypted, "it needs a password")
	}
	if e.flags&flagPatch != 0 {
		return fail(Unsupported, "it is patch data")
	}
	if e.method != methodStored && e.method != methodDeflate {
		return fail(Unsupported, "method %d (%s); pack it again as an ordinary zip", e.method, cmp.Or(methodNames[e.method], "unknown"))
	}
	// The upper half of the attributes is a Unix mode if a Unix (3) or a Mac (19)
	// wrote it.
	if system := e.madeBy >> 8; system == 3 || system == 19 {
		const typeMask, regular, folder = 0o170000, 0o100000, 0o040000
		if t := e.external >> 16 & typeMask; t != 0 && t != regular && t != folder {
			return fail(NotRegular, "it is a link or device (mode %o)", e.external>>16)
		}
	}
	switch {
	case e.isFolder() && e.size != 0:
		return fail(Malformed, "a folder with %d bytes", e.size)
	case e.method == methodStored && e.packed != e.size:
		return fail(Malformed, "stored, but %d bytes packed and %d unpacked", e.packed, e.size)
	case e.size > maxMember:
		return tooLarge(e.size, maxMember, "it")
	case e.size/maxRatio > e.packed:
		return fail(TooLarge, "%d bytes cannot unpack to the %d it declares", e.packed, e.size)
	}
	switch kindOf(e.name) {
	case KindTA, KindFSC, KindXML, KindManifest:
		if e.size > maxText {
			return tooLarge(e.size, maxText, "a text")
		}
	}
	return nil
}

// checkLocals compares every member's own header with the directory, finds where
// its bytes lie and refuses members that share bytes. Members must end before
// limit, where the directory starts.
func checkLocals(r io.ReaderAt, entries []*zipEntry, limit int64) error {
	sorted := slices.SortedFunc(slices.Values(entries), func(a, b *zipEntry) int { return cmp.Compare(a.header, b.header) })
	if len(sorted) > 0 && sorted[0].header > 0 {
		return failAt(Surplus, 0, "%d bytes before the archive", sorted[0].header)
	}
	for i, e := range sorted {
		next := limit
		if i+1 < len(sorted) {
			next = sorted[i+1].header
		}
		if err := checkLocal(r, e, next, limit); err != nil {
			return within(err, "", e.name)
		}
	}
	return nil
}

// checkLocal checks one member; next is where the following member starts.
func checkLocal(r io.ReaderAt, e *zipEntry, next, limit int64) error {
	switch {
	case e.header > limit-sizeLocal:
		return failAt(Malformed, e.header, "its header would be inside the directory or past the end of the file")
	case e.header+sizeLocal > next:
		return failAt(Overlap, e.header, "its header overlaps that of another member")
	}
	h, err := readFull(r, e.header, sizeLocal)
	if err != nil {
		return err
	}
	if le32(h, 0) != sigLocal {
		return failAt(Malformed, e.header, "no member header where the directory points")
	}
	nameLen, extraLen := int(le16(h, 26)), int(le16(h, 28))
	if e.body = e.header + sizeLocal + int64(nameLen+extraLen); e.body > limit {
		return failAt(Malformed, e.header, "its header reaches into the directory")
	}
	rest, err := readFull(r, e.header+sizeLocal, nameLen+extraLen)
	if err != nil {
		return err
	}
	disagree := func(what string, local, central any) error {
		return failAt(Disagreement, e.header, "%s: the member says %v, the directory %v", what, local, central)
	}
	if name := string(rest[:nameLen]); name != e.name {
		return disagree("name", fmt.Sprintf("%.80q", name), fmt.Sprintf("%.80q", e.name))
	}
	// Bits 1, 2 and 11 are hints (deflate effort, UTF-8 names) and may differ.
	const telling = flagEncrypted | flagDescriptor | flagPatch
	if local := le16(h, 6); local&telling != e.flags&telling {
		return disagree("flags", fmt.Sprintf("%#x", local), fmt.Sprintf("%#x", e.flags))
	}
	if local := le16(h, 8); local != e.method {
		return disagree("method", local, e.method)
	}
	crc, packed, size := le32(h, 14), int64(le32(h, 18)), int64(le32(h, 22))
	// Some writers leave the zip64 field out of the header of a large member; then
	// the header does not tell its sizes, and the directory does.
	if err := expand64(rest[nameLen:], e.header, &size, &packed); err != nil && max(e.size, e.packed) < full32 {
		return err
	}
	described := e.flags&flagDescriptor != 0
	untold := false // some value is only after the data
	for _, v := range []struct {
		what           string
		local, central int64
	}{{"CRC-32", int64(crc), int64(e.crc)}, {"packed size", packed, e.packed}, {"size", size, e.size}} {
		switch {
		case v.local == v.central:
		case described && v.local == 0:
			untold = true
		case v.local == full32 && v.central >= full32:
		default:
			return disagree(v.what, fmt.Sprintf("%#x", v.local), fmt.Sprintf("%#x", v.central))
		}
	}
	end := e.body + e.packed
	if e.packed > limit-e.body || end > next {
		return failAt(Overlap, e.body, "its %d bytes overlap the data at %#x", e.packed, min(next, limit))
	}
	if untold {
		return checkDescriptor(r, e, end, next)
	}
	return nil
}

// checkDescriptor checks the record after a member whose header has no sizes. It
// comes with or without signature and with sizes of 4 or 8 bytes.
func checkDescriptor(r io.ReaderAt, e *zipEntry, at, next int64) error {
	b, err := readFull(r, at, int(min(next-at, 24)))
	if err != nil {
		return err
	}
	for _, signed := range []int{4, 0} {
		if len(b) < signed+12 || signed > 0 && le32(b, 0) != sigDescriptor || le32(b, signed) != e.crc {
			continue
		}
		f := b[signed+4:]
		if int64(le32(f, 0)) == e.packed && int64(le32(f, 4)) == e.size ||
			len(f) >= 16 && le64(f, 0) == uint64(e.packed) && le64(f, 8) == uint64(e.size) {
			return nil
		}
	}
	return failAt(Disagreement, at, "the descriptor after it disagrees with the CRC-32 and sizes in the directory")
}
