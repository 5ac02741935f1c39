package restore_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"xflash/ftf"
	"xflash/internal/restore"
	"xflash/internal/simphone"
	"xflash/internal/simphone/mkimage"
	"xflash/internal/simphone/xperifirm"
	"xflash/usbproto/command"
)

// commandAuthority signs the firmware folders of these tests.
var commandAuthority = sync.OnceValue(func() *mkimage.Authority {
	a, err := mkimage.NewTestAuthority("S1_Root_command")
	if err != nil {
		panic(err)
	}
	return a
})

// commandKit is a phone of 2017 or later, a folder for it, and a place for journals.
type commandKit struct {
	t     testing.TB
	dir   string // of the phone
	spec  string
	fw    *xperifirm.Firmware
	store restore.Store
	root  string
	phone *simphone.Phone // nil: off

	onEvent func(simphone.Event) // of the phone; may be nil
}

// newCommandKit makes a phone by a specification as "1,slot=b", and firmware for it.
func newCommandKit(t testing.TB, spec string, o xperifirm.Options) *commandKit {
	t.Helper()
	dir := t.TempDir()
	k := &commandKit{t: t, spec: spec, dir: filepath.Join(dir, "phone"), store: restore.Store{Dir: filepath.Join(dir, "state")}, root: filepath.Join(dir, "root.pem")}
	if err := os.WriteFile(k.root, commandAuthority().RootPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	parsed, err := simphone.ParseSpec(spec)
	if err != nil {
		t.Fatal(err)
	}
	o.Phone, o.Storage, o.Authority = parsed.Name, parsed.Storage, commandAuthority()
	if o.Model == "" {
		o.Model = parsed.Model
	}
	if k.fw, err = xperifirm.Make(dir, o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.off)
	return k
}

// on starts the phone in flash mode, with faults.
func (k *commandKit) on(faults ...string) *simphone.Phone {
	k.t.Helper()
	k.off()
	o, err := simphone.ParseSpec(k.spec)
	if err != nil {
		k.t.Fatal(err)
	}
	o.Dir, o.RootFiles, o.Log = k.dir, []string{k.root}, k.onEvent
	for _, text := range faults {
		f, err := simphone.ParseFault(text)
		if err != nil {
			k.t.Fatal(err)
		}
		o.Faults = append(o.Faults, f)
	}
	if k.phone, err = simphone.Open(o); err != nil {
		k.t.Fatal(err)
	}
	return k.phone
}

func (k *commandKit) off() {
	if k.phone == nil {
		return
	}
	if err := k.phone.Close(); err != nil {
		k.t.Error(err)
	}
	k.phone = nil
}

// limits are short where a test waits for a phone that never answers.
var commandLimits = command.Options{Answer: 2 * time.Second, Piece: 5 * time.Second, Stored: 5 * time.Second, Work: 10 * time.Second, Sync: 10 * time.Second, Wait: 10 * time.Millisecond}

// check reads the folder.
func (k *commandKit) check(p restore.Request) (*restore.Firmware, error) {
	k.t.Helper()
	b, err := ftf.Open(k.fw.Folder)
	if err != nil {
		return nil, err
	}
	k.t.Cleanup(func() { b.Close() })
	return restore.Check(context.Background(), b, restore.CheckOptions{Request: p})
}

// run restores the phone that is on, or continues.
func (k *commandKit) run(p restore.Request, resume bool, opt restore.RunOptions) (*restore.Plan, error) {
	k.t.Helper()
	ctx := context.Background()
	s, err := command.Open(ctx, k.phone.Conn(), commandLimits)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	var fw *restore.Firmware
	if !resume {
		if fw, err = k.check(p); err != nil {
			return nil, err
		}
	}
	facts, err := restore.ReadCommandFacts(ctx, s, fw)
	if err != nil {
		return nil, err
	}
	if resume {
		j, err := k.store.Find(facts.Identity)
		if err != nil || j == nil {
			return nil, errors.Join(err, errors.New("nothing to continue"))
		}
		p = j.Request
		if fw, err = k.check(p); err != nil {
			return nil, err
		}
	}
	plan, journal, err := restore.PrepareRun(k.store, fw, facts, p, resume)
	if err != nil {
		return plan, err
	}
	opt.Journal = journal
	if opt.Now == nil {
		opt.Now = func() time.Time { return time.Unix(1700000000, 0).UTC() }
	}
	return plan, restore.RunCommand(ctx, s, plan, opt)
}

// journal is what the phone was asked to change.
func (k *commandKit) journal() []simphone.Written {
	k.t.Helper()
	list, err := k.phone.Journal()
	if err != nil {
		k.t.Fatal(err)
	}
	return list
}

// changes is what of the journal was carried out.
func (k *commandKit) changes() []simphone.Written {
	return slices.DeleteFunc(k.journal(), func(w simphone.Written) bool { return w.Refused != "" })
}

// keptLabels are the labels that a restore without --wipe leaves alone.
var keptLabels = []string{"userdata", "metadata"}

// whole checks a phone after a restore that said it is done: every partition, the units, the
// end of the session, and that it starts.
func (k *commandKit) whole(wipe bool) {
	k.t.Helper()
	t := k.t
	kept := keptLabels
	if wipe {
		kept = nil
	}
	if err := k.fw.Check(k.phone, kept...); err != nil {
		t.Errorf("after the restore: %v", err)
	}
	for unit, want := range k.fw.Units {
		got, there, err := k.phone.Unit(2, unit)
		if err != nil {
			t.Fatal(err)
		}
		if unit == 2550 && !wipe {
			if there {
				t.Errorf("unit 2550 was written without --wipe")
			}
			continue
		}
		if !there || !slices.Equal(got, want) {
			t.Errorf("unit %d is %X, want %X", unit, got, want)
		}
	}
	if flag, _, _ := k.phone.Unit(2, 10100); !slices.Equal(flag, []byte{0}) {
		t.Errorf("unit 10100 is %X", flag)
	}
	k.untouched()
	if boot := k.phone.PowerOn(); boot.Mode != simphone.ModeAndroid {
		t.Errorf("the phone: %+v", boot)
	}
}

// untouched checks that nothing of the phone's identity was asked for, whatever happened.
func (k *commandKit) untouched() {
	k.t.Helper()
	for _, w := range k.journal() {
		base := strings.TrimSuffix(strings.TrimSuffix(w.Target, "_a"), "_b")
		protected := base == "persist" || base == "TA"
		if unit, ok := strings.CutPrefix(w.Target, "2:"); ok && w.Command == "Write-TA" {
			protected = !slices.Contains(strings.Fields("10100 10021 2127 2301 2171 2212 2311 2316 2330 2404 2473 2486 2550 2553 2590"), unit)
		} else if w.Command == "Write-TA" {
			protected = true
		}
		if w.Command == "set_active" && w.Target != "a" && w.Refused == "" {
			protected = true
		}
		if strings.HasSuffix(w.Target, "_b") && base != "system" && base != "oem" {
			protected = true
		}
		if protected {
			k.t.Errorf("the phone was asked to %s %s", w.Command, w.Target)
		}
	}
}

// fresh gives the kit a new phone of the same kind, and no journal.
func (k *commandKit) fresh() {
	k.off()
	dir := k.t.TempDir()
	k.dir, k.store = filepath.Join(dir, "phone"), restore.Store{Dir: filepath.Join(dir, "state")}
}

// afterError checks what holds after every restore that did not end well: the phone was not
// told to leave, the mark of an unfinished flash is there if anything was written, and nothing
// of its identity was touched.
func (k *commandKit) afterError() {
	k.t.Helper()
	k.untouched()
	wrote := false
	for _, w := range k.journal() {
		switch w.Command {
		case "powerdown", "continue", "reboot", "Reboot-bootloader", "reboot-bootloader":
			k.t.Errorf("the phone was told %s after an error", w.Command)
		case "erase", "flash", "Repartition":
			wrote = true
			if w.Flag != 1 && w.Refused == "" {
				k.t.Errorf("%s %s came without unit 10100", w.Command, w.Target)
			}
		}
	}
	flag, _, err := k.phone.Unit(2, 10100)
	if err != nil {
		k.t.Fatal(err)
	}
	if wrote && !slices.Equal(flag, []byte{1}) {
		k.t.Errorf("the phone was written, and unit 10100 is %X", flag)
	}
}

// erasedUnsigned lists the partitions that were erased without a signature that was accepted
// for them just before.
func (k *commandKit) erasedUnsigned() (bad []string) {
	signed := ""
	for _, w := range k.journal() {
		switch {
		case w.Command == "signature" && w.Refused == "":
			signed = w.Target
		case w.Command == "signature":
			signed = ""
		case w.Command == "erase" && signed == "":
			bad = append(bad, w.Target)
		}
	}
	return bad
}
