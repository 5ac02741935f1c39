package sin_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	. "xflash/internal/simphone/mkimage"
	. "xflash/sin"
)

// handMade is a SIN file around a map written down by hand and its data.
func handMade(t *testing.T, b Builder, data int, tags ...[]byte) []byte {
	t.Helper()
	list := bytes.Join(tags, nil)
	return build(t, b, BytesPayload(bytes.Join([][]byte{[]byte("MMCF"), be32(uint32(len(list))), list, pat(data)}, nil)))
}

// sha2 is the hash type and hash of pat(n), the whole data area of a test image.
func sha2(n int) []byte { return append(be32(2), SHA256.Sum(pat(n))...) }

// TestNoLoaderMayGetIt: each image that crashes or hangs a loader (usbproto/s1/PROTOCOL.md §11,
// end of "More seen") or is refused by every one. The files are intact and genuine.
func TestNoLoaderMayGetIt(t *testing.T) {
	s, roots := signer(t, "S1_SW", 4)
	sha1Signer := *s
	sha1Signer.Hash = SHA1
	image := Builder{Type: TypeImage, Signer: s}
	good := tag("ADDR", be64(0), be64(16), be64(0), sha2(16))
	for _, c := range []struct {
		name string
		file []byte
		want string
	}{
		{"sound", handMade(t, image, 16, gptp(1), good), ""},
		{"SHA-1 in ADDR", handMade(t, image, 16, gptp(1), tag("ADDR", be64(0), be64(16), be64(0), be32(1), SHA1.Sum(pat(16)))), "crashes"},
		{"no hash in ADDR", handMade(t, image, 16, gptp(1), addr(0, 16, 0)), "800A0014"},
		{"ADDR of 0 bytes", handMade(t, image, 16, gptp(1), good, tag("ADDR", be64(16), be64(0), be64(16), sha2(0))), "hangs"},
		{"no hash in LZ4A", handMade2(t, image, gptp(1), tag("LZ4A", be64(0), be64(4096), be64(uint64(len(lz4As))), be64(0), be64(4096), be32(0))), "800A0014"},
		{"FILL of 0 bytes", handMade(t, image, 16, gptp(1), fill(32, 0, 0), good), "0 bytes"},
		{"SHA-1 block hashes", handMade(t, Builder{Type: TypeImage, HashType: SHA1, Signer: s}, 16, gptp(1), good), "SHA-1"},
		{"SHA-1 signature", handMade(t, Builder{Type: TypeImage, Signer: &sha1Signer}, 16, gptp(1), good), "signature"},
	} {
		t.Run(c.name, func(t *testing.T) {
			report, err := check(c.file, -1, roots)
			if err != nil {
				t.Fatal(err)
			}
			if c.want == "" && report.Unsendable != "" || !strings.Contains(report.Unsendable, c.want) {
				t.Errorf("unsendable: %q, want %q", report.Unsendable, c.want)
			}
			// The map alone says the same where it is the cause.
			m, err := report.Header.ReadMap(report.Header.NewReader(bytes.NewReader(c.file[len(report.Header.Raw):])))
			if err != nil {
				t.Fatal(err)
			}
			if why := report.Header.Unsendable() + m.Unsendable(); why != report.Unsendable {
				t.Errorf("header and map say %q, the report %q", why, report.Unsendable)
			}
		})
	}
	for name, data := range map[string]int{"payload shorter than its map": 15, "no data at all": 0} {
		if _, err := check(handMade(t, image, data, gptp(1), good), -1, roots); !errors.Is(err, Because(BadMap)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// handMade2 is handMade with the LZ4 block of the vectors as data.
func handMade2(t *testing.T, b Builder, tags ...[]byte) []byte {
	t.Helper()
	list := bytes.Join(tags, nil)
	return build(t, b, BytesPayload(bytes.Join([][]byte{[]byte("MMCF"), be32(uint32(len(list))), list, lz4As}, nil)))
}

// TestNeeds: what a map asks of a loader.
func TestNeeds(t *testing.T) {
	long := func(more int) []byte { return tag("FILL", be64(64), be64(4), be32(0), make([]byte, more)) }
	a := tag("ADDR", be64(0), be64(16), be64(0), sha2(16))
	for _, c := range []struct {
		name string
		tags [][]byte
		want Needs
	}{
		{"none", [][]byte{a}, Needs{}},
		{"28", [][]byte{fill(64, 4, 0), a}, Needs{ShortFill: true}},
		{"28 last", [][]byte{a, fill(64, 4, 0)}, Needs{ShortFill: true, LastFill: true}},
		{"30", [][]byte{long(2), a}, Needs{MidFill: true}},
		{"32", [][]byte{long(4), a}, Needs{LongFill: true}},
		{"36 last", [][]byte{a, long(8)}, Needs{LongFill: true, LastFill: true}},
		{"word", [][]byte{fill(64, 4, 0xFF000000), a}, Needs{ShortFill: true, FillWord: true}},
	} {
		list := bytes.Join(append([][]byte{gptp(1)}, c.tags...), nil)
		m, err := ParseMap(list, mapAt, mapAt+8+int64(len(list))+16)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		got := m.Needs
		if !slices.Contains(got.Tags, TagGPTP) || !slices.Contains(got.Tags, TagADDR) || m.Unsendable() != "" {
			t.Errorf("%s: %+v", c.name, got)
		}
		if got.Tags = nil; got.ShortFill != c.want.ShortFill || got.MidFill != c.want.MidFill || got.LongFill != c.want.LongFill ||
			got.LastFill != c.want.LastFill || got.FillWord != c.want.FillWord {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}
