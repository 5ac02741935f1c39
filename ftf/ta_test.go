package ftf

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func parseTA(t *testing.T, text string) *TAFile {
	t.Helper()
	f, err := ParseTA(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// Lines of a real file (FORMAT.md §6, LOG-101): units 2127 and 2301.
func TestTAReal(t *testing.T) {
	blob := strings.Repeat("1A CE 28 00 ", 21) // 84 bytes
	f := parseTA(t, "02\n0000084f 0054 "+blob+"\n000008fd 0001 00\n")
	if f.Partition != 2 || len(f.Units) != 2 {
		t.Fatalf("%+v", f)
	}
	u := f.Units[0]
	if u.Unit != 2127 || u.Line != 2 || !bytes.Equal(u.Data, bytes.Repeat([]byte{0x1A, 0xCE, 0x28, 0x00}, 21)) {
		t.Fatalf("%+v", u)
	}
	if u := f.Units[1]; u.Unit != 2301 || u.Line != 3 || !bytes.Equal(u.Data, []byte{0}) {
		t.Fatalf("%+v", u)
	}
}

func TestTAForms(t *testing.T) {
	for name, text := range map[string]string{
		"plain":         "02\n00000964 0003 01 A2 ff\n",
		"CRLF":          "02\r\n00000964 0003 01 A2 ff\r\n",
		"no line end":   "02\n00000964 0003 01 A2 ff",
		"comments":      "// made by hand\n02\n//x\n00000964 0003 01 A2 ff\n// end",
		"blank lines":   "\n\n02\n \t \n00000964 0003 01 A2 ff\n\n",
		"tabs":          "02\n00000964\t0003\t01\tA2\tff\n",
		"continued":     "02\n00000964 0003 01\n              A2 ff\n",
		"continued tab": "02\n00000964 0003\n\t01\n\tA2\n\n//c\n\tff\n",
		"size 5 digits": "02\n00000964 00003 01 A2 ff\n",
		"size 8 digits": "02\n00000964 00000003 01 A2 ff\n",
		"blank at end":  "02 \n00000964 0003 01 A2 ff \t\r\n",
		"BOM":           "\ufeff02\n00000964 0003 01 A2 ff\n",
	} {
		t.Run(name, func(t *testing.T) {
			f := parseTA(t, text)
			if f.Partition != 2 || len(f.Units) != 1 || f.Units[0].Unit != 2404 || !bytes.Equal(f.Units[0].Data, []byte{1, 0xA2, 0xFF}) {
				t.Fatalf("%+v", f)
			}
		})
	}
	if f := parseTA(t, "01\n000008A4 0000\n00000000 0001 07\n"); f.Partition != 1 || len(f.Units) != 2 || len(f.Units[0].Data) != 0 || f.Units[1].Unit != 0 {
		t.Fatalf("size 0 and unit 0: %+v", f)
	}
}

// Test 8 of docs/contributing.md §5.
func TestTAErrors(t *testing.T) {
	for _, c := range []struct {
		text         string
		reason       Reason
		line, column int
	}{
		{"", BadText, 1, 0},
		{"// nothing\n", BadText, 1, 0},
		{"03\n", BadText, 1, 1},
		{"2\n", BadText, 1, 1},
		{"02 00\n", BadText, 1, 4},
		{"00000964 0001 00\n", BadText, 1, 1},
		{"  02\n", BadText, 1, 3},
		{"02\n02\n", BadText, 2, 1},
		{"02\n00000964 0001 00\n01\n", BadText, 3, 1},
		{"02\n964 0001 00\n", BadText, 2, 1},
		{"02\n000000964 0001 00\n", BadText, 2, 1},
		{"02\n0000096g 0001 00\n", BadText, 2, 8},
		{"02\n00000964\n", BadText, 2, 9},
		{"02\n00000964 001 00\n", BadText, 2, 10},
		{"02\n00000964 000000001 00\n", BadText, 2, 10},
		{"02\n00000964 0002 00\n", BadText, 2, 0},
		{"02\n00000964 0002 00\n000008A4 0000\n", BadText, 2, 0},
		{"02\n00000964 0001 00 01\n", BadText, 2, 18},
		{"02\n00000964 0000\n 01\n", BadText, 3, 2},
		{"02\n00000964 0001 0\n", BadText, 2, 15},
		{"02\n00000964 0001 000\n", BadText, 2, 15},
		{"02\n00000964 0002 01\n AZ\n", BadText, 3, 3},
		{"02\n 00\n", BadText, 2, 2},
		{"02\n00000964 0001 00\n00000964 0001 00\n", Duplicate, 3, 1},
		{"02\n00000964 FFFFFFFF 00\n", TooLarge, 2, 10},
		{"02\n//" + strings.Repeat("x", maxTALine) + "\n", TooLarge, 2, 0},
		{"02\n00000964 0001 " + strings.Repeat("0", 16<<20) + "\n", TooLarge, 2, 0},
	} {
		_, err := ParseTA(strings.NewReader(c.text))
		short := fmt.Sprintf("%.60q", c.text)
		e := want(t, err, c.reason)
		if e.Line != c.line || e.Column != c.column {
			t.Errorf("%s: line %d column %d, want %d %d (%v)", short, e.Line, e.Column, c.line, c.column, err)
		}
		if len(err.Error()) > 300 {
			t.Errorf("%s: an error of %d bytes", short, len(err.Error()))
		}
	}
}

// The layout Flashtool's backups have: 16 bytes a line, continued after 14 blanks.
func TestTAEncodeLayout(t *testing.T) {
	f := TAFile{Partition: 2, Units: []TAUnit{{Unit: 2404, Data: []byte{0}}, {Unit: 2212}, {Unit: 0x84F, Data: bytes.Repeat([]byte{0xAB}, 17)}}}
	got, err := f.Encode()
	if err != nil {
		t.Fatal(err)
	}
	expect := "02\n00000964 0001 00\n000008A4 0000\n0000084F 0011" + strings.Repeat(" AB", 16) + "\n" + strings.Repeat(" ", 14) + "AB\n"
	if string(got) != expect {
		t.Fatalf("%q\nwant %q", got, expect)
	}
}

func TestTAEncodeRefuses(t *testing.T) {
	for _, c := range []struct {
		f      TAFile
		reason Reason
	}{
		{TAFile{}, BadText}, {TAFile{Partition: 3}, BadText},
		{TAFile{Partition: 2, Units: []TAUnit{{Unit: 1}, {Unit: 1}}}, Duplicate},
		{TAFile{Partition: 2, Units: []TAUnit{{Unit: 1, Data: make([]byte, maxText)}}}, TooLarge},
	} {
		_, err := c.f.Encode()
		want(t, err, c.reason)
	}
}

// A unit above 64 KiB needs more than four digits of size.
func TestTALargeUnit(t *testing.T) {
	f := TAFile{Partition: 1, Units: []TAUnit{{Unit: 0x1324, Data: bytes.Repeat([]byte{1, 2, 3}, 30000)}}}
	text, err := f.Encode()
	if err != nil {
		t.Fatal(err)
	}
	back := parseTA(t, string(text))
	if !bytes.Equal(back.Units[0].Data, f.Units[0].Data) {
		t.Fatal("the unit changed")
	}
}

func FuzzTA(f *testing.F) {
	f.Add([]byte("02\n0000084f 0004 1A CE 28 00\n000008fd 0001 00\n"))
	f.Add([]byte("// c\r\n01\r\n00000964 00000002\r\n\t01\r\n\t02\r\n000008A4 0000\r\n"))
	f.Add([]byte("02\n00000964 0002 0\n00000964 FFFFFFFF"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := ParseTA(bytes.NewReader(data))
		if err != nil {
			return
		}
		text, err := file.Encode()
		if err != nil {
			t.Fatalf("read but not written: %v", err)
		}
		again, err := ParseTA(bytes.NewReader(text))
		if err != nil {
			t.Fatalf("our own text is refused: %v\n%q", err, text)
		}
		for i := range again.Units {
			again.Units[i].Line = file.Units[i].Line
		}
		if !reflect.DeepEqual(again, file) {
			t.Fatalf("%+v became %+v", file, again)
		}
	})
}
