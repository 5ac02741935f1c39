package phone

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// QuestionVersion says why a firmware version looks mistyped for a model (PHONES.md §9.3); ""
// when nothing contradicts it.
func (m Model) QuestionVersion(version string) string {
	if len(m.Firmware) == 0 || version == "" {
		return ""
	}
	first, last := m.Firmware[0], m.Firmware[1]
	if compareReleases(version, first) >= 0 && compareReleases(version, last) <= 0 {
		return ""
	}
	return fmt.Sprintf("no firmware of a %s has the version %s: known ones are %s to %s; is it mistyped?", m.Code, version, first, last)
}

// compareReleases compares the first two numbers of versions. A text without numbers comes
// before all.
func compareReleases(a, b string) int {
	major, minor := release(a)
	otherMajor, otherMinor := release(b)
	return cmp.Or(cmp.Compare(major, otherMajor), cmp.Compare(minor, otherMinor))
}

func release(version string) (major, minor int) {
	first, rest, _ := strings.Cut(version, ".")
	second, _, _ := strings.Cut(rest, ".")
	major, err := strconv.Atoi(first)
	if err != nil {
		return -1, 0
	}
	if minor, err = strconv.Atoi(second); err != nil {
		return -1, 0
	}
	return major, minor
}
