package bootcheck

import "testing"

// ImageForTest is an image of the table of the rules.
type ImageForTest struct {
	Name string
	Data []byte
}

// ImagesForTest gives that table to the tests that send its images to a phone.
func ImagesForTest(t *testing.T) (all []ImageForTest) {
	for _, c := range cases(t) {
		all = append(all, ImageForTest{c.name, c.data})
	}
	return all
}
