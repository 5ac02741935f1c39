package bootimg_test

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"xflash/fastboot/bootimg"
)

func vendorBoots() []*bootimg.VendorBoot {
	v3 := bootimg.VendorBoot{Version: 3, HeaderSize: 2112, PageSize: 2048, KernelAddr: 0x8000, RamdiskAddr: 0x2000000, TagsAddr: 0x1e00000,
		DTBAddr: 0x1f00000, Name: "board", Cmdline: "console=none", Ramdisk: pattern(5000, 1), DTB: pattern(900, 2), Trailing: []byte{}}
	v4 := v3
	v4.Version, v4.HeaderSize, v4.PageSize, v4.Bootconfig, v4.Trailing = 4, 2128, 4096, []byte("androidboot.x=1\n"), []byte("rest")
	v4.Fragments = []bootimg.Fragment{
		{Offset: 0, Size: 3000, Type: 1, Name: "platform", BoardID: [16]uint32{1, 2, 15: 3}},
		{Offset: 3000, Size: 2000, Type: 3, Name: strings.Repeat("n", 32)},
	}
	return []*bootimg.VendorBoot{&v3, &v4}
}

func TestVendorRoundTrip(t *testing.T) {
	for _, want := range vendorBoots() {
		b, err := want.Build()
		if err != nil {
			t.Fatal(err)
		}
		got, err := bootimg.ParseVendorBoot(b)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("version %d: %v\ngot  %+v\nwant %+v", want.Version, err, got, want)
		}
		again, err := got.Build()
		if err != nil || !bytes.Equal(again, b) {
			t.Errorf("version %d: built again it differs, %v", want.Version, err)
		}
		whole := len(b) - len(want.Trailing)
		for n := 0; n < whole; n += 97 { // the last filling may be missing
			if _, err := bootimg.ParseVendorBoot(b[:n]); err == nil && n < whole-int(want.PageSize) {
				t.Errorf("version %d cut at %d is taken", want.Version, n)
			}
		}
	}
}

func TestVendorRefuses(t *testing.T) {
	b, err := vendorBoots()[1].Build()
	if err != nil {
		t.Fatal(err)
	}
	table := 4096 + 8192 + 4096 // header, ramdisk, dtb
	for name, c := range map[string]struct {
		b      []byte
		reason error
		text   string
	}{
		"other magic":      {[]byte("ANDROID!"), bootimg.ErrWrongKind, ""},
		"version 5":        {put32(b, 8, 5), bootimg.ErrUnsupported, "version 5"},
		"page size":        {put32(b, 12, 100), bootimg.ErrMalformed, "page size 100"},
		"header size":      {put32(b, 2096, 2112), bootimg.ErrMalformed, "header size 2112"},
		"ramdisk size":     {put32(b, 24, 0xFFFFFFFF), bootimg.ErrTruncated, "ramdisk of 4294967295"},
		"bootconfig size":  {put32(b, 2124, 0xFFFFFFFF), bootimg.ErrTruncated, "bootconfig"},
		"entry size":       {put32(b, 2120, 107), bootimg.ErrMalformed, "entries of 107"},
		"entry count":      {put32(b, 2116, 0x02000002), bootimg.ErrMalformed, "33554434 entries"},
		"fragment too far": {put32(b, table+4, 0xFFFFFFFF), bootimg.ErrMalformed, "fragment 0"},
	} {
		_, err := bootimg.ParseVendorBoot(c.b)
		wantError(t, name, err, c.reason, c.text)
	}
}
