package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"xflash/ftf"
	"xflash/internal/restore"
	"xflash/internal/simphone"
	"xflash/internal/simphone/mkimage"
	"xflash/internal/simphone/testfirmware"
	"xflash/sin"
	"xflash/usbproto/s1"
)

func newDemoCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "break a simulated Z3 Compact and restore it",
		Long: `Makes a simulated Z3 Compact and firmware for it, breaks the phone the way a real one
was broken, shows what the phone says and what that means, then restores it and
proves the result from the phone's disk image. Takes some seconds and 200 MB in the
temporary folder, and cleans up afterwards.`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := os.MkdirTemp("", "xflash-demo-")
			if err != nil {
				return err
			}
			err = (&demo{app: a, dir: dir}).run(cmd.Context())
			return errors.Join(err, os.RemoveAll(dir))
		},
	}
}

// demo is one showing. All of it is the real program; only the phone is simulated.
type demo struct {
	*app
	dir   string
	phone *simphone.Phone
	live  *mkimage.Authority // the root that stands for Sony's
	test  *mkimage.Authority // the root that stands for Sony's internal one
}

func (d *demo) run(ctx context.Context) (err error) {
	begun := time.Now()
	d.chapter("A Z3 Compact, simulated, and firmware for it")
	if d.live, err = mkimage.NewTestAuthority("S1_Root_demo"); err != nil {
		return err
	}
	if d.test, err = mkimage.NewTestAuthority(testRootName); err != nil {
		return err
	}
	good, err := d.firmware(ctx, "own", testfirmware.Options{Authority: d.live})
	if err != nil {
		return err
	}
	forum, err := d.firmware(ctx, "forum", testfirmware.Options{Authority: d.live, SystemSize: 8 << 20,
		Issuer: map[string]*mkimage.Authority{"kernel": d.test, "fotakernel": d.test, "system": d.test}})
	if err != nil {
		return err
	}
	if err := d.makePhone(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.phone.Close()) }()
	d.say("Its owner presses the power key.")
	d.screen(d.phone.PowerOn())

	d.chapter("How it was broken")
	if err := d.breakIt(); err != nil {
		return err
	}

	d.chapter("First try, with a bundle from a forum")
	d.say("The owner holds Volume Down, plugs in the cable, and flashes what somebody gave him.")
	if err := d.refusedTry(ctx, forum); err != nil {
		return err
	}

	d.chapter("xflash restore, with the firmware of this phone")
	if err := d.attempt(ctx, good, restore.Request{Wipe: true}, true); err != nil {
		return err
	}

	d.chapter("Proof, from the phone's disk image")
	if err := d.prove(good); err != nil {
		return err
	}
	d.say("The owner presses the power key.")
	boot := d.phone.PowerOn()
	d.screen(boot)
	if boot.Mode != simphone.ModeAndroid {
		return errors.New("the demo went wrong: the restored phone does not start")
	}
	if d.ui.json {
		return d.ui.resultJSON(map[string]any{"type": "result", "state": "done"})
	}
	d.ui.result("\nThe simulated phone starts again. It took %s.\n", time.Since(begun).Round(time.Second))
	d.ui.say("With a real one: switch it off, hold Volume Down, plug it in, and run\n  xflash restore FILE.ftf")
	return nil
}

// testRootName starts as the names of Sony's internal roots do, which is what makes a
// phone treat a file as an internal test build (internal/explain/ERRORS.md §0).
const testRootName = "S1_Root_Test_demo"

func (d *demo) chapter(title string) {
	if !d.ui.json {
		d.ui.result("\n%s\n", d.ui.bold("== "+title))
	}
}

func (d *demo) say(format string, a ...any) {
	if !d.ui.json {
		d.ui.result("%s\n", wrap(fmt.Sprintf(format, a...), d.ui.width(), ""))
	}
}

func (d *demo) screen(b simphone.BootResult) {
	if d.ui.json {
		_ = d.ui.resultJSON(map[string]any{"type": "screen", "mode": b.Mode.String(), "screen": b.Screen, "reason": b.Reason}) // only the telling fails
		return
	}
	d.say("  [phone] %s (%s)", b.Screen, b.Reason)
}

