package explain

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// status is the 32-bit number of generations C to E: bit 31 is set, the part of the phone
// (facility) is in bits 16 to 26, its error in bits 0 to 15 (ERRORS.md §1.3).
type status uint32

func (s status) String() string   { return fmt.Sprintf("%08X", uint32(s)) }
func (s status) facility() string { return fmt.Sprintf("%02X", uint32(s)>>16&0x7FF) }
func (s status) number() string   { return fmt.Sprintf("%04X", uint32(s)&0xFFFF) }

// wellFormed reports whether the bits that are the same in every status are as they
// should be.
func (s status) wellFormed() bool { return s>>27 == 0x10 }

var (
	plainStatus    = regexp.MustCompile(`^[0-9A-Fa-f]{8}$`)
	prefixedStatus = regexp.MustCompile(`^0[xX]([0-9A-Fa-f]{8})(?: .*)?$`)
	namedStatus    = regexp.MustCompile(`^(\w+) [-/] (\w+)$`)
)

// readStatus reads ERR_DYNAMIC in the three forms that hold a number: 8 digits (E), 0x and
// 8 digits and a blank (C), two names (D). Zero means that the code says all.
func readStatus(dynamic string) (s status, generation string, ok bool) {
	text := strings.TrimSpace(dynamic)
	switch {
	case text == "":
		return 0, "", true
	case plainStatus.MatchString(text):
		return hexStatus(text), "E", true
	}
	if m := prefixedStatus.FindStringSubmatch(text); m != nil {
		return hexStatus(m[1]), "C", true
	}
	if m := namedStatus.FindStringSubmatch(text); m != nil {
		part, okPart := book().number(m[1])
		number, okNumber := book().number(m[2])
		switch {
		case !okPart || !okNumber || part > 0x7FF:
		case part == 0 && number == 0:
			return 0, "D", true
		default:
			return status(0x80000000 | part<<16 | number), "D", true
		}
	}
	return 0, "", false
}

// hexStatus reads 8 hexadecimal digits that a pattern has found.
func hexStatus(digits string) status {
	n, err := strconv.ParseUint(digits, 16, 32)
	if err != nil {
		return 0
	}
	return status(n)
}

// number is the number of a facility or an error, given by its name or as 0xNNNN.
func (c *catalogue) number(name string) (uint32, bool) {
	digits, hex := strings.CutPrefix(strings.ToLower(name), "0x")
	if !hex {
		digits, hex = c.named[bareName(name)]
	}
	n, err := strconv.ParseUint(digits, 16, 16)
	return uint32(n), hex && err == nil
}

// names are the vendor's names of both halves, "" when neither is known.
func (c *catalogue) names(s status) string {
	part, number := c.one("facility", s.facility()), c.one("error", s.number())
	if part == nil && number == nil || !s.wellFormed() {
		return ""
	}
	names := "(unnamed facility 0x" + s.facility() + ")"
	if part != nil && part.name[0] != '(' {
		names = part.name
	}
	if number != nil {
		return names + " / " + number.name
	}
	return names + " / (unnamed 0x" + s.number() + ")"
}

// status looks a number up. Without its own row it is put together from its halves,
// and the text says that nobody knows more.
func (c *catalogue) status(s status) (e entry, known bool) {
	if row := c.one("dynamic", s.String()); row != nil {
		e = *row
		switch {
		case e.meaning == "-":
			e.meaning = "By its group it concerns " + c.one("facility", s.facility()).meaning + ". The error itself has no public name."
			if e.confidence == Low {
				e.meaning = "Nobody outside Sony has published what this number means. " + e.meaning + " We do not know the exact cause."
			}
		case e.confidence == Low:
			e.meaning = fmt.Sprintf("Nobody outside Sony has published what this number means. By its group it concerns %s. We do not know the exact cause; our reading of the loader is: %s",
				c.one("facility", s.facility()).meaning, lowerFirst(e.meaning))
		}
		return e, e.confidence != Low
	}
	e = entry{kind: "dynamic", dynamic: s.String(), action: "REPORT", confidence: Unknown}
	part, number := c.one("facility", s.facility()), c.one("error", s.number())
	switch {
	case !s.wellFormed():
		e.meaning = "This is an unknown number. It does not look like the numbers that the loaders of these phones use."
	case part == nil && number == nil:
		e.meaning = "This is an unknown number: neither its group nor its error is on any known list."
	case part == nil:
		e.meaning = "This is an unknown number: its group is on no known list. Other groups report the same error; there it means that the group " + number.meaning + "."
	case number == nil:
		e.meaning = "This number is on no known list. By its group it concerns " + part.meaning + ". We do not know the exact cause."
	default:
		e.meaning = fmt.Sprintf("This number is on no known list. Its two halves together say that %s %s. We do not know the exact cause.",
			part.meaning, number.meaning)
	}
	return e, false
}
