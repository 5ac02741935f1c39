package main

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// listed is a package as "go list -json" gives it.
type listed struct {
	ImportPath, Name, Dir string
	GoFiles, CgoFiles     []string
	Imports               []string
}

func packages(t *testing.T) (all []listed) {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Name,Dir,GoFiles,CgoFiles,Imports", "xflash/...")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Skipf("no go command: %v", err)
	}
	for d := json.NewDecoder(out); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if err := cmd.Wait(); err != nil || len(all) < 20 {
		t.Fatalf("%d packages, %v", len(all), err)
	}
	return all
}

// TestWalls: imports go one way, cmd → internal → the four libraries; only usbproto/libusb
// and the program know libusb; only the program prints and exits.
func TestWalls(t *testing.T) {
	libraries := []string{"usbproto", "fastboot", "sin", "ftf"}
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, "xflash/")
		top, _, _ := strings.Cut(name, "/")
		library, program := slices.Contains(libraries, top), top == "cmd"
		for _, i := range p.Imports {
			own, inside := strings.CutPrefix(i, "xflash/")
			switch {
			case inside && library && !slices.Contains(libraries, strings.Split(own, "/")[0]):
				t.Errorf("%s is a library and imports %s", name, own)
			case inside && !program && strings.HasPrefix(own, "cmd/"):
				t.Errorf("%s imports the program", name)
			case inside && own == "usbproto/libusb" && !program && !strings.Contains(name, "vmtest"):
				t.Errorf("%s imports usbproto/libusb, which needs cgo", name)
			case strings.Contains(i, "gousb") && name != "usbproto/libusb":
				t.Errorf("%s imports gousb", name)
			}
		}
		if len(p.CgoFiles) > 0 {
			t.Errorf("%s uses cgo itself: %v", name, p.CgoFiles)
		}
		if program || p.Name == "main" {
			continue
		}
		for _, file := range p.GoFiles {
			text, err := os.ReadFile(filepath.Join(p.Dir, file))
			if err != nil {
				t.Fatal(err)
			}
			for _, word := range []string{"os.Stdout", "os.Stderr", "os.Exit(", "log.Fatal", "fmt.Print"} {
				if strings.Contains(string(text), word) {
					t.Errorf("%s/%s has %s: only the program prints and exits", name, file, word)
				}
			}
		}
	}
}
