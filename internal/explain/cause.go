package explain

import (
	"fmt"
	"strings"
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

// Role is one entry of HW_CONFIG: what files of a signer may do (error-codes.md §3.2).
type Role struct {
	Name  string
	AID   uint16
	Flags uint16
}

const (
	flagLive = 0x0002
	flagTest = 0x0004
	testRoot = "S1_Root_Test"
)

// Facts are what is known when a phone refused something.
type Facts struct {
	Text     string // of command 7
	What     string // what was refused: a file, a unit
	Step     string // "header", "data", "unit" or ""
	HWConfig HWConfigState
	Roles    []Role
	Roots    []string // names of the roots the phone trusts
	Issuer   string   // of the certificate of the refused file
	Subject  string
}

// Refusal explains one refusal with all that is known. For 80080021 it says which of the
// three causes it is (error-codes.md, main result).
func Refusal(f Facts) Explanation {
	var e Explanation
	if found := Explain(f.Text); len(found) > 0 {
		e = found[0]
	} else {
		e = Explanation{Said: mask(f.Text), Confidence: Unknown, Action: "REPORT", Next: book().advice("REPORT"),
			Meaning: "The phone gave no reason that can be understood."}
	}
	e.What = f.What
	switch f.Step {
	case "header":
		e.Written = "Nothing of this file was written: the phone refused it by its header."
	case "data":
		e.Written = "A part of this file may have been written; the partition is not complete until it is sent again."
	}
	if e.Dynamic == "80080021" {
		f.rootCause(&e)
	}
	return e
}

// rootCause decides between the causes of 80080021. At that point the signature has been
// accepted; what failed is whether this phone takes this kind of Sony root for this
// kind of file.
func (f Facts) rootCause(e *Explanation) {
	role := f.role()
	test := strings.HasPrefix(f.Issuer, testRoot)
	switch {
	case f.HWConfig == HWConfigEmpty:
		e.Meaning = "The file carries a genuine signature. The phone itself cannot decide whether it may accept it, because its own hardware-configuration record is missing (HW_CONFIG is empty; trim-area partition 2, unit 2003). Every other firmware will be refused in the same way. " +
			"If a file with a new hardware configuration was sent in this session and refused, that is the reason, and a restart brings the old record back."
		e.Action, e.Confidence = "HWCONF", High
		e.Next = []string{"Do not write anything to the trim area, and do not try other firmware: it cannot help.",
			"If you have a trim-area backup of this very phone, keep it safe and ask for help with it; otherwise only a service centre can restore the record.",
			"If the boot loader is unlocked, fastboot is a second way in: it does not ask this record."}
	case test && (role == nil && f.HWConfig == HWConfigPresent || role != nil && role.Flags&flagTest == 0):
		e.Meaning = fmt.Sprintf("The file is one of Sony's internal test builds: it is signed by %s. This phone, like every phone from a shop, accepts only files of Sony's production root%s.", f.Issuer, f.flags(role))
		e.Action, e.Confidence = "WRONGFW", High
		e.Next = []string{"Get the official firmware for exactly the model printed on the phone.", "Do not send this file again: it cannot be accepted."}
	case f.HWConfig == HWConfigPresent && f.Subject != "" && role == nil:
		e.Meaning = fmt.Sprintf("The phone's hardware configuration does not list files signed as %s: this phone is not set up for this kind of file.", f.Subject)
		e.Action, e.Confidence = "WRONGFW", High
		e.Next = []string{"Get the official firmware for exactly the model printed on the phone, same letters and digits.", "Leave this file out, if the phone starts without it."}
	case f.HWConfig == HWConfigPresent && role != nil && !test && role.Flags&flagLive == 0:
		e.Meaning = fmt.Sprintf("The phone's hardware configuration lists files signed as %s, but does not accept Sony's production root for them%s. That is how a development phone is set up, not one from a shop.", f.Subject, f.flags(role))
		e.Action, e.Confidence = "HWCONF", High
		e.Next = []string{"Do not send the same file again.", `Run "xflash info" and show the HW_CONFIG line to somebody who knows these phones.`}
	default:
		e.Next = book().advice("CHECKROOT")
		if f.Issuer != "" {
			e.Meaning += fmt.Sprintf(" The refused file is signed as %s by %s.", f.Subject, f.Issuer)
		}
		if f.HWConfig == HWConfigPresent && role != nil {
			e.Meaning += fmt.Sprintf(" Its entry in HW_CONFIG does not speak against it%s, so the record may have been dropped in this session: restart the phone and try once more.", f.flags(role))
		}
	}
}

func (f Facts) role() *Role {
	for i := range f.Roles {
		if f.Roles[i].Name == f.Subject {
			return &f.Roles[i]
		}
	}
	return nil
}

func (f Facts) flags(r *Role) string {
	if r == nil {
		return ""
	}
	return fmt.Sprintf(" (HW_CONFIG: %s:%04X:%04X)", r.Name, r.AID, r.Flags)
}
