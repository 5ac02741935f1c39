package explain

import (
	"fmt"
	"slices"
	"strings"

	"xflash/usbproto/s1"
)

// Cause is why a phone answers 80080021.
type Cause string

// The causes of 80080021 (ERRORS.md §0; SessionRecord is
// usbproto/s1/PROTOCOL.md §11.5).
const (
	RecordMissing Cause = "record-missing" // the phone lost its hardware-configuration record
	TestRoot      Cause = "test-root"      // the file is signed with Sony's internal test root
	UsageRefused  Cause = "usage"          // the phone does not accept this type of file
	SessionRecord Cause = "session-record" // a refused hardware-configuration file took the record out of use
)

const (
	testRoot     = "S1_Root_Test" // the loader tests exactly these letters
	hwConfigRole = "S1_HWConf"
)

// rootCause decides between the causes of 80080021. At that point the loader has accepted
// the signature; what failed is whether this phone accepts this kind of Sony root key for
// this type of file.
func (f Facts) rootCause(e *Explanation) {
	role, subject := f.role(), printable(f.Subject, maxWord)
	listed := f.HWConfig == HWConfigPresent && f.Subject != ""
	test := strings.HasPrefix(f.Issuer, testRoot)
	switch {
	case f.Step == "data":
		f.sessionRecord(e)
	case f.HWConfig == HWConfigEmpty:
		e.decide(RecordMissing, "HWCONF", "The file carries a genuine signature. The phone itself cannot decide whether it may accept it, because its hardware-configuration record is missing (HW_CONFIG is empty; the record is unit 2003 in trim-area partition 2). The phone will refuse other firmware in the same way.",
			"Do not write anything to the trim area, and never unit 2003 of another phone.",
			"If you have a trim-area backup of this very phone, keep it safe and ask for help with it; without one, only a service centre can restore the record.",
			"If the boot loader is unlocked, fastboot is another way in: it does not use this record.")
	case listed && test && !accepts(role, s1.RoleTestRoot):
		e.decide(TestRoot, "WRONGFW", fmt.Sprintf("The file is an internal test build of Sony's: it is signed by %s, and this phone does not accept the test root for files signed as %s%s.",
			printable(f.Issuer, maxWord), subject, shown(role)),
			book().adviceFor("WRONGFW")...)
	case listed && role == nil:
		e.decide(UsageRefused, "HWCONF", fmt.Sprintf("The hardware configuration of this phone does not list files signed as %s%s. The phone will refuse every such file, whichever firmware it comes from.", subject, f.accepted()),
			"Leave this file out: the phone refuses it for its type, so another copy does not help.",
			"Check that the firmware is the official one for exactly the model printed on the phone.",
			"If it is, keep the HW_CONFIG line (\"xflash info\") and ask for help with it. Do not write anything to the trim area.")
	case listed && f.Issuer != "" && !test && !accepts(role, s1.RoleLiveRoot):
		e.decide(UsageRefused, "HWCONF", fmt.Sprintf("The hardware configuration of this phone lists files signed as %s, but does not accept Sony's production root for them%s. Phones from a shop have that bit (0002), so its hardware configuration is not an ordinary one.", subject, shown(role)),
			"Do not send the same file again; the phone will refuse every official file signed as "+subject+" in the same way.",
			"Keep the HW_CONFIG line (\"xflash info\") and ask for help with it. Do not write anything to the trim area.")
	case listed && f.Issuer != "":
		e.decide(SessionRecord, "POWERCYCLE", fmt.Sprintf("HW_CONFIG allows this file%s, so the usual causes do not apply. One remains: a hardware-configuration file was sent in this session and refused. The loader drops its record before it checks the new one and then refuses every image until it is restarted.", shown(role)),
			"Restart the phone in flash mode and start a new session, without the hardware-configuration file.",
			"If the same answer comes back, keep the whole log and ask for help.")
		e.Confidence = Medium
	default:
		f.missing(e)
	}
}

// sessionRecord is 80080021 for data: the header was accepted, so the type of file is
// allowed. Only hardware-configuration files are checked once more with their data.
func (f Facts) sessionRecord(e *Explanation) {
	e.decide(SessionRecord, "POWERCYCLE", "The phone refused the data of a hardware-configuration file. The loader had dropped the phone's own record before it checked the new one, so it now has no record and refuses every image until it is restarted.",
		"Restart the phone in flash mode: it then reads its own record again.",
		"Leave the hardware-configuration file out; firmware for owners does not need it.")
	if f.Subject != hwConfigRole {
		e.Confidence = Medium // what was sent is unknown, or is no such file
	}
}

// missing lists what must be looked at when the facts do not decide.
func (f Facts) missing(e *Explanation) {
	steps := book().adviceFor("CHECKROOT")
	e.Action, e.Next = "CHECKROOT", nil
	if f.HWConfig == HWConfigUnknown || f.HWConfig == HWConfigAbsent {
		e.Next = append(e.Next, steps[0])
	}
	if f.Issuer == "" || f.Subject == "" {
		e.Next = append(e.Next, steps[1])
	}
	e.Next = append(e.Next, steps[2])
	if f.HWConfig == HWConfigAbsent {
		e.Meaning += " The phone sent no HW_CONFIG in this stage, so xflash cannot tell which cause it is."
	}
	if f.Issuer != "" && f.Subject != "" {
		e.Meaning += fmt.Sprintf(" The refused file is signed as %s by %s.", printable(f.Subject, maxWord), printable(f.Issuer, maxWord))
	}
}

