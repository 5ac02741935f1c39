package explain

import "fmt"

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
		printable(role.Name, maxWord), role.shown())
	e.Action, e.Next, e.Confidence = "REPORT", []string{`Keep the HW_CONFIG line ("xflash info") and ask for help with it. Do not write anything to the trim area.`}, High
}
