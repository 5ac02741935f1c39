package restore_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"xflash/internal/restore"
	"xflash/internal/simphone/xperifirm"
	"xflash/usbproto/command"
)

// Odd ways to answer that real phones have, or may have, change nothing.
func TestCommandOddAnswers(t *testing.T) {
	t.Parallel()
	faults := []string{"data13@*", "glued@Get-root-key-hash:*", "glued@*", "zlp@*", "split@Read-TA:*", "two-data@Get-ufs-info",
		"novar=Battery@*", "novar=Sector-size@*", "novar=Rollback-index:0@*", "novar=Default-security@*", "novar=max-download-size@*", "hex=upper@*", "late=50ms@Sync"}
	if testing.Short() {
		faults = []string{"glued@*", "novar=max-download-size@*"}
	}
	k := newCommandKit(t, "1", xperifirm.Options{})
	for _, fault := range faults {
		t.Run(fault, func(t *testing.T) {
			k := *k
			k.t = t
			k.fresh()
			defer k.off()
			k.on(fault)
			if _, err := k.run(restore.Request{}, false, restore.RunOptions{}); err != nil {
				t.Fatal(err)
			}
			k.whole(false)
		})
	}
}

// What a phone tells that contradicts the restore is refused before anything is written.
func TestCommandRefusedFacts(t *testing.T) {
	t.Parallel()
	folder := map[string]*commandKit{"1": newCommandKit(t, "1", xperifirm.Options{})}
	for _, c := range []struct{ spec, fault, says string }{
		{"1", "var=product:J9150@*", "the phone is a J9150"},
		{"1", "novar=product@*", "does not say which model"},
		{"1", "var=current-slot:@*", ""}, // not told: slot a anyway
		{"1", "novar=slot-count@*", "does not say that it has two slots"},
		{"1", "novar=has-slot:boot@*", "does not say whether boot has two slots"},
		{"1", "hash=other@*", "no boot loader in this bundle is certain"},
		{"1", "hash=20@*", "no boot loader in this bundle is certain"},
		{"1", "hash=0@*", "no boot loader in this bundle is certain"},
		{"1", "var=Platform-id:30FFFFE1@*", "no boot loader in this bundle is certain"},
		{"1", "var=Default-security:OFF@*", "several boot loaders"},
		{"1", "var=version-bootloader:1315-2591_X_Boot_SM8150_LA2.0_R_2@*", "is older than the phone's"},
		{"1", "lun=0:62480388@*", "none of its tables fit logical unit 0"},
		{"1", "lun=1:8192@*", "none of its tables fit logical unit 1"},
		{"1", "var=Sector-size:512@*", "unknown, so xflash cannot choose a table"},
		{"1", "var=max-download-size:65536@*", "the phone accepts at most 65536 at once"},
		{"1", "fail=x@Get-ufs-info", "cannot choose a table"},
	} {
		t.Run(c.spec+"/"+c.fault, func(t *testing.T) {
			k := *folder[c.spec]
			k.t = t
			k.fresh()
			defer k.off()
			k.on(c.fault)
			_, err := k.run(restore.Request{}, false, restore.RunOptions{})
			if c.says == "" {
				if err != nil {
					t.Fatal(err)
				}
				k.whole(false)
				return
			}
			var problems restore.Problems
			if !errors.As(err, &problems) || !strings.Contains(problemText(problems), c.says) {
				t.Fatalf("%v, want %q", err, c.says)
			}
			if list := k.changes(); len(list) != 0 {
				t.Errorf("the phone was asked to change: %+v", list)
			}
		})
	}
}

func problemText(ps restore.Problems) string {
	var all []string
	for _, p := range ps {
		all = append(all, p.What, p.Why)
	}
	return strings.Join(all, "\n")
}

