package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"xflash/ftf"
	"xflash/internal/phone"
	"xflash/internal/restore"
)

// restoreCommand is the flags of one restore.
type restoreCommand struct {
	patience time.Duration // how long the phone is waited for; 0: see await
	*app
	request  restore.Request
	dryRun   bool
	yes      bool
	resume   bool
	keep     bool
	fastboot bool // through fastboot
	loader   string
	roots    []string
}

func newRestoreCommand(a *app) *cobra.Command {
	c := &restoreCommand{app: a}
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "restore a phone from a firmware bundle",
		Long: `Restores a phone from a firmware bundle: an .ftf file, or the folder that XperiFirm
makes, which phones of 2017 and later need.

It checks every byte that it will write before it asks the phone, then shows the plan. It
writes nothing before you agree. It keeps apps, photos and settings unless you add
--wipe. If Ctrl-C, a pulled cable or a crash stops a restore, --resume continues it;
until then the phone stays in flash mode.

Flash mode: phone off, hold Volume Down, plug in the cable; the light turns green.

If flash mode refuses everything and the boot loader is unlocked, --fastboot writes
kernel, recovery, system and cache of the bundle in fastboot mode (phone off, hold
Volume Up, plug in the cable; the light turns blue).`,
		Example: `  xflash restore D5803_23.5.A.1.291.ftf
  xflash restore D5803_23.5.A.1.291.ftf --dry-run --model D5803
  xflash restore D5803_23.5.A.1.291.ftf --only kernel,fotakernel
  xflash restore D5803_23.5.A.1.291.ftf --resume
  xflash restore D5803_23.5.A.1.291.ftf --fastboot`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			// An empty list, as an unset variable of a script makes it, must not mean everything.
			for flag, names := range map[string][]string{"only": c.request.Only, "skip": c.request.Skip} {
				if cmd.Flags().Changed(flag) && len(names) == 0 {
					return usageError{fmt.Errorf("--%s is empty", flag)}
				}
			}
			return c.run(cmd.Context(), args[0])
		},
	}
	f := cmd.Flags()
	f.BoolVar(&c.dryRun, "dry-run", false, "check the bundle and show the plan, write nothing")
	f.BoolVar(&c.yes, "yes", false, "do not ask before writing")
	f.BoolVar(&c.request.Wipe, "wipe", false, "also erase the data of the phone: apps, photos, settings")
	f.BoolVar(&c.keep, "keep-data", false, "keep apps, photos and settings (this is the default)")
	f.StringSliceVar(&c.request.Only, "only", nil, "flash only these, by short name, such as kernel,fotakernel (boot means the boot set)")
	f.StringSliceVar(&c.request.Skip, "skip", nil, "leave these out, by short name or file name")
	f.BoolVar(&c.resume, "resume", false, "continue a restore that was stopped")
	f.BoolVar(&c.fastboot, "fastboot", false, "write what fastboot can, to an unlocked phone in fastboot mode")
	f.StringVar(&c.request.Model, "model", "", "the model printed on the phone, if the phone does not tell")
	f.StringVar(&c.loader, "loader", "", "use this file as loader.sin, for bundles without one")
	f.StringSliceVar(&c.roots, "root", nil, "also trust this root certificate (PEM), for firmware of simulated phones")
	f.DurationVar(&c.patience, "timeout", 0, "how long to wait for the phone (default: no limit on a terminal, else one minute)")
	cmd.MarkFlagsMutuallyExclusive("wipe", "keep-data")
	return cmd
}

func (c *restoreCommand) run(ctx context.Context, path string) error {
	if c.resume && (len(c.request.Only) > 0 || len(c.request.Skip) > 0 || c.request.Wipe || c.request.Model != "") {
		return usageError{errors.New("--resume continues the plan you agreed to and cannot be combined with --only, --skip, --wipe and --model")}
	}
	if c.fastboot {
		c.request.Route = restore.RouteFastboot
	}
	bundle, err := openBundle(path)
	if err != nil {
		return err
	}
	defer bundle.Close()
	if err := c.checkOptions(bundle); err != nil {
		return err
	}
	if c.resume { // which files are checked is in the phone's journal
		return c.flash(ctx, bundle, nil)
	}
	fw, err := c.check(ctx, bundle)
	if err != nil {
		return wrongSelector(err)
	}
	alone := c.dryRun && c.device == "" && c.request.Model != ""
	// Everything that needs no phone is judged before one is opened.
	plan, err := c.judge(ctx, fw, alone)
	if err != nil {
		return err
	}
	if alone {
		return c.show(plan, 0)
	}
	return c.flash(ctx, bundle, fw)
}

