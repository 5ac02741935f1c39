package ftf

import (
	"bytes"
	"fmt"
	"testing"
)

// goodArchive has all forms of members.
func goodArchive(described bool) []byte {
	return plain(
		&rawMember{name: "system.sin", data: bytes.Repeat([]byte("system"), 500), described: described, method: methodDeflate},
		&rawMember{name: "cache.sin", data: []byte("cache"), described: described},
		&rawMember{name: "fota-reset.ta", data: []byte("02\n00000964 0001 00\n")},
	).bytes()
}

// Cut anywhere, a download is called one that ended early.
func TestTruncatedEverywhere(t *testing.T) {
	for _, described := range []bool{false, true} {
		data := goodArchive(described)
		if _, err := openBytes(t, data); err != nil {
			t.Fatal(err)
		}
		for n := range len(data) {
			_, err := openBytes(t, data[:n])
			e := want(t, err, Truncated, "download it again")
			if n > 0 && e.Have != int64(n) {
				t.Fatalf("cut at %d: it says %d bytes", n, e.Have)
			}
			if e.Want > int64(len(data)) || e.Want != 0 && e.Want <= e.Have {
				t.Fatalf("cut at %d of %d: it says %d are needed", n, len(data), e.Want)
			}
		}
	}
}

// In the middle of a member whose header tells its size, the size that is needed
// at least is reported.
func TestTruncatedSaysHowMuch(t *testing.T) {
	z := &rawZip{members: []*rawMember{{name: "system.sin", data: make([]byte, 5000)}}}
	data := z.bytes()
	_, err := openBytes(t, data[:1000])
	body := sizeLocal + len("system.sin") + 5000
	want(t, err, Truncated, fmt.Sprintf("1000 of at least %d bytes", body))

	z.members[0].wide = true
	_, err = openBytes(t, z.bytes()[:1000])
	want(t, err, Truncated, fmt.Sprintf("1000 of at least %d bytes", body+20))
}

// Bytes missing in the middle, the directory being there: the number is exact.
func TestTruncatedHole(t *testing.T) {
	for _, zip64 := range []bool{false, true} {
		z := &rawZip{members: []*rawMember{{name: "system.sin", data: make([]byte, 5000)}}, zip64: zip64}
		data := z.bytes()
		hole := append(bytes.Clone(data[:1000]), data[1700:]...)
		_, err := openBytes(t, hole)
		want(t, err, Truncated, fmt.Sprintf("%d of %d bytes", len(data)-700, len(data)))
	}
}

// Download programs reserve the file and leave zeros where nothing came.
func TestTruncatedZeros(t *testing.T) {
	data := goodArchive(true)
	for i := 300; i < len(data); i++ {
		data[i] = 0
	}
	_, err := openBytes(t, append(data, make([]byte, 10000)...))
	want(t, err, Truncated, "zeros", "download it again")
}

func TestNotABundle(t *testing.T) {
	for begin, says := range map[string]string{
		"Rar!\x1a\x07\x00 and more":             "RAR",
		"7z\xbc\xaf\x27\x1c and more":           "7z",
		"\x03SIN\x00\x00\x04\x00":               "zip",
		"D5803 firmware, please see my profile": "zip",
	} {
		_, err := openBytes(t, []byte(begin))
		want(t, err, NotBundle, says)
	}
}