// Firmware with a lower rollback index than the phone has started is refused: the phone would
// not start any more.
func TestCommandRollback(t *testing.T) {
	t.Parallel()
	newer := newCommandKit(t, "1iii", xperifirm.Options{Rollback: 7})
	newer.on()
	if _, err := newer.run(restore.Request{}, false, restore.RunOptions{}); err != nil {
		t.Fatal(err)
	}
	newer.whole(false)
	newer.off()
	older := newCommandKit(t, "1iii", xperifirm.Options{Rollback: 6, Version: "61.1.A.0.1"})
	older.dir = newer.dir
	older.on()
	list := len(older.journal())
	_, err := older.run(restore.Request{}, false, restore.RunOptions{})
	var problems restore.Problems
	if !errors.As(err, &problems) || !strings.Contains(problemText(problems), "rollback index is 6, but the phone starts nothing below 7") {
		t.Fatalf("%v", err)
	}
	if len(older.journal()) != list {
		t.Error("the phone was asked to change")
	}
}

// A phone that refuses a command of the restore: an error, never success, and the phone is left
// as it is. The same restore again, or continued, makes it whole.
func TestCommandRefusals(t *testing.T) {
	t.Parallel()
	// The first "signature" asks for the form; the second is that of the first image.
	faults := []string{"fail=no@Write-TA:1", "fail=no@signature:2", "fail=no@Repartition:2", "fail=no@signature:7", "fail=no@download:6", "data-fail@download:9", "fail=no@erase:1",
		"fail=no@erase:5", "fail=no@flash:1", "fail=no@flash:8", "fail=no@flash:10", "fail=no@Write-TA:3", "fail=no@Write-TA:9", "fail=no@set_active:1",
		"fail=Failed to verify cms@signature:9", "fail=no@Sync:1", "fail=no@powerdown:1", "garbage@flash:4", "stale=OKAY@flash:4"}
	if testing.Short() {
		faults = []string{"fail=no@signature:7", "fail=no@flash:8", "fail=no@set_active:1", "fail=no@Sync:1"}
	}
	kit := newCommandKit(t, "1iii", xperifirm.Options{})
	for i, fault := range faults {
		t.Run(fault, func(t *testing.T) {
			k := *kit
			k.t = t
			k.fresh()
			defer k.off()
			k.on(fault)
			_, err := k.run(restore.Request{}, false, restore.RunOptions{})
			var step *restore.StepError
			if !errors.As(err, &step) {
				t.Fatalf("the restore ended with %v", err)
			}
			var refusal *command.Refusal
			if strings.HasPrefix(fault, "fail=") && !errors.As(err, &refusal) {
				t.Errorf("no refusal in %v", err)
			}
			if !strings.Contains(fault, "powerdown") {
				k.afterError()
			}
			if bad := k.erasedUnsigned(); len(bad) > 0 {
				t.Errorf("erased without a signature: %q", bad)
			}
			k.on()
			if _, err := k.run(restore.Request{}, i%2 == 0, restore.RunOptions{}); err != nil {
				t.Fatalf("again: %v", err)
			}
			k.whole(false)
		})
	}
}