// judge makes the plan as far as it can be made without a phone; alone says that it stays so.
func (c *restoreCommand) judge(ctx context.Context, fw *restore.Firmware, alone bool) (*restore.Plan, error) {
	if !c.fastboot {
		return restore.Build(fw, nil, c.request)
	}
	var boots map[string]restore.BootImage
	if alone {
		var err error
		if boots, err = restore.BootImages(ctx, fw, nil, c.request); err != nil {
			return nil, err
		}
	}
	return restore.BuildFastboot(fw, nil, boots, c.request)
}

// checkOptions refuses options that mean nothing for a bundle of 2017 and later.
func (c *restoreCommand) checkOptions(bundle *ftf.Bundle) error {
	switch {
	case !restore.SpeaksCommands(bundle):
	case c.fastboot:
		return usageError{errors.New("--fastboot is for phones up to 2016: those of 2017 and later take their firmware in flash mode only")}
	case c.loader != "":
		return usageError{errors.New("--loader is for phones up to 2016: those of 2017 and later need no loader.sin")}
	}
	return nil
}

// wrongSelector makes a selector that fits nothing, or too much, wrong usage.
func wrongSelector(err error) error {
	var wrong *restore.SelectorError
	if errors.As(err, &wrong) {
		return usageError{wrong}
	}
	return err
}

// check reads the whole bundle.
func (c *restoreCommand) check(ctx context.Context, bundle *ftf.Bundle) (*restore.Firmware, error) {
	roots, anyRoot, err := c.app.roots(c.roots)
	if err != nil {
		return nil, err
	}
	show := newProgress(c.ui)
	fw, err := restore.Check(ctx, bundle, restore.CheckOptions{Request: c.request, Roots: roots, AnyRoot: anyRoot, Loader: c.loader, Emit: show.event})
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return nil, cause
	}
	return fw, err
}

// resumed takes what the stopped run was asked for from the journal of the phone at hand, and
// checks the bundle for that.
func (c *restoreCommand) resumed(ctx context.Context, store restore.Store, phoneID string, bundle *ftf.Bundle) (*restore.Firmware, error) {
	id, err := bundle.Identity()
	if err != nil {
		return nil, err
	}
	j, err := store.Resumed(phoneID, id, c.request.Route)
	if err != nil {
		return nil, err
	}
	c.request = j.Request
	fw, err := c.check(ctx, bundle)
	if wrong := new(restore.SelectorError); errors.As(err, &wrong) {
		err = &restore.JournalError{Path: j.Path(), Reason: "it was changed: " + wrong.Error()}
	}
	return fw, err
}

// lock keeps other programs from restoring the same phone. A run that is continued takes it
// before it reads the journal, a new one when it is agreed to.
func (c *restoreCommand) lock(store restore.Store, phoneID string) (unlock func(), err error) {
	if c.dryRun {
		return func() {}, nil
	}
	unlock, err = store.Lock(phoneID)
	if err != nil && !errors.Is(err, restore.ErrLocked) {
		return nil, noStateFailure(err)
	}
	return unlock, err
}

// flash is everything that needs the phone. fw is nil for a restore that is continued.
func (c *restoreCommand) flash(ctx context.Context, bundle *ftf.Bundle, fw *restore.Firmware) (err error) {
	store, err := restore.DefaultStore()
	if err != nil {
		return err
	}
	show := newProgress(c.ui)
	phone, err := c.talk(ctx, bundle, fw, show)
	if err != nil {
		return c.offerResume(store, c.offerFastboot(err))
	}
	done := false
	defer func() { err = c.closed(phone.close(nil), done, err) }()
	identity, err := phone.ask(ctx, fw)
	if err != nil {
		return c.offerResume(store, err)
	}
	if c.resume {
		unlock, err := c.lock(store, identity)
		if err != nil {
			return err
		}
		defer unlock()
		if fw, err = c.resumed(ctx, store, identity, bundle); err != nil {
			return err
		}
	}
	plan, journal, err := phone.prepare(ctx, store, fw)
	if err != nil {
		return err
	}
	show.follow(plan)
	if !c.dryRun && !c.resume {
		if err := phone.save(ctx, store, plan); err != nil {
			return err
		}
	}
	if err := c.show(plan, journal.Done); err != nil {
		return err
	}
	if c.dryRun {
		return phone.rehearse(ctx, plan)
	}
	c.tellUnfinished(store, identity)
	awake := phone.think(ctx)
	err = c.consent(ctx, plan, journal.Done)
	if err = cmp.Or(err, awake()); err != nil {
		return err
	}
	if !c.resume {
		unlock, err := c.lock(store, identity)
		if err != nil {
			return err
		}
		defer unlock()
	}
	soft, end := writingWithStops(ctx)
	defer end()
	err = phone.run(ctx, plan, restore.RunOptions{Journal: journal, Stop: soft, Now: clock(), Emit: show.event})
	if err != nil {
		return phone.advise(err)
	}
	done = true
	c.finished(plan, c.request)
	return nil
}

