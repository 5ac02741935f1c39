package unpack

import "testing"

func TestDetect(t *testing.T) {
	for _, c := range []struct {
		head string
		want Format
	}{
		{"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03", Gzip},
		{"\x1f\x8b\x09", None},
		{"BZh91AY&SY\x00\x00", Bzip2},
		{"BZh1\x17\x72\x45\x38\x50\x90", Bzip2}, // an empty file
		{"BZh9", Bzip2},
		{"BZh0", None},
		{"BZh9 text", None},
		{"\xfd7zXZ\x00\x00\x04", XZ},
		{"\x89LZO\x00\r\n\x1a\n\x10", LZO},
		{"\x02\x21\x4c\x18\x00\x00\x80\x00", LZ4Legacy},
		{"\x04\x22\x4d\x18\x64\x40", LZ4Frame},
		{"\x28\xb5\x2f\xfd\x04", Zstd},
		{"\x5d\x00\x00\x80\x00\xff\xff\xff\xff\xff\xff\xff\xff", LZMA}, // 8 MiB
		{"\x5d\x00\x00\x00\x04\xff\xff\xff\xff\xff\xff\xff\xff", LZMA}, // 64 MiB
		{"\x5d\x00\x00\xc0\x00\x00\x10\x00\x00\x00\x00\x00\x00", LZMA}, // 12 MiB, size known
		{"\x5d\x00\x00\xa0\x00\xff\xff\xff\xff\xff\xff\xff\xff", None}, // 10 MiB
		{"\x5d\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff", None},
		{"\x5d\x00\x00\x80\x00\x00\x10\x00\x00\x00\x01\x00\x00", None}, // 2⁴⁰ bytes
		{"\x5d\x00\x00\x80\x00", LZMA},
		{"\x5d\x00\x00", None},
		{"070701", None},
		{"", None},
	} {
		if got := Detect([]byte(c.head)); got != c.want {
			t.Errorf("% x is %v, want %v", c.head, got, c.want)
		}
	}
}

func TestNext(t *testing.T) {
	data := []byte("BBZh\x1f\x8b\x08\x5d\x00\x89LZO\x00\r\n\x1a\n tail")
	want := []struct {
		at int
		f  Format
	}{{4, Gzip}, {9, LZO}, {len(data), None}}
	at := 0
	for _, w := range want {
		var f Format
		if at, f = Next(data, at); at != w.at || f != w.f {
			t.Fatalf("found %v at %d, want %v at %d", f, at, w.f, w.at)
		}
		at++
	}
}
