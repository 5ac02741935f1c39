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

// talk is a conversation with a phone that is restored. There are three protocols; everything
// else of a restore is the same.
type talk interface {
	// ask learns from the phone what the plan depends on, and who it is.
	ask(ctx context.Context, fw *restore.Firmware) (identity string, err error)
	prepare(ctx context.Context, store restore.Store, fw *restore.Firmware) (*restore.Plan, *restore.Journal, error)
	// save keeps a copy of what belongs to this one phone, as far as the plan endangers it.
	save(ctx context.Context, store restore.Store, plan *restore.Plan) error
	// rehearse is what a dry run asks of the phone.
	rehearse(ctx context.Context, plan *restore.Plan) error
	// think keeps the phone awake while a person thinks.
	think(ctx context.Context) (stop func() error)
	run(ctx context.Context, plan *restore.Plan, opt restore.RunOptions) error
	// advise adds to a failure what else can be done.
	advise(err error) error
	close(err error) error
}

// plainTalk is what most protocols do not need.
type plainTalk struct{}

func (plainTalk) save(context.Context, restore.Store, *restore.Plan) error { return nil }
func (plainTalk) rehearse(context.Context, *restore.Plan) error            { return nil }
func (plainTalk) think(context.Context) func() error                       { return func() error { return nil } }
func (plainTalk) advise(err error) error                                   { return err }

// talk waits for the phone and opens it, in the mode that the route and the bundle need.
func (c *restoreCommand) talk(ctx context.Context, bundle *ftf.Bundle, fw *restore.Firmware, show *progress) (talk, error) {
	mode := usbproto.ModeFlash
	switch {
	case c.fastboot:
		mode = usbproto.ModeFastboot
	case restore.SpeaksCommands(bundle):
		mode = usbproto.ModeFlash2017
	}
	if err := c.await(ctx, mode, keyModel(fw, c.request.Model)); err != nil {
		return nil, err
	}
	if c.fastboot {
		return c.talkFastboot(ctx)
	}
	phone, err := c.flashPhone(ctx, mode)
	if err != nil {
		return nil, err
	}
	stall := func(doing string) { show.event(restore.Stalled{Doing: doing}) }
	if mode == usbproto.ModeFlash2017 {
		session, err := c.commands(ctx, phone, command.Options{OnStall: stall})
		if err != nil {
			return nil, phone.close(err)
		}
		return &commandTalk{flashTalk: flashTalk{flashPhone: phone, c: c}, session: session}, nil
	}
	session, err := s1.Open(ctx, phone.conn, s1.Options{OnStall: stall})
	if err != nil {
		return nil, phone.close(err)
	}
	return &s1Talk{flashTalk: flashTalk{flashPhone: phone, c: c}, session: session}, nil
}

// flashTalk is what both flash modes have.
type flashTalk struct {
	plainTalk
	*flashPhone
	c     *restoreCommand
	facts *restore.Facts
}

func (t *flashTalk) prepare(_ context.Context, store restore.Store, fw *restore.Firmware) (*restore.Plan, *restore.Journal, error) {
	return restore.PrepareRun(store, fw, t.facts, t.c.request, t.c.resume)
}

// s1Talk is the flash mode of 2010 to 2016.
type s1Talk struct {
	flashTalk
	session *s1.Session
}

func (t *s1Talk) ask(ctx context.Context, _ *restore.Firmware) (identity string, err error) {
	if t.facts, err = restore.ReadFacts(ctx, t.session); err != nil {
		return "", err
	}
	return t.facts.Identity, nil
}

func (t *s1Talk) rehearse(ctx context.Context, plan *restore.Plan) error {
	if t.c.resume {
		return nil
	}
	return restore.Preflight(ctx, t.session, plan)
}

func (t *s1Talk) run(ctx context.Context, plan *restore.Plan, opt restore.RunOptions) error {
	return restore.Run(ctx, t.session, plan, opt)
}

func (t *s1Talk) advise(err error) error { return offerFastbootRoute(err, t.facts) }

// commandTalk is the flash mode of 2017 and later.
type commandTalk struct {
	flashTalk
	session *command.Session
}

func (t *commandTalk) ask(ctx context.Context, fw *restore.Firmware) (identity string, err error) {
	if t.facts, err = restore.ReadCommandFacts(ctx, t.session, fw); err != nil {
		return "", err
	}
	return t.facts.Identity, nil
}

func (t *commandTalk) save(ctx context.Context, store restore.Store, plan *restore.Plan) error {
	folder, err := store.SaveBefore(ctx, t.session, plan, t.facts, "xflash "+version)
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

func (t *commandTalk) think(ctx context.Context) func() error { return t.session.KeepAlive(ctx) }

func (t *commandTalk) run(ctx context.Context, plan *restore.Plan, opt restore.RunOptions) error {
	return restore.RunCommand(ctx, t.session, plan, opt)
}
