package firmware_test

import (
	"archive/zip"
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"xflash/ftf"
	"xflash/internal/firmware"
	"xflash/internal/simphone/mkimage"
	"xflash/sin"
)

// TestBootLoaderCarriesTheKernelsRoot: the kernel of the phones of 2010 is signed under a root
// whose certificate is in their boot loader, and nowhere else. It is proven whatever the order
// of the archive; a root of the same name with another key proves nothing and refutes nothing.
func TestBootLoaderCarriesTheKernelsRoot(t *testing.T) {
	build := func(a *mkimage.Authority, kind sin.PayloadType, payload []byte) []byte {
		signer, err := a.Issue("S1_SW", 1)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := (mkimage.Builder{Version: 1, Type: kind, Signer: signer}).Build(&out, mkimage.BytesPayload(payload)); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	authority := func(name string) *mkimage.Authority {
		a, err := mkimage.NewTestAuthority(name)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	const name = "S1_SW_Root_ac12"
	right, twin := authority(name), authority(name)
	boot := func(root []byte) []byte {
		payload := bytes.Repeat([]byte{0xEA}, 0x41a3)
		return build(right, sin.TypeBoot12, append(append(payload, root...), 0, 0, 0))
	}
	kernel := build(right, sin.TypeLoader12, bytes.Repeat([]byte("kernel"), 1000))
	for want, root := range map[sin.TrustState][]byte{sin.TrustCarried: right.Root, sin.TrustByName: twin.Root} {
		path := filepath.Join(t.TempDir(), "X10.ftf")
		var file bytes.Buffer
		z := zip.NewWriter(&file)
		for _, m := range []struct {
			name string
			data []byte
		}{{"kernel.sin", kernel}, {"s1boot.sin", boot(root)}} {
			w, err := z.Create(m.name)
			if err == nil {
				_, err = w.Write(m.data)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, file.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		b, err := ftf.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		var order []string
		err = firmware.Walk(context.Background(), b, firmware.Options{}, func(f firmware.File) error {
			order = append(order, f.Name)
			if f.Damage != nil {
				t.Errorf("%s: %v", f.Name, f.Damage)
			}
			if f.Name == "kernel.sin" && (f.SIN.Trust.State != want || f.SIN.Trust.Root != name) {
				t.Errorf("kernel.sin: %v, %s; want %v", f.SIN.Trust.State, f.SIN.Trust.Root, want)
			}
			return nil
		})
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		if err != nil || len(order) != 2 || order[0] != "s1boot.sin" {
			t.Errorf("%v, %v", order, err)
		}
	}
}
