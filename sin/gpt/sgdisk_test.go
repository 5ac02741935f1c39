package gpt_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	. "xflash/sin/gpt"
)

// sgdisk runs the partition tool of Debian's package gdisk, our oracle.
func sgdisk(t *testing.T, args ...string) string {
	t.Helper()
	path, err := exec.LookPath("sgdisk")
	if err != nil {
		path = "/usr/sbin/sgdisk" // not in the PATH of an ordinary user
		if _, err := os.Stat(path); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal("sgdisk is required in CI: install the package gdisk")
			}
			t.Skip("sgdisk is not installed (package gdisk)")
		}
	}
	out, err := exec.Command(path, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("sgdisk %v: %v\n%s", args, err, out)
	}
	return string(out)
}

func TestSgdiskAcceptsOurs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(path, testDisk(t), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := sgdisk(t, "-v", path); !strings.Contains(out, "No problems found") ||
		strings.Contains(out, "Caution") {
		t.Errorf("sgdisk -v:\n%s", out)
	}
	out := sgdisk(t, "-p", path)
	for _, want := range []string{
		`Disk identifier \(GUID\): 98101B32-BBE2-4BF2-A06E-2BB33D000C20`,
		`(?m)^ +1 +34 +99 .*boot$`,
		`(?m)^ +3 +100 +4061 .*FOTAKernel$`,
	} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("sgdisk -p lacks %s:\n%s", want, out)
		}
	}
	if out := sgdisk(t, "-i", "3", path); !strings.Contains(out, "DBE0B276-4DB9-4A0D-ACA7-00684DE9C467") ||
		!strings.Contains(out, "Attribute flags: 1000000000000000") {
		t.Errorf("sgdisk -i 3:\n%s", out)
	}
}

func TestReadAcceptsSgdisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(path, make([]byte, 8<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	sgdisk(t, "-a", "1", "-U", "98101B32-BBE2-4BF2-A06E-2BB33D000C20",
		"-n", "1:34:199", "-c", "1:TA", "-u", "1:2F50DBC8-FC14-93E4-4A9D-496FBA338B45",
		"-n", "5:200:0", "-c", "5:userdata", "-A", "5:set:60", path)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	table, err := Read(f, 8<<20)
	if err != nil {
		t.Fatal(err)
	}
	if len(table.Entries) != 5 || table.DiskGUID != guid(t, "98101B32-BBE2-4BF2-A06E-2BB33D000C20") {
		t.Fatalf("%+v", table)
	}
	ta, userdata := table.Entries[0], table.Entries[4]
	if ta.Name != "TA" || ta.First != 34 || ta.Last != 199 || ta.Unique != guid(t, "2F50DBC8-FC14-93E4-4A9D-496FBA338B45") {
		t.Errorf("TA: %+v", ta)
	}
	if userdata.Name != "userdata" || userdata.First != 200 || userdata.Last != 16384-34 || userdata.Attr != 1<<60 {
		t.Errorf("userdata: %+v", userdata)
	}
	if table.Entries[2].Used() {
		t.Error("entry 3 should be unused")
	}
}