// wrongSignature is 800A0017: with both names xflash can tell whether the file is for
// another platform or was changed.
func (f Facts) wrongSignature(e *Explanation) {
	switch {
	case f.Issuer == "" || len(f.Roots) == 0 || strings.HasPrefix(f.Issuer, testRoot):
	case slices.Contains(f.Roots, f.Issuer) && f.Proven:
		f.provenSignature(e)
	case slices.Contains(f.Roots, f.Issuer):
		e.Meaning = fmt.Sprintf("The file names a root that this phone trusts (%s), but its signature is wrong: the header, certificate or signature was changed or damaged.", printable(f.Issuer, maxWord))
		e.Action, e.Next = "REDOWNLOAD", []string{"Download the official firmware again, if you can from another source: this copy is damaged or was changed.",
			"Do not send this copy again: the phone will give the same answer."}
	default:
		e.Meaning = fmt.Sprintf("The file is signed for another Xperia platform, that is for another model: its root is %s, and this phone trusts %s.",
			printable(f.Issuer, maxWord), printable(strings.Join(f.Roots, ", "), maxSaid))
	}
}

// tooOld is 80080022: the least version of HW_CONFIG counts for all types of files, and
// the fuses count for three of them (usbproto/s1/PROTOCOL.md §11.3).
func (f Facts) tooOld(e *Explanation) {
	role := f.role()
	if role == nil {
		return
	}
	e.Meaning += fmt.Sprintf(" For files signed as %s its HW_CONFIG requires at least version %d", printable(role.Name, maxWord), role.AID)
	if slices.Contains([]string{"S1_Boot", "S1_Loader", hwConfigRole}, role.Name) {
		e.Meaning += ", and its fuses may require more"
	}
	e.Meaning += "."
}

// decide sets what a cause means and what to do about it.
func (e *Explanation) decide(cause Cause, action, meaning string, next ...string) {
	e.Cause, e.Action, e.Meaning, e.Next, e.Confidence = cause, action, meaning, next, High
}

// shown is the entry as the phone tells it, in brackets.
func shown(r *Role) string {
	if r == nil {
		return ""
	}
	return fmt.Sprintf(" (HW_CONFIG: %s:%04X:%04X)", printable(r.Name, maxWord), r.AID, r.Flags)
}

// accepts is Accepts for a role that the phone may not have.
func accepts(r *Role, root uint16) bool { return r != nil && r.Accepts(root) }

// accepted names the types of files that the phone accepts with the live root.
func (f Facts) accepted() string {
	var names []string
	for i := range f.Roles {
		if r := &f.Roles[i]; accepts(r, s1.RoleLiveRoot) {
			names = append(names, printable(r.Name, maxWord))
		}
	}
	if len(names) == 0 {
		return ""
	}
	return ", only " + strings.Join(names[:min(len(names), 12)], ", ")
}

// What the program has proven about a file before it was sent rules causes out: the file
// itself is then neither damaged nor changed.

// provenSignature is 800A0017 for a file whose signature fits a root that this program has.
func (f Facts) provenSignature(e *Explanation) {
	e.Meaning = fmt.Sprintf("The file is genuine: xflash checked its signature against the certificate of %s before sending it. So the header was changed on the way to the phone, or this phone has another key under that name.", printable(f.Issuer, maxWord))
	e.Action, e.Next, e.Confidence = "RESEND", []string{"Send it once more, with a short cable plugged into the computer itself.",
		"If the same answer comes back, this phone trusts another root: other firmware from the same source does not help. Keep the log and ask for help."}, Medium
}

// damagedHeader is 80130025 for such a file: the loader accepts the same file when it is sent
// again (usbproto/s1/PROTOCOL.md §11).
func (f Facts) damagedHeader(e *Explanation) {
	if !f.Proven {
		return
	}
	e.Meaning = "The header of the file arrived damaged. The file itself is whole: xflash checked it before sending it."
	e.Action, e.Next, e.Confidence = "RESEND", []string{"Send it once more: the loader accepts the same file then.",
		"Use a short cable, plugged into the computer itself, without a hub."}, High
}

// flagPartitions is the bit of a role that allows it to write partitions
// (usbproto/s1/PROTOCOL.md §11).
const flagPartitions = 0x10

// noPartitions is 80080028 for a role that HW_CONFIG allows no partition at all.
func (f Facts) noPartitions(e *Explanation) {
	role := f.role()
	if role == nil || role.Flags&flagPartitions != 0 {
		return
	}
	e.Meaning = fmt.Sprintf("HW_CONFIG does not allow files signed as %s to write any partition%s: bit 0010 is not set. Other firmware does not change that.",
		printable(role.Name, maxWord), shown(role))
	e.Action, e.Next, e.Confidence = "REPORT", []string{`Keep the HW_CONFIG line ("xflash info") and ask for help with it. Do not write anything to the trim area.`}, High
}