// What other programs did to phones (usbproto/command/PROTOCOL.md §3.3, §5.7) is refused or
// harmless here.
func TestCommandPeersFaults(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		spec   string
		folder xperifirm.Options
		says   string // part of the refusal; "": the restore is done
	}{
		{"no boot delivery", "1", xperifirm.Options{Boot: xperifirm.BootAbsent}, "cannot choose the boot loader"},
		{"no configuration matches", "1", xperifirm.Options{Boot: xperifirm.BootNone}, "no boot loader in this bundle is certain"},
		{"two configurations match", "1", xperifirm.Options{Boot: xperifirm.BootTwo}, "several boot loaders"},
		{"the boot loader is missing", "1", xperifirm.Options{Boot: xperifirm.BootIncomplete}, "not in the bundle"},
		{"an older boot loader", "1", xperifirm.Options{Boot: xperifirm.BootOlder}, "is older than the phone's"},
		{"configurations without HWCONFIG", "1", xperifirm.Options{Boot: xperifirm.BootNoHWConfig}, ""},
		{"attributes without PLATFORM_ID", "1iii", xperifirm.Options{Boot: xperifirm.BootHashOnly}, ""},
		{"attributes in another order", "1", xperifirm.Options{Boot: xperifirm.BootReversed}, ""},
		{"no partition_delivery.xml, two tables for one unit", "1", xperifirm.Options{Delivery: xperifirm.DeliveryAbsent}, ""},
		{"partition_delivery.xml lists all tables", "1", xperifirm.Options{Delivery: xperifirm.DeliveryThere}, ""},
		{"zips, tables in the root", "1", xperifirm.Options{Zips: true, TablesInRoot: true}, ""},
		{"an eMMC table without LUN in its name", "1iii,storage=emmc", xperifirm.Options{}, ""},
		{"slot b", "1iii,slot=b", xperifirm.Options{}, ""},
		{"hostile units", "1", xperifirm.Options{Hostile: true}, "trim-area unit"},
		{"firmware of another model", "1", xperifirm.Options{Model: "J9150"}, "the phone is a J9110"},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := newCommandKit(t, c.spec, c.folder)
			k.on()
			plan, err := k.run(restore.Request{}, false, restore.RunOptions{})
			if c.says == "" {
				if err != nil {
					t.Fatal(err)
				}
				k.whole(false)
				k.onlyOneOfEach()
				return
			}
			var problems restore.Problems
			if !errors.As(err, &problems) || !strings.Contains(problemText(problems), c.says) {
				t.Fatalf("%v, want %q\n%v", err, c.says, plan)
			}
			if list := k.changes(); len(list) != 0 {
				t.Errorf("the phone was asked to change: %+v", list)
			}
		})
	}
}

// onlyOneOfEach: each table and each partition is signed, and erased, once.
func (k *commandKit) onlyOneOfEach() {
	k.t.Helper()
	seen := map[string]bool{}
	for _, w := range k.journal() {
		if w.Command != "erase" && w.Command != "Repartition" {
			continue
		}
		if key := w.Command + " " + w.Target; seen[key] {
			k.t.Errorf("%s twice", key)
		} else {
			seen[key] = true
		}
	}
}

// Damaged and foreign files: what can be found offline is refused before the phone is asked,
// and of the rest the phone refuses the signature, with nothing of that partition erased.
func TestCommandDamage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		damage xperifirm.Damage
		short  string
		before bool // found before anything is written
	}{
		{xperifirm.DamageCut, "super", true}, {xperifirm.DamageBit, "super", true}, {xperifirm.DamageOrder, "super", false},
		{xperifirm.DamageSignature, "boot", false}, {xperifirm.DamageName, "boot", true}, {xperifirm.DamageRole, "boot", false}, {xperifirm.DamageSuffix, "vbmeta", false},
		{xperifirm.DamageCut, "persist", false},
	} {
		t.Run(fmt.Sprintf("%s-%d", c.short, c.damage), func(t *testing.T) {
			k := newCommandKit(t, "1iii", xperifirm.Options{Damage: map[string]xperifirm.Damage{c.short: c.damage}})
			k.on()
			_, err := k.run(restore.Request{}, false, restore.RunOptions{})
			if c.short == "persist" {
				if err != nil {
					t.Fatal(err)
				}
				k.whole(false)
				return
			}
			var problems restore.Problems
			if err == nil || errors.As(err, &problems) != c.before {
				t.Fatalf("%v", err)
			}
			if c.before {
				if list := k.changes(); len(list) != 0 {
					t.Errorf("the phone was asked to change: %+v", list)
				}
				return
			}
			k.afterError()
			if bad := k.erasedUnsigned(); len(bad) > 0 {
				t.Errorf("erased without a signature: %q", bad)
			}
			var chunk *restore.ChunkError
			if !errors.As(err, &chunk) || !strings.Contains(chunk.File, c.short) {
				t.Errorf("the error names no file: %v", err)
			}
			if c.damage != xperifirm.DamageOrder && slices.ContainsFunc(k.journal(), func(w wrote) bool { return w.Command == "erase" && strings.TrimSuffix(w.Target, "_a") == c.short }) {
				t.Errorf("%s was erased though its signature was refused", c.short)
			}
		})
	}
}
