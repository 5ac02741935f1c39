package inspect

import (
	"cmp"
	"path"
	"strings"

	"xflash/internal/text"
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
	container := r.Kind == KindFolder || r.Kind == KindZip
	unknown := r.Kind == KindUnknown && !r.checksum || r.unread || container && len(r.Contents) == 0
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
	switch r.Kind {
	case KindCompressed:
		return c.unread
	case KindBundle, KindFolder, KindZip:
		return c.Intact != IntactUnknown || c.unread || r.Firmware == nil
	}
	return false
}

// promises are what the ending of a name says of a file.
var promises = map[string][]Kind{
	".sin": {KindSIN}, ".sinb": {KindSIN}, ".ta": {KindTA}, ".tab": {KindTA}, ".ftf": {KindBundle},
	".fsc": {KindScript}, ".xml": {KindFirmXML, KindDelivery, KindOtherFile},
}

// promised is what a file should be by its name, nil when its name does not tell. Files that a
// Mac adds beside every other have the name of that one.
func (r *Report) promised() []Kind {
	if strings.HasPrefix(path.Base(r.Name), "._") {
		return nil
	}
	return promises[strings.ToLower(path.Ext(r.Name))]
}

// inArchive records that the archive around a file has the right checksum for it, unless the
// file is damaged. That is all there is to know of a file of an unknown kind.
func (r *Report) inArchive() {
	if r.checksum = !r.Damaged(); r.checksum && r.Title == "unknown" {
		r.Title, r.Whole = "other file", &Integrity{State: StateUnproven, Text: "the archive has the right checksum for it; xflash does not know its format"}
	}
}

// mayBeEmpty forgives a file among others that nothing says should have content.
func (r *Report) mayBeEmpty() {
	if ext := strings.ToLower(path.Ext(r.Name)); r.Kind == KindEmpty && r.promised() == nil && ext != ".img" && ext != ".zip" {
		r.Whole = &Integrity{State: StateUnproven, Text: "empty"}
	}
}

// named holds a file against its name: one that is called an image or a text of firmware
// and is something else was damaged, or a download gave an error page.
func (r *Report) named() {
	want := r.promised()
	if want == nil || r.Damaged() || r.unread {
		return
	}
	for _, k := range want {
		if r.Kind == k {
			return
		}
	}
	r.wrong("not what its name says", 0, "its name ends in "+path.Ext(r.Name)+", but it is "+text.WithArticle(r.Title))
}
