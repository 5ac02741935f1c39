package phone

import (
	"fmt"
	"slices"
)

// QuestionVersion says why a firmware version looks mistyped for a model (PHONES.md §9.3); ""
// when nothing contradicts it.
func (m Model) QuestionVersion(version string) string {
	if len(m.Firmware) == 0 || version == "" {
		return ""
	}
	first, last := m.Firmware[0], m.Firmware[1]
	if slices.Compare(release(version), release(first)) >= 0 && slices.Compare(release(version), release(last)) <= 0 {
		return ""
	}
	return fmt.Sprintf("no firmware of a %s has the version %s: known ones are %s to %s; is it mistyped?", m.Code, version, first, last)
}

// release is the first two numbers of a version. A text without them comes before all.
func release(version string) []int {
	var major, minor int
	if n, _ := fmt.Sscanf(version, "%d.%d", &major, &minor); n < 2 {
		return nil
	}
	return []int{major, minor}
}
