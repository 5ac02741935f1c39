package trimarea

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"xflash/internal/phone"
	"xflash/sin"
)

// Identity is what tells one phone from another, as a trim area or a phone gives it.
// Empty fields are unknown.
type Identity struct {
	Model  string   // unit 2210
	Serial string   // unit 4900
	IMEIs  []string // the first 14 digits of each, from the hardware configuration
}

// Record is the hardware configuration in unit 2003 and how far it can be believed.
type Record struct {
	Present bool
	Later   bool      // of a phone of 2017 or later: its form is unknown, and nothing is judged
	Config  *HWConf   // nil when it cannot be read
	Trust   sin.Trust // of its signature; zero when it is not a SIN
	Err     error     // damaged, or of a form that is unknown
}

// Whole tells whether the record is undamaged and readable.
func (r *Record) Whole() bool { return r.Present && r.Err == nil && r.Config != nil }

// Identity reads what the units say of the phone. The record's signature is judged with
// the given roots.
func (s *Survey) Identity(ctx context.Context, roots *sin.RootSet) (Identity, *Record) {
	id, record := Identity{Model: s.text(2210), Serial: s.text(4900)}, &Record{}
	if strings.HasPrefix(id.Model, "Unknown") {
		id.Model = "" // left there by some custom systems
	}
	u, ok := s.Unit(Misc, 2003)
	if !ok {
		return id, record
	}
	record.Present = true
	if family, _, ok := phone.ByModel(id.Model); ok && family.Protocol == phone.ProtocolCommand {
		record.Later = true
		return id, record
	}
	report, err := sin.Check(ctx, bytes.NewReader(u.Data), int64(len(u.Data)), sin.CheckOptions{Roots: roots})
	if record.Err = err; report == nil || report.Header == nil {
		return id, record
	}
	record.Trust = report.Trust
	start := len(report.Header.Raw)
	if start == 0 || start > len(u.Data) {
		return id, record // another version, which has no such payload
	}
	config, err := ParseHWConf(u.Data[start:])
	if err != nil {
		if record.Err == nil {
			record.Err = err
		}
		return id, record
	}
	record.Config, id.IMEIs = config, config.IMEIs()
	return id, record
}

// text reads a unit that holds text with zeros after it.
func (s *Survey) text(number uint32) string {
	u, ok := s.Unit(Misc, number)
	if !ok {
		return ""
	}
	text, _, _ := bytes.Cut(u.Data, []byte{0})
	return strings.TrimSpace(string(text))
}

// backupMarks are the texts by which Backup-TA tells a trim area from noise
// (FORMAT.md §5).
var backupMarks = []string{"OP_ID=", "OP_NAME=", "ROOTING_ALLOWED=", "S1_Boot", "S1_Loader", "S1_HWConf"}

// MissingMarks lists the texts every real trim area holds and this image does not.
func MissingMarks(image []byte) []string {
	var missing []string
	for _, m := range backupMarks {
		if !bytes.Contains(image, []byte(m)) {
			missing = append(missing, m)
		}
	}
	return missing
}

// Belonging is the answer to "is this the trim area of that phone?".
type Belonging int

// The answers. When in doubt it is Undecided, which nobody may take for a yes.
const (
	Undecided Belonging = iota
	SamePhone
	OtherPhone
)

func (b Belonging) String() string {
	return [...]string{"undecided", "same", "other"}[b]
}

// Belongs compares two identities by the rules of FORMAT.md §5: a serial number
// or an IMEI that differs means another phone; the same serial number, and no IMEI that
// contradicts it, the same one. A model never makes two phones one. The reasons are for
// a person and hold no secret.
func Belongs(a, b Identity) (Belonging, []string) {
	var reasons []string
	answer, decided := Undecided, false
	differ := func(format string, args ...any) {
		answer, decided = OtherPhone, true
		reasons = append(reasons, fmt.Sprintf(format, args...))
	}
	switch {
	case a.Serial == "" || b.Serial == "":
		reasons = append(reasons, "the serial number (unit 4900) is not known for both")
	case a.Serial != b.Serial:
		differ("the serial numbers differ")
	default:
		answer = SamePhone
		reasons = append(reasons, "the serial numbers are the same")
	}
	switch {
	case len(a.IMEIs) == 0 || len(b.IMEIs) == 0:
		reasons = append(reasons, "the IMEI is not known for both")
	case !sameIMEI(a.IMEIs, b.IMEIs):
		differ("the IMEIs differ")
	default:
		if !decided {
			answer = SamePhone
		}
		reasons = append(reasons, "the IMEIs are the same")
	}
	if a.Model != "" && b.Model != "" {
		if a.Model != b.Model {
			differ("the models differ: %s and %s", a.Model, b.Model)
		} else {
			reasons = append(reasons, "the model is the same: "+a.Model)
		}
	}
	// Without the serial number nothing is certain (§12.5), but a difference is.
	if answer == SamePhone && (a.Serial == "" || b.Serial == "") {
		answer = Undecided
	}
	return answer, reasons
}

// sameIMEI tells whether every number of the shorter list is in the other: a phone in
// flash mode may name its first IMEI only.
func sameIMEI(a, b []string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	for _, n := range a {
		if !slices.ContainsFunc(b, func(m string) bool { return digits14(m) == digits14(n) }) {
			return false
		}
	}
	return true
}

// digits14 leaves the check digit out.
func digits14(imei string) string { return imei[:min(len(imei), 14)] }
