package main

import (
	"context"
	"fmt"

	"xflash/ftf"
	"xflash/internal/restore"
	"xflash/usbproto"
	"xflash/usbproto/command"
	"xflash/usbproto/s1"
)

// flashTalk is a conversation with a phone in flash mode. There are two protocols; everything
// else of a restore is the same.
type flashTalk interface {
	facts(ctx context.Context, fw *restore.Firmware) (*restore.Facts, error)
	// rehearse is what a dry run asks of the phone.
	rehearse(ctx context.Context, plan *restore.Plan) error
	// save keeps a copy of what belongs to this one phone, as far as the plan endangers it.
	save(ctx context.Context, store restore.Store, plan *restore.Plan, facts *restore.Facts) error
	// think keeps the phone awake while a person thinks.
	think(ctx context.Context) (stop func() error)
	run(ctx context.Context, plan *restore.Plan, opt restore.RunOptions) error
	// advise adds to a failure what else can be done.
	advise(err error, facts *restore.Facts) error
	Close() error
}

// talk waits for the phone and opens it, in the flash mode that the bundle is for.
func (c *restoreCommand) talk(ctx context.Context, bundle *ftf.Bundle, fw *restore.Firmware, show *progress) (flashTalk, error) {
	later := restore.SpeaksCommands(bundle)
	mode := usbproto.ModeFlash
	if later {
		mode = usbproto.ModeFlash2017
	}
	if err := c.await(ctx, mode, keyModel(fw, c.request.Model)); err != nil {
		return nil, err
	}
	stall := func(doing string) { show.event(restore.Stalled{Doing: doing}) }
	if later {
		conn, err := c.commandMode(ctx, command.Options{OnStall: stall})
		if err != nil {
			return nil, err
		}
		return &commandTalk{c, conn}, nil
	}
	conn, err := c.flashMode(ctx, s1.Options{OnStall: stall})
	if err != nil {
		return nil, err
	}
	return &s1Talk{c, conn}, nil
}

// s1Talk is the flash mode of 2010 to 2016.
type s1Talk struct {
	c *restoreCommand
	*connection
}

func (t *s1Talk) facts(ctx context.Context, _ *restore.Firmware) (*restore.Facts, error) {
	return restore.ReadFacts(ctx, t.Session)
}

func (t *s1Talk) rehearse(ctx context.Context, plan *restore.Plan) error {
	return restore.Preflight(ctx, t.Session, plan)
}

func (t *s1Talk) save(context.Context, restore.Store, *restore.Plan, *restore.Facts) error {
	return nil
}

func (t *s1Talk) think(context.Context) func() error { return func() error { return nil } }

func (t *s1Talk) run(ctx context.Context, plan *restore.Plan, opt restore.RunOptions) error {
	return restore.Run(ctx, t.Session, plan, opt)
}

func (t *s1Talk) advise(err error, facts *restore.Facts) error {
	return t.c.offerFastbootRoute(err, facts)
}

// commandTalk is the flash mode of 2017 and later.
type commandTalk struct {
	c *restoreCommand
	*commandConnection
}

func (t *commandTalk) facts(ctx context.Context, fw *restore.Firmware) (*restore.Facts, error) {
	return restore.ReadCommandFacts(ctx, t.Session, fw)
}

func (t *commandTalk) rehearse(context.Context, *restore.Plan) error { return nil }

func (t *commandTalk) save(ctx context.Context, store restore.Store, plan *restore.Plan, facts *restore.Facts) error {
	folder, err := store.SaveBefore(ctx, t.Session, plan, facts, "xflash "+version)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		if f := classify(err); f.exit == exitBroken || f.exit == exitUnknown {
			return err
		}
		plan.Questions = append(plan.Questions, fmt.Sprintf("The data that belongs to this phone alone could not be copied first: %s. Continue without a copy?", printable(err.Error())))
		return nil
	}
	t.c.ui.say("%s", wrap("A copy of the phone's trim area and modem settings, as far as flash mode shows them, is in "+printable(folder)+". It holds the phone's identity: keep it private.", t.c.ui.width(), ""))
	return nil
}

func (t *commandTalk) think(ctx context.Context) func() error { return t.KeepAlive(ctx) }

func (t *commandTalk) run(ctx context.Context, plan *restore.Plan, opt restore.RunOptions) error {
	return restore.RunCommand(ctx, t.Session, plan, opt)
}

func (t *commandTalk) advise(err error, _ *restore.Facts) error { return err }
