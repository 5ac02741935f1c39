package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"xflash/internal/simphone/mkimage"
	"xflash/internal/simphone/testfirmware"
	"xflash/internal/simphone/xperifirm"
)

func TestMain(m *testing.M) {
	testscript.Main(cleaned{m}, map[string]func(){"xflash": main})
}

// cleaned removes what all tests share when they are done.
type cleaned struct{ m *testing.M }

func (c cleaned) Run() int {
	code := c.m.Run()
	if sharedDir != "" {
		if err := os.RemoveAll(sharedDir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return code
}

// testDisk is a small eMMC.
const testDisk = 4 << 30

var sharedDir string

// shared is a bundle for a simulated phone with a 4 GiB eMMC, and the root that signed it.
type shared struct {
	fw        *testfirmware.Firmware
	root      string // PEM file
	authority *mkimage.Authority
}

var theBundle = sync.OnceValues(func() (s shared, err error) {
	if sharedDir, err = os.MkdirTemp("", "xflash-cmd-test-"); err != nil {
		return s, err
	}
	if s.authority, err = mkimage.NewTestAuthority("S1_Root_cafe"); err != nil {
		return s, err
	}
	s.root = filepath.Join(sharedDir, "root.pem")
	if err := os.WriteFile(s.root, s.authority.RootPEM(), 0o644); err != nil {
		return s, err
	}
	s.fw, err = testfirmware.Make(context.Background(), sharedDir, testfirmware.Options{
		Authority: s.authority, SystemSize: 10 << 20, KernelSize: 1 << 20, Disk: testDisk})
	return s, err
})

func TestScripts(t *testing.T) {
	b, err := theBundle()
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Condition: func(cond string) (bool, error) {
			if cond != "usb" {
				return false, fmt.Errorf("unknown condition %q", cond)
			}
			_, err := os.Stat("/sys/bus/usb/devices")
			return err == nil, nil
		},
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", filepath.Join(env.WorkDir, "home"))
			env.Setenv("XDG_STATE_HOME", filepath.Join(env.WorkDir, "state"))
			env.Setenv("BUNDLE", b.fw.Bundle)
			env.Setenv("ROOT", b.root)
			env.Setenv("SIM", fmt.Sprintf("sim:z3c,disk=%d,root=%s", int64(testDisk), b.root))
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			// folder PHONE: makes a firmware folder for a phone of 2017 or later; its path is FOLDER.
			"folder": func(ts *testscript.TestScript, _ bool, args []string) {
				fw, err := xperifirm.Make(ts.MkAbs("firmware"), xperifirm.Options{Phone: args[0], Authority: b.authority})
				ts.Check(err)
				ts.Setenv("FOLDER", fw.Folder)
			},
			// exits CODE COMMAND…: the command must end with this exit code.
			"exits": func(ts *testscript.TestScript, neg bool, args []string) {
				if neg || len(args) < 2 {
					ts.Fatalf("usage: exits CODE COMMAND…")
				}
				err := ts.Exec(args[1], args[2:]...)
				got := "0"
				if err != nil {
					got = strings.TrimPrefix(err.Error(), "exit status ")
				}
				if got != args[0] {
					ts.Fatalf("exit code %s, want %s", got, args[0])
				}
			},
		},
	})
}
