package s1

import (
	"fmt"
	"strings"
)

// Refusal is a phone that said no: it answered a command with flags 0. The reason was
// asked for at once, with command 7, because the phone keeps only the last one
// (internal/explain/ERRORS.md §1.4). The session continues.
type Refusal struct {
	At
	Raw      string            // text of the answer to command 7, "" when the phone refused that too
	Severity string            // NONE, MINOR or MAJOR
	Code     string            // 4 hexadecimal digits; "" on phones of 2010-11, see Extra
	Dynamic  string            // 8 hexadecimal digits, or a text on older phones
	Extra    map[string]string // all other keys, such as ERR_CLASS of old phones
}

func (e *Refusal) Error() string {
	said := e.Raw
	switch {
	case said == "":
		said = "it gives no reason"
	case e.Severity == "NONE":
		said += " (an earlier fatal error, whose reason was read before)"
	}
	return fmt.Sprintf("the phone refused %s: %s", e.Doing, said)
}

// Limited reports whether the phone refused because of an earlier fatal error: it says
// no but has no error, since the reason was fetched before, or it says itself that the
// command is not available any more (code 0010, which on phones of 2012 also means an
// unknown command). Only a restart of the phone helps (internal/explain/ERRORS.md §1.4, §2.3).
func (e *Refusal) Limited() bool {
	return e.Severity == "NONE" ||
		e.Code == "0010" && (e.Severity == "MAJOR" || strings.Contains(e.Dynamic, "80110002"))
}

// Fatal reports whether the phone accepts nothing but questions and the end of the session
// from now on (PROTOCOL.md §3.3).
func (e *Refusal) Fatal() bool { return e.Severity == "MAJOR" || e.Limited() }

// NoUnit reports whether a unit could not be read because it is absent or empty, which
// is normal for optional units (internal/explain/ERRORS.md §4; 0013 on phones of 2012).
func (e *Refusal) NoUnit() bool {
	return e.Command == CmdReadUnit && (e.Code == "0025" || e.Code == "0013")
}

// parseRefusal takes the text of command 7 apart.
func parseRefusal(text []byte, at At) *Refusal {
	all := ParseInfo(text).values
	r := &Refusal{At: at, Raw: trimNUL(text), Severity: all["ERR_SEVERITY"], Code: all["ERR_CODE"], Dynamic: all["ERR_DYNAMIC"], Extra: all}
	for _, key := range []string{"ERR_SEVERITY", "ERR_CODE", "ERR_DYNAMIC"} {
		delete(all, key)
	}
	return r
}

// trimNUL drops the NUL that ends the phone's texts, which is counted in their length.
func trimNUL(b []byte) string { return strings.TrimRight(string(b), "\x00") }
