package sin_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"

	. "xflash/internal/simphone/mkimage"
	. "xflash/sin"
)

// TestHeaderRules breaks each rule of a version 3 header once (§3.1, §3.2, §9;
// test 4 of docs/contributing.md §5).
func TestHeaderRules(t *testing.T) {
	good := build(t, Builder{Type: TypeImage, BlockSize: 100, Blob: dummyBlob}, BytesPayload(pat(250)))
	be := binary.BigEndian
	set := func(at int, v uint32) func([]byte) { return func(b []byte) { be.PutUint32(b[at:], v) } }
	const list, certLength = 24, 24 + 3*36
	for _, c := range []struct {
		name   string
		change func(b []byte)
		at     int64
		want   string // empty: only a note
	}{
		{"type with more bytes", set(8, 0x127), 8, ""},
		{"hash type with more bytes", set(12, 0x102), 12, ""},
		{"reserved word", set(16, 1), 16, ""},
		{"type 0x1F", set(8, 0x1F), 8, "type 0x1f"},
		{"type 0x2B", set(8, 0x2B), 8, "type 0x2b"},
		{"type 0 with more bytes", set(8, 0x2700), 8, "type 0x0"},
		{"hash type 0", set(12, 0), 12, "hash type 0"},
		{"hash type 3", set(12, 3), 12, "hash type 3"},
		{"list for the other hash", set(12, 1), 20, "not a whole number of 24-byte entries"},
		{"header length 0", set(4, 0), 4, "header length is 0"},
		{"header length 27", set(4, 27), 4, "header length is 27"},
		{"header over the limit", set(4, 16<<20+1), 4, "header length is 16777217"},
		{"header past the file", set(4, 5000), 4, "the file at 402"},
		{"list of 0 bytes", set(20, 0), 20, "hash list of 0 bytes"},
		{"list over the header", set(20, 149), 20, "does not fit"},
		{"huge list", set(20, 0xFFFFFFFF), 20, "does not fit"},
		{"certificate over the header", set(certLength, 17), certLength, "certificate of 17 bytes"},
		{"huge certificate", set(certLength, 0xFFFFFFFF), certLength, "certificate of"},
		{"empty block", set(list+36, 0), list + 36, "is empty"},
	} {
		bad := bytes.Clone(good)
		c.change(bad)
		h, err := ReadHeader(bytes.NewReader(bad), int64(len(bad)))
		if c.want == "" {
			if err != nil || len(h.Notes) != 1 || h.Notes[0].Offset != c.at {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		var e *Error
		if !errors.As(err, &e) || e.Reason != Malformed || e.Offset != c.at || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q at %d", c.name, err, c.want, c.at)
		}
	}
	// Lengths that are whole in themselves, but not those of the file.
	longer := bytes.Clone(good)
	be.PutUint32(longer[list:], 101)
	if _, err := ReadHeader(bytes.NewReader(longer), int64(len(longer))); !errors.Is(err, &Error{Reason: Truncated, Offset: int64(len(good)), Block: 2}) {
		t.Errorf("a block too long: %v", err)
	}
	be.PutUint32(longer[list:], 99)
	if _, err := ReadHeader(bytes.NewReader(longer), int64(len(longer))); !errors.Is(err, &Error{Reason: Trailing, Offset: int64(len(good)) - 1, Block: -1}) {
		t.Errorf("a block too short: %v", err)
	}
}

// TestSlack allows bytes between certificate and payload, with a note; the signature
// covers the header length and the blob, not the slack itself.
func TestSlack(t *testing.T) {
	s, roots := signer(t, "S1_SW", 3)
	file := build(t, Builder{Type: TypeRaw, Signer: s, Slack: 5}, BytesPayload(pat(100)))
	report, err := check(file, int64(len(file)), roots)
	if err != nil || report.Header.Slack != 5 || len(report.Notes) != 1 || report.Notes[0].Offset != int64(len(file)-105) {
		t.Fatalf("%v, notes %+v", err, report.Notes)
	}
	// A certificate length that leaves a part of the blob to the slack is wrong itself.
	at := report.Header.CertOffset - 4
	binary.BigEndian.PutUint32(file[at:], binary.BigEndian.Uint32(file[at:])-1)
	if _, err := check(file, int64(len(file)), roots); err == nil || errors.Is(err, Because(CorruptBlock)) {
		t.Error(err)
	}
}

// TestDetect tells the versions apart, and other files from all of them.
func TestDetect(t *testing.T) {
	signed, _ := signedFile(t)
	for name, c := range map[string]struct {
		head []byte
		want int
	}{
		"version 3":           {signed[:DetectSize], 3},
		"four bytes":          {[]byte("\x03SIN"), 3},
		"three bytes":         {[]byte("\x03SI"), 0},
		"nothing":             {nil, 0},
		"4SIN does not exist": {[]byte("\x04SIN"), 0},
		"gzip of text":        {mustHex("1f8b08000000000000ff4b4c4a0600c2412435030000001f8b"), 0},
		"broken gzip":         {[]byte("\x1f\x8b\x00\x00\x00\x00\x00\x00\x00\x00"), 0},
		"ELF":                 {[]byte("\x7fELF\x01\x01\x01"), 0},
		"a single 1":          {[]byte{1}, 0},
		"zeros after a 1":     {append([]byte{1}, make([]byte, 511)...), 0},
	} {
		if got := Detect(c.head); got != c.want {
			t.Errorf("%s: version %d, want %d", name, got, c.want)
		}
	}
	if _, err := ReadHeader(bytes.NewReader([]byte("\x1f\x8b\x08\x00\x00")), -1); !errors.Is(err, Because(NotSIN)) || !strings.Contains(err.Error(), "gzip") {
		t.Error(err)
	}
}

// TestBuilderRefuses what would not be a file.
func TestBuilderRefuses(t *testing.T) {
	fails := errors.New("no source")
	for name, b := range map[string]struct {
		b Builder
		p Payload
	}{
		"version 4":     {Builder{Version: 4}, BytesPayload(pat(1))},
		"no payload":    {Builder{Type: TypeRaw}, BytesPayload(nil)},
		"huge blocks":   {Builder{Type: TypeRaw, BlockSize: 1 << 32}, BytesPayload(pat(1))},
		"broken source": {Builder{Type: TypeRaw}, Payload{Body: func(w io.Writer) error { return fails }}},
	} {
		if err := b.b.Build(&bytes.Buffer{}, b.p); err == nil {
			t.Errorf("%s was built", name)
		}
	}
	calls := byte(0)
	changing := Payload{Body: func(w io.Writer) error {
		calls++
		_, err := w.Write([]byte{calls})
		return err
	}}
	if err := (Builder{Type: TypeRaw, Blob: dummyBlob}).Build(&bytes.Buffer{}, changing); err == nil || !strings.Contains(err.Error(), "changed") {
		t.Errorf("a payload that is another the second time: %v", err)
	}
	m := MapBuilder{}
	m.SelectName("a name of 17 byte")
	if _, err := m.Payload(); err == nil {
		t.Error("a partition name that does not fit")
	}
	m = MapBuilder{}
	m.LZ4(bytes.NewReader(nil), 0, 0, MaxLZ4+1)
	if _, err := m.Payload(); err == nil {
		t.Error("an LZ4 piece above 16 MiB")
	}
	m = MapBuilder{HashType: SHA256}
	m.Addr(bytes.NewReader(pat(9)), 0, 0, 10)
	if _, err := m.Payload(); err == nil {
		t.Error("a piece longer than its source")
	}
	if err := m.Image(bytes.NewReader(nil), 0, ImageOptions{Chunk: 6}); err == nil {
		t.Error("chunks of 6 bytes")
	}
}

// TestNames gives words for numbers, also for those that nobody has seen.
func TestNames(t *testing.T) {
	for got, want := range map[string]string{
		TypeImage.String(): "0x27 (partition data)", TypeLoader12.String(): "0x00 (loader)", PayloadType(0x26).String(): "0x26",
		SHA1.String(): "SHA-1", NoHash.String(): "none", HashType(7).String(): "hash type 7",
		Truncated.String(): "truncated", Reason(99).String(): "reason 99", Reason(0).String(): "reason 0",
		TrustPinned.String(): "proven by a known root", TrustNothing.String(): "not proven",
		(&Error{File: "a.sin", Reason: CorruptBlock, Block: 3, Offset: 0x80, Detail: "bad"}).Error(): "a.sin: corrupt block 3 at file offset 0x80: bad",
		(&Error{Reason: Malformed, Block: -1, Offset: -1, Err: ErrDER}).Error():                      "malformed header: not a certificate",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for r := NotSIN; r <= BadArchive; r++ {
		if ReasonNames[r] == "" {
			t.Errorf("reason %d has no name", r)
		}
	}
	if len(ReasonNames) != int(BadArchive)+1 {
		t.Error("more names than reasons")
	}
}
