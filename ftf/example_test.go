package ftf_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"xflash/ftf"
)

// Open lists what is in a bundle without unpacking the images.
func ExampleOpen() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "firmware.ftf")
	manifest := ftf.Manifest{Device: "D5803", Version: "23.5.A.1.291"}
	reset := ftf.File{Name: "fota-reset.ta", Open: func() (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader("02\n00000001 0000\n")), nil
	}}
	file, err := os.Create(path)
	if err != nil {
		panic(err)
	}
	if err := errors.Join(ftf.Write(file, manifest, []ftf.File{reset}), file.Close()); err != nil {
		panic(err)
	}
	b, err := ftf.Open(path)
	if err != nil {
		panic(err)
	}
	defer b.Close()
	fmt.Println(b.Manifest.Device, b.Manifest.Version)
	for _, m := range b.Members {
		fmt.Println(m.Name, m.Kind)
	}
	// Output:
	// D5803 23.5.A.1.291
	// META-INF/MANIFEST.MF manifest
	// fota-reset.ta TA file
}