func (d *demo) firmware(ctx context.Context, name string, o testfirmware.Options) (*testfirmware.Firmware, error) {
	dir := filepath.Join(d.dir, name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	fw, err := testfirmware.Make(ctx, dir, o)
	if err == nil {
		st, err := os.Stat(fw.Bundle)
		if err != nil {
			return nil, err
		}
		d.say("  made %s/%s, %s", name, filepath.Base(fw.Bundle), size(st.Size()))
	}
	return fw, err
}

func (d *demo) makePhone() error {
	var roots []string
	for _, a := range []*mkimage.Authority{d.live, d.test} {
		name := filepath.Join(d.dir, a.Name+".pem")
		if err := os.WriteFile(name, a.RootPEM(), 0o600); err != nil {
			return err
		}
		roots = append(roots, name)
	}
	state := cmp.Or(d.simState, filepath.Join(d.dir, "phone"))
	phone, err := simphone.Open(simphone.Options{Dir: state, RootFiles: roots})
	if err != nil {
		return err
	}
	d.phone = phone
	d.say("  made a D5803 with %s of storage (%s)", size(simphone.DiskSize), phone.EMMC())
	return nil
}

// breakIt does what the owner of the story's second phone did (internal/phone/PHONES.md §8.3):
// copies boot, FOTAKernel and userdata from another phone.
func (d *demo) breakIt() error {
	d.say("The owner copied three partitions from another phone with dd: boot, FOTAKernel and userdata. The other phone's data is encrypted, and its kernel does not match the system.")
	foreign := make([]byte, 1<<20)
	for _, label := range []string{"boot", "FOTAKernel", "userdata"} {
		if _, err := rand.Read(foreign); err != nil {
			return err
		}
		p, err := d.phone.Partition(label)
		if err != nil {
			return err
		}
		if _, err := p.WriteAt(foreign, 0); err != nil {
			return err
		}
		d.say("  dd if=other-phone.img of=/dev/block/by-name/%s", label)
	}
	d.screen(d.phone.PowerOn())
	return nil
}

// attempt runs a whole restore of the simulated phone; told shows its plan.
func (d *demo) attempt(ctx context.Context, fw *testfirmware.Firmware, request restore.Request, told bool) (err error) {
	bundle, err := ftf.Open(fw.Bundle)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, bundle.Close()) }()
	roots := &sin.RootSet{}
	if err := errors.Join(roots.Add(d.live.Root), roots.Add(d.test.Root)); err != nil {
		return err
	}
	show := newProgress(d.ui)
	checked, err := restore.Check(ctx, bundle, restore.CheckOptions{Request: request, Roots: roots, Emit: show.event})
	if err != nil {
		return err
	}
	d.phone.FlashMode()
	session, err := s1.Open(ctx, d.phone.Conn(), s1.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, session.Close()) }()
	facts, err := restore.ReadFacts(ctx, session)
	if err != nil {
		return err
	}
	plan, journal, err := restore.PrepareRun(restore.Store{Dir: filepath.Join(d.dir, "journal")}, checked, facts, request, false)
	if err != nil {
		return err
	}
	if told && !d.ui.json {
		d.ui.result("%s\n", plan.Text())
	}
	return restore.Run(ctx, session, plan, restore.RunOptions{Journal: journal, Emit: show.event})
}

// refusedTry flashes firmware that this phone must refuse, and shows the explanation.
func (d *demo) refusedTry(ctx context.Context, fw *testfirmware.Firmware) error {
	err := d.attempt(ctx, fw, restore.Request{Only: []string{"kernel", "fotakernel", "system"}}, false)
	var step *restore.StepError
	if !errors.As(err, &step) {
		return errors.Join(errors.New("the demo went wrong: the phone did not refuse the wrong bundle"), err)
	}
	f := classify(err)
	if d.ui.json {
		return d.ui.resultJSON(map[string]any{"type": "refused", "code": f.code, "text": f.body(78)})
	}
	d.ui.result("xflash: %s\n%s\n", f.what, f.body(78))
	return nil
}

// prove compares the phone's disk with the images that the bundle was made from.
func (d *demo) prove(fw *testfirmware.Firmware) error {
	for _, label := range slices.Sorted(maps.Keys(fw.Images)) {
		f, err := os.Open(fw.Images[label])
		if err != nil {
			return err
		}
		want, n, err := sum(f)
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
		p, err := d.phone.Partition(label)
		if err != nil {
			return err
		}
		if got, _, err := sum(io.NewSectionReader(p, 0, n)); err != nil {
			return err
		} else if !bytes.Equal(got, want) {
			return fmt.Errorf("the demo went wrong: %s on the phone is not what the bundle holds", label)
		}
		d.say("  %-12s %9s  sha256 %x…  equal", label, size(n), want[:6])
	}
	state, _, err := d.phone.Unit(2, 10100)
	if err != nil {
		return err
	}
	d.say("  trim-area unit 10100 (flash in progress) = %X", state)
	return nil
}

func sum(r io.Reader) ([]byte, int64, error) {
	h := sha256.New()
	n, err := io.Copy(h, r)
	return h.Sum(nil), n, err
}