// closed joins the error of a connection that was closed to that of the command. After a
// complete restore it is only worth a note: nothing that fails then takes it back.
func (c *restoreCommand) closed(closing error, done bool, err error) error {
	if done && closing != nil {
		c.ui.warn("%v", closing)
		return err
	}
	return errors.Join(err, closing)
}

// offerResume tells how to get a phone in flash mode to answer that an interrupted restore may have left in
// the middle of a packet: it takes whatever is sent as the rest of that packet.
func (c *restoreCommand) offerResume(store restore.Store, err error) error {
	f := classify(err)
	if c.fastboot || f.exit != exitBroken || len(store.Unfinished()) == 0 {
		return err
	}
	f.text += "\n  An interrupted restore can leave a phone in the middle of a packet; it then answers nothing until you switch it off."
	f.hints = append(f.hints[:1], "then "+resumeHint)
	return f
}

// clock returns the time that is written into the phone: now, or what SOURCE_DATE_EPOCH says,
// so that a trace can be played back.
func clock() func() time.Time {
	if n, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64); err == nil {
		return func() time.Time { return time.Unix(n, 0) }
	}
	return time.Now
}

// show prints the plan without the steps that an earlier run has done.
func (c *restoreCommand) show(plan *restore.Plan, done int) error {
	if c.ui.json {
		err := c.ui.resultJSON(struct {
			Type string        `json:"type"`
			Hash string        `json:"hash"`
			Plan *restore.Plan `json:"plan"`
		}{"plan", plan.Hash(), plan})
		if !c.dryRun {
			return nil // a reader that is gone does not stop a restore
		}
		return err
	}
	text := strings.TrimRight(plan.TextFor(c.ui.width(), done), "\n")
	switch {
	case c.dryRun:
		c.ui.result("%s\n", text)
	case !c.yes:
		c.ui.show("%s", text) // nobody can agree to what was not shown, also with --quiet
	default:
		c.ui.say("%s", text)
	}
	return nil
}

// tellUnfinished offers to continue a restore that was stopped.
func (c *restoreCommand) tellUnfinished(store restore.Store, phoneID string) {
	if c.resume {
		return
	}
	if j, err := store.Find(phoneID); err == nil && j != nil {
		c.ui.warn("a restore of this phone with %s was stopped during %s. --resume continues there; without it xflash flashes everything again, which is safe too.", printable(j.Bundle), printable(j.Doing))
	}
}

// consent asks before anything is written.
func (c *restoreCommand) consent(ctx context.Context, plan *restore.Plan, done int) error {
	if done > 0 {
		c.ui.say("\nContinuing at step %d of %d: %s.", done+1, len(plan.Steps), plan.Steps[min(done, len(plan.Steps)-1)].Title())
	}
	if c.yes {
		return nil
	}
	if !c.ui.asks() {
		return &failure{exit: exitPolicy, code: "consent", what: "not started: there is no terminal to confirm the plan on",
			hints: []string{"read the plan and add --yes"}}
	}
	for _, q := range plan.Questions {
		if err := c.typesYes(ctx, "\n"+q+" Type yes to continue:"); err != nil {
			return err
		}
	}
	c.ui.say("\n%s", wrap("The battery should be at least half full, and the cable must stay in until the end.", c.ui.width(), ""))
	return c.typesYes(ctx, "Write this to the phone? Type yes to start:")
}

// typesYes asks for a whole yes, and is an error for any other answer.
func (c *restoreCommand) typesYes(ctx context.Context, question string) error {
	answer, err := c.ui.ask(ctx, question)
	if ctx.Err() == nil && (err != nil || !strings.EqualFold(answer, "yes")) {
		return &failure{exit: exitPolicy, code: "consent", what: "not started; nothing was written"}
	}
	return err
}

// stepDone is the line for a step that the phone has acknowledged.
func stepDone(s restore.Step, took string) string {
	switch s.Kind {
	case restore.StepLoader:
		return fmt.Sprintf("%-16s %10s  the flash program runs%s", s.Name, size(s.Bytes), took)
	case restore.StepImage, restore.StepFlash:
		return fmt.Sprintf("%-16s %10s%s", s.Name, size(s.Bytes), took)
	case restore.StepErase:
		return fmt.Sprintf("%-16s            erased%s", s.Name, took)
	case restore.StepUnit, restore.StepTimestamp:
		return fmt.Sprintf("%-16s trim-area unit %d, read back", s.Name, s.Unit)
	case restore.StepTable:
		return fmt.Sprintf("%-16s %10s  partition table of %s%s", "partition-image", size(s.Bytes), strings.Join(s.Partitions, ", "), took)
	case restore.StepSlot:
		return "slot a is active from now on"
	case restore.StepSync:
		return "the phone has stored everything"
	}
	return ""
}

// modelNames lists the models for shell completion of --model.
func modelNames() (names []string) {
	for _, f := range phone.Families() {
		for _, m := range f.Models {
			names = append(names, m.Code)
		}
	}
	return names
}
