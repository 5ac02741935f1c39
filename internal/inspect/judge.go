package inspect

import (
	"cmp"
	"path"
	"strings"
)

// Intact says whether a file is what its maker wrote, as far as its format can tell.
type Intact string

// The three answers. Unknown means that xflash could not judge it: its kind is unknown, or
// a part of it could not be read.
const (
	IntactYes     Intact = "yes"
	IntactNo      Intact = "no"
	IntactUnknown Intact = "unknown"
)

// settle gives the report and everything in it its judgement, which every command shows.
func (r *Report) settle() *Report {
	unknown := r.Kind == KindUnknown && !r.checksum || r.unread
	for _, c := range r.Contents {
		unknown = c.settle().Intact == IntactUnknown && r.Counts(c) || unknown
	}
	switch {
	case r.Damaged():
		r.Intact = IntactNo
	case unknown:
		r.Intact = IntactUnknown
	default:
		r.Intact = IntactYes
	}
	if r.Genuine != nil {
		r.Proven = r.Genuine.Proof == ProofSony || r.Genuine.Proof == ProofSupplied || r.Genuine.Proof == ProofCarried
	}
	return r
}

// OwnFaults is what is wrong with a container itself, nil when all faults are those of files
// in it.
func (r *Report) OwnFaults() *Integrity {
	if !r.Damaged() {
		return nil
	}
	own := &Integrity{State: StateDamaged}
	for _, f := range r.Whole.Faults {
		if f.Member == "" {
			own.Text = cmp.Or(own.Text, f.Text)
			own.Faults = append(own.Faults, f)
			own.Count++
		}
	}
	if own.Count == 0 {
		return nil
	}
	return own
}

// Unread reports whether a part of the file itself, not of its contents, was not looked at.
func (r *Report) Unread() bool { return r.unread }

// Counts reports whether a file inside counts for the judgement of a bundle, folder or
// archive when it is unknown. A file of an unknown kind beside firmware does not: nothing
// uses it. One that could not be read always does.
func (r *Report) Counts(c *Report) bool {
	switch {
	case r.Kind != KindBundle && r.Kind != KindFolder && r.Kind != KindZip:
		return false
	case c.Intact == IntactUnknown && !c.unread:
		return r.Firmware == nil
	}
	return true
}

// named holds a file against its name: one that is called an image or a text of firmware
// and is something else was damaged, or a download gave an error page.
func (r *Report) named() {
	want := map[string][]Kind{
		".sin": {KindSIN}, ".sinb": {KindSIN}, ".ta": {KindTA}, ".tab": {KindTA}, ".ftf": {KindBundle},
		".fsc": {KindScript}, ".xml": {KindFirmXML, KindDelivery, KindOtherFile},
	}[strings.ToLower(path.Ext(r.Name))]
	if want == nil || r.Damaged() || r.unread {
		return
	}
	for _, k := range want {
		if r.Kind == k {
			return
		}
	}
	r.wrong("not what its name says", 0, "its name ends in "+path.Ext(r.Name)+", but it is "+article(r.Title))
}

func article(title string) string {
	switch {
	case title == "unknown":
		return "of an unknown format"
	case strings.ContainsRune("AEIOaeio", rune(title[0])):
		return "an " + title
	}
	return "a " + title
}
