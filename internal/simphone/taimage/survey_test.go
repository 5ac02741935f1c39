package taimage

import (
	"bytes"
	"testing"

	"xflash/internal/trimarea"
	"xflash/internal/trimarea/tatest"
)

// A whole image means the same to Examine and for Parse.
func TestExamineAgreesWithParse(t *testing.T) {
	b := tatest.Sample()
	im := mustParse(t, b)
	s, err := trimarea.Examine(b)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []int{trimarea.Trim, trimarea.Misc} {
		for i, u := range im.Units(p) {
			v := s.Live(p)[i]
			if u.Number != v.Number || u.Offset != v.Offset || !bytes.Equal(u.Data, v.Data) {
				t.Errorf("%+v and %+v", u, v)
			}
		}
	}
}

// Examine finds a fault in exactly those images that Parse refuses.
func FuzzExamine(f *testing.F) {
	s := tatest.Sample()
	f.Add(s[:2048], s[2*0x20000:2*0x20000+4096])
	f.Fuzz(func(t *testing.T, first, second []byte) {
		b := bytes.Repeat([]byte{0xFF}, 2<<20)
		copy(b[:0x20000], first)
		copy(b[0x20000:0x40000], second)
		s, err := trimarea.Examine(b)
		if err != nil {
			t.Fatal(err)
		}
		im, err := Parse(b)
		if (err == nil) != (len(s.Faults) == 0) {
			t.Fatalf("Parse says %v, Examine %v", err, s.Faults)
		}
		if err == nil {
			for _, p := range []int{trimarea.Trim, trimarea.Misc} {
				if len(im.Units(p)) != len(s.Live(p)) {
					t.Fatalf("partition %d: %d and %d units", p, len(im.Units(p)), len(s.Live(p)))
				}
			}
		}
	})
}
