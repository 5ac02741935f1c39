package bootimg_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"xflash/fastboot/bootimg"
	"xflash/fastboot/bootimg/unpack"
	"xflash/internal/simphone/mkimage"
)

func TestRamdisk(t *testing.T) {
	archive := mkimage.Ramdisk("sbin/recovery", "default.prop")
	for _, f := range []unpack.Format{unpack.None, unpack.Gzip, unpack.LZMA, unpack.XZ, unpack.LZ4Legacy, unpack.LZ4Frame, unpack.Zstd} {
		r, err := bootimg.ParseRamdisk(append(mkimage.Pack(archive, f), make([]byte, 37)...)) // padded, as they often are
		if err != nil || r.Format != f || !r.CPIO || !r.Init || r.Files != 3 || strings.Join(r.Names, " ") != "init sbin/recovery default.prop" {
			t.Errorf("%v: %+v, %v", f, r, err)
		}
		if err == nil && (r.Size > int64(len(archive)) || r.Size < int64(len(archive))-4) { // filling after the end mark is not read
			t.Errorf("%v: %d bytes of %d", f, r.Size, len(archive))
		}
	}
}

func TestRamdiskTrouble(t *testing.T) {
	archive := mkimage.Ramdisk("a")
	packed := mkimage.Pack(archive, unpack.Gzip)
	var noInit bytes.Buffer
	w := mkimage.NewCPIOWriter(&noInit)
	if err := errors.Join(w.Add("etc/init", 0o100644, nil), w.Close()); err != nil {
		t.Fatal(err)
	}
	if r, err := bootimg.ParseRamdisk(noInit.Bytes()); err != nil || r.Init || r.Files != 1 {
		t.Errorf("without /init: %+v, %v", r, err)
	}
	for name, c := range map[string]struct {
		data   []byte
		reason error
		cpio   bool
	}{
		"empty":            {nil, bootimg.ErrWrongKind, false},
		"text":             {[]byte(strings.Repeat("no archive ", 20)), bootimg.ErrWrongKind, false},
		"old cpio":         {append([]byte("070707"), archive[6:]...), bootimg.ErrWrongKind, false},
		"packed text":      {mkimage.Pack([]byte(strings.Repeat("no archive ", 20)), unpack.Gzip), bootimg.ErrWrongKind, false},
		"cut":              {archive[:150], bootimg.ErrTruncated, true},
		"cut in the first": {archive[:80], bootimg.ErrTruncated, false},
		"packed and cut":   {packed[:len(packed)-9], unpack.ErrTruncated, true},
		"damaged":          {append(bytes.Clone(packed[:len(packed)-8]), make([]byte, 8)...), unpack.ErrCorrupt, true}, // its checksum, after the end mark
		"LZO, cut":         {[]byte("\x89LZO\x00\r\n\x1a\n and so on"), unpack.ErrTruncated, false},
	} {
		r, err := bootimg.ParseRamdisk(c.data)
		if !errors.Is(err, c.reason) || r.CPIO != c.cpio {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

// TestCPIO reads what the writer wrote, and checks the writer by the bytes.
func TestCPIO(t *testing.T) {
	var b bytes.Buffer
	w := mkimage.NewCPIOWriter(&b)
	for _, err := range []error{w.Add("init", 0o120777, []byte("/sbin/x")), w.Add("dir", 0o040755, nil), w.Close()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	want := "070701" + "00000001" + "0000A1FF" + strings.Repeat("0", 16) + "00000001" + "00000000" + "00000007" + strings.Repeat("0", 32) + "00000005" + "00000000" +
		"init\x00\x00" + "/sbin/x\x00"
	if !strings.HasPrefix(b.String(), want) || b.Len()%4 != 0 {
		t.Errorf("got %q", b.String()[:len(want)])
	}
	var got []string
	err := bootimg.ReadCPIO(bytes.NewReader(b.Bytes()), func(f bootimg.CPIOFile, r io.Reader) error {
		data, err := io.ReadAll(r)
		got = append(got, f.Name+" "+string(data))
		if f.Name == "dir" && f.Mode != 0o040755 {
			t.Errorf("mode %o", f.Mode)
		}
		return err
	})
	if err != nil || strings.Join(got, ", ") != "init /sbin/x, dir " {
		t.Errorf("%q, %v", got, err)
	}
	stop := errors.New("enough")
	if err := bootimg.ReadCPIO(bytes.NewReader(b.Bytes()), func(bootimg.CPIOFile, io.Reader) error { return stop }); err != stop {
		t.Errorf("the error of visit became %v", err)
	}
	whole := b.Len() - 3 // one byte of filling after the end mark's name, and its NUL
	for n := range whole {
		if err := bootimg.ReadCPIO(bytes.NewReader(b.Bytes()[:n]), func(bootimg.CPIOFile, io.Reader) error { return nil }); err == nil {
			t.Errorf("cut at %d of %d is taken", n, b.Len())
		}
	}
	for at, text := range map[int]string{54: "0000000g", 94: "FFFFFFFF", 95: "0000000"} { // a size, two lengths of a name
		bad := bytes.Clone(b.Bytes())
		copy(bad[at:], text)
		if spent := allocated(func() {
			err = bootimg.ReadCPIO(bytes.NewReader(bad), func(bootimg.CPIOFile, io.Reader) error { return nil })
		}); spent > 1<<20 || err == nil {
			t.Errorf("%q at %d: %v, %d bytes allocated", text, at, err, spent)
		}
	}
}

// TestRamdiskBomb: a ramdisk that is a bomb ends at the limit.
func TestRamdiskBomb(t *testing.T) {
	var head bytes.Buffer
	w := mkimage.NewCPIOWriter(&head)
	if err := w.Add("init", 0o100755, nil); err != nil {
		t.Fatal(err)
	}
	huge := bytes.Clone(head.Bytes())
	copy(huge[54:], "7FFFFFFF")
	bomb := mkimage.Pack(append(huge, make([]byte, bootimg.MaxRamdisk)...), unpack.LZ4Legacy)
	var err error
	if spent := allocated(func() { _, err = bootimg.ParseRamdisk(bomb) }); spent > 24<<20 || !errors.Is(err, unpack.ErrLimit) {
		t.Errorf("%v, %d bytes allocated", err, spent)
	}
}
