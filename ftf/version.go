package ftf

import "strings"

// Relation is how a delivery's boot chain relates to that of the phone.
type Relation int

// Relations. Only Same is certain: how Sony counts versions is not documented, so
// Older and Newer apply when nothing but a number differs.
const (
	Unrelated Relation = iota // the names cannot be compared, or one is missing
	Same
	Older // the delivery is older than the phone's boot chain
	Newer
)

// BootVersion is VERSION without SPACE_ID and one separator (_ or -) in front:
// what the phone's boot stage says as VER when this delivery is installed.
func (d *BootDelivery) BootVersion() string {
	v := d.Version
	if d.SpaceID != "" {
		v = strings.ReplaceAll(v, d.SpaceID, "")
	}
	if v != "" && (v[0] == '_' || v[0] == '-') {
		v = v[1:]
	}
	return v
}

// Compare relates the delivery to the VER the phone's boot stage reports
// (FORMAT.md §5: case does not matter).
func (d *BootDelivery) Compare(phone string) Relation {
	own, phone := strings.ToUpper(d.BootVersion()), strings.ToUpper(phone)
	if own == "" || phone == "" {
		return Unrelated
	}
	if own == phone {
		return Same
	}
	for own != "" && phone != "" {
		ownPart, ownNumber, ownRest := cutNumber(own)
		phonePart, phoneNumber, phoneRest := cutNumber(phone)
		if ownPart != phonePart || (ownNumber == "") != (phoneNumber == "") {
			return Unrelated
		}
		if less := compareNumbers(ownNumber, phoneNumber); less != 0 {
			if !sameShape(ownRest, phoneRest) {
				return Unrelated
			}
			if less < 0 {
				return Older
			}
			return Newer
		}
		own, phone = ownRest, phoneRest
	}
	return Unrelated
}

// cutNumber splits a version before and after its first number.
func cutNumber(s string) (before, number, after string) {
	i := 0
	for i < len(s) && !isDigit(s[i]) {
		i++
	}
	j := i
	for j < len(s) && isDigit(s[j]) {
		j++
	}
	return s[:i], s[i:j], s[j:]
}

// compareNumbers compares digits of any length, leading zeros aside.
func compareNumbers(a, b string) int {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

// sameShape reports whether two rests have the same text between their numbers.
func sameShape(a, b string) bool {
	for a != "" || b != "" {
		aPart, aNumber, aRest := cutNumber(a)
		bPart, bNumber, bRest := cutNumber(b)
		if aPart != bPart || (aNumber == "") != (bNumber == "") {
			return false
		}
		a, b = aRest, bRest
	}
	return true
}
