package phone

import (
	"path"
	"strings"
)

// Unit is the verdict on writing a trim-area unit (partition 2).
type Unit struct {
	Number  uint32
	Verdict Verdict // Allow, Delivery, Session, Request or Never
	Known   bool    // false: on no list, and Never for that reason only
	Reason  string  // for a person
}

// UnitVerdict tells whether a unit of trim-area partition 2 may be written
// during a restore. It is an allow-list: a number that is unknown is Never.
// Nothing in trim-area partition 1 is ever written.
func UnitVerdict(number uint32) Unit {
	if u, known := findUnit(loaded().units, number); known {
		return u
	}
	return Unit{number, Never, false, "unknown: xflash never writes units that are not on the list"}
}

// CalibrationReason is why nothing in trim-area partition 1 is ever written.
const CalibrationReason = "trim-area partition 1 holds calibration of one phone"

func findUnit(ranges []unitData, number uint32) (Unit, bool) {
	for _, r := range ranges {
		if r.Unit <= number && number <= max(r.Unit, r.Last) {
			return Unit{number, r.Verdict, true, r.Reason}, true
		}
	}
	return Unit{}, false
}

// TAFile is what a .ta file of a bundle means, by its name.
type TAFile struct {
	Name  string // "cust-reset", or a pattern with *
	Units []uint32
	// Data is what the unit gets when the file is wanted and the bundle lacks it;
	// nil: the file cannot be made up.
	Data   []byte
	Never  bool   // the file must be skipped whatever it holds
	Reason string // for a person
}

// TAFileByName finds the meaning of a .ta file from its name without folder and
// extension, in any case. Names that hold "sim" win over everything else: such
// files are never written. The units inside still have to pass UnitVerdict.
func TAFileByName(base string) (TAFile, bool) {
	base = strings.ToLower(path.Base(base))
	var found TAFile
	ok := false
	for _, f := range loaded().files {
		// The patterns are our own data; a test reads each of them.
		if match, _ := path.Match(f.Name, base); match && (!ok || f.Never) {
			found, ok = f, true
		}
	}
	return found, ok
}
