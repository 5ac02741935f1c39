package explain

import (
	"strings"

	"xflash/usbproto/s1"
)

// HWConfigState is what the phone tells of its hardware-configuration record.
type HWConfigState int

// States of HW_CONFIG in the loader information.
const (
	HWConfigUnknown HWConfigState = iota // nobody looked
	HWConfigAbsent                       // the phone sends no such key, as boot stages do
	HWConfigEmpty                        // it sends the key without content: the record is lost
	HWConfigPresent
)

// Role is one entry of HW_CONFIG: what files of a signer may do (ERRORS.md §3.2).
type Role = s1.HWRole

// Facts are the known facts when a phone refused something. All but Text may be missing.
type Facts struct {
	Text     string // of command 7
	What     string // what was refused: a file, a unit
	Step     string // "header", "data", "unit" or ""
	HWConfig HWConfigState
	Roles    []Role
	Roots    []string // names of the roots that the phone trusts (S1_ROOT)
	Issuer   string   // of the certificate of the refused file
	Subject  string   // of the same, such as S1_SW
	Proven   bool     // its signature was checked up to a certificate of that root
}

// Refusal explains one refusal with all that is known about the phone and the file. For
// 80080021 it says which of the three causes it is (ERRORS.md §0).
func Refusal(f Facts) Explanation {
	var e Explanation
	text := f.Text[:min(len(f.Text), MaxText)]
	if found := findReplies(text, linesOf(text)); len(found) > 0 {
		r := found[0]
		r.bare = false // a phone said it
		e = r.explain()
		if r.limited() {
			// It was refused, so "no error" is not what it looks like.
			e.FollowUp = true
			e.Meaning = "This only follows from an earlier fatal error, whose text was read before: the loader works in limited mode and refuses everything until the phone is restarted. The earlier error is the one that counts."
		}
	} else {
		e = Explanation{Source: FromPhone, PhoneSpoke: true, Said: printable(f.Text, maxSaid), Confidence: Unknown, Action: "REPORT", Next: book().adviceFor("REPORT"),
			Meaning: "The phone gives no reason that we can read."}
	}
	e.What = printable(f.What, maxSaid)
	e.Written = f.written(e)
	f.refine(&e)
	return e
}

// written says what the refusal leaves behind. A header is checked before anything is
// written; data are written while they come (ERRORS.md §5).
func (f Facts) written(e Explanation) string {
	switch f.Step {
	case "header":
		return "Nothing of this file was written."
	case "data":
		return "A part of this file may have been written; its partition is incomplete until the phone accepts the whole file."
	case "unit":
		switch e.Code {
		case "0013", "0015", "0016", "001D", "0025":
			return "Nothing was written by this."
		case "001F":
			return "The last values written to the trim area may not be stored."
		case "0026":
			return "The unit may hold its old value or the new one."
		}
	}
	return ""
}

// refine adds what the facts tell beyond the number.
func (f Facts) refine(e *Explanation) {
	number, _, ok := readStatus(e.Dynamic)
	if !ok {
		return
	}
	switch number {
	case 0x80080021:
		f.rootCause(e)
	case 0x800A0017:
		f.wrongSignature(e)
	case 0x80080022:
		f.tooOld(e)
	case 0x80080028:
		f.noPartitions(e)
	case 0x80130025:
		f.damagedHeader(e)
	case 0x8018001B:
		if f.Step == "data" {
			// Seen in a run of the loader: usbproto/s1/PROTOCOL.md §11.1.
			e.Meaning = "All data of the image has been written, but the loader could not record its signature in trim-area partition 2, because that partition was not open."
			e.Action, e.Next = "TOOL", []string{"Start again with trim-area partition 2 open while files are sent; xflash does so.",
				"If it happens with xflash, send the log to its authors."}
		}
	}
	if f.Step == "data" && late[number.facility()] {
		e.Meaning += " The loader reports such errors late: the damaged or unwritten block may have been sent one or more packets earlier."
	}
}

// late are the groups whose errors belong to a worker that is behind the packets: hashes,
// unpacking, partitions and storage (ERRORS.md §1.4, usbproto/s1/PROTOCOL.md §12.2).
var late = map[string]bool{"08": true, "09": true, "1C": true, "1E": true, "20": true}

// role is the entry of HW_CONFIG for the signer of the file.
func (f Facts) role() *Role {
	for i := range f.Roles {
		if strings.EqualFold(f.Roles[i].Name, f.Subject) {
			return &f.Roles[i]
		}
	}
	return nil
}
