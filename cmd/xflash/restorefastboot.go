package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"xflash/ftf"
	"xflash/internal/restore"
	"xflash/usbproto"
)

// throughFastboot is the fastboot route of a restore (internal/phone/PHONES.md §9.5).
// fw is nil for a restore that is continued.
func (c *restoreCommand) throughFastboot(ctx context.Context, bundle *ftf.Bundle, fw *restore.Firmware) (err error) {
	if c.dryRun && c.device == "" && c.request.Model != "" {
		boots, err := restore.BootImages(ctx, fw, nil, c.request)
		if err != nil {
			return err
		}
		plan, err := restore.BuildFastboot(fw, nil, boots, c.request)
		if err != nil {
			return err
		}
		return c.show(plan, 0)
	}
	if fw != nil { // what can be judged without the phone is judged before it is opened
		if _, err := restore.BuildFastboot(fw, nil, nil, c.request); err != nil {
			return err
		}
	}
	store, err := restore.DefaultStore()
	if err != nil {
		return err
	}
	show := newProgress(c.ui)
	meter := &restore.Meter{}
	options := c.fastbootOptions("")
	options.Progress = meter.Sent
	if err := c.await(ctx, usbproto.ModeFastboot, keyModel(fw, c.request.Model)); err != nil {
		return err
	}
	conn, err := c.fastbootMode(ctx, options)
	if err != nil {
		return err
	}
	done := false
	defer func() { err = c.closed(conn.Close(), done, err) }()
	facts, err := c.loaderFacts(ctx, conn)
	if err != nil {
		return err
	}
	if err := unlocked(facts.Target); err != nil {
		return err
	}
	if c.resume {
		unlock, err := c.lock(store, facts.Identity)
		if err != nil {
			return err
		}
		defer unlock()
		if fw, err = c.resumed(ctx, store, facts.Identity, bundle); err != nil {
			return err
		}
	}
	boots, err := restore.BootImages(ctx, fw, facts, c.request)
	if err != nil {
		return err
	}
	plan, journal, err := restore.PrepareFastbootRun(store, fw, facts, boots, c.request, c.resume)
	if err != nil {
		return err
	}
	show.follow(plan)
	if err := c.show(plan, journal.Done); err != nil || c.dryRun {
		return err
	}
	c.tellUnfinished(store, facts.Identity)
	if err := c.consent(ctx, plan, journal.Done); err != nil {
		return err
	}
	if !c.resume {
		unlock, err := c.lock(store, facts.Identity)
		if err != nil {
			return err
		}
		defer unlock()
	}
	limit, _, err := conn.MaxDownload(ctx)
	if err != nil {
		return err
	}
	dir, err := unpackingFolder()
	if err != nil {
		return err
	}
	defer os.Remove(dir) // empty now; what cannot be removed harms nobody
	soft, end := writingWithStops(ctx)
	defer end()
	err = restore.RunFastboot(ctx, conn.Client, plan, restore.FastbootOptions{
		RunOptions: restore.RunOptions{Journal: journal, Stop: soft, Emit: show.event},
		Dir:        dir, Limit: limit, Meter: meter})
	if err != nil {
		return err
	}
	done = true
	c.finished(plan, c.request)
	return nil
}

// unpackingFolder is where file systems are unpacked until they are sent. The temporary folder
// of many systems is in memory, so it is not used.
func unpackingFolder() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "xflash")
	return dir, os.MkdirAll(dir, 0o700)
}

// loaderFacts asks a phone in fastboot mode who it is.
func (c *restoreCommand) loaderFacts(ctx context.Context, conn *fastbootConn) (*restore.FastbootFacts, error) {
	target, err := conn.facts(ctx, c.request.Model)
	if err != nil {
		return nil, err
	}
	f := &restore.FastbootFacts{Target: target, Sizes: map[string]int64{}}
	if f.Product, err = conn.told(ctx, "product"); err != nil {
		return nil, err
	}
	serial, err := conn.told(ctx, "serialno")
	if err != nil {
		return nil, err
	}
	// Without a serial number phones of one model are not told apart.
	id := sha256.Sum256([]byte("fastboot;product=" + f.Product + ";serial=" + cmp.Or(serial, conn.device.Serial)))
	f.Identity = hex.EncodeToString(id[:])
	for _, name := range []string{"boot", "recovery", "system", "cache", "userdata"} {
		if f.Sizes[name], err = conn.PartitionSize(ctx, name); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// offerFastboot adds the second way to the failure of a restore that found its phone in
// fastboot mode.
func (c *restoreCommand) offerFastboot(err error) error {
	var verdict *usbproto.NoPhoneError
	if !errors.As(err, &verdict) || verdict.Kind != usbproto.OtherMode || len(verdict.Devices) != 1 || verdict.Devices[0].Mode != usbproto.ModeFastboot {
		return err
	}
	f := verdictFailure(verdict)
	f.hints = append(f.hints, "if flash mode no longer works and the boot loader is unlocked, run this again with --fastboot")
	return f
}

// offerFastbootRoute adds the second way to the failure of a restore that the phone refused.
func (c *restoreCommand) offerFastbootRoute(err error, facts *restore.Facts) error {
	f := classify(err)
	lock := facts.Info["ROOTING_STATUS"] // told in the boot stage only
	var step *restore.StepError
	if !errors.As(err, &step) || f.exit != exitRefused || lock != "" && !strings.HasPrefix(lock, "ROOTED") {
		return err
	}
	hint := "the boot loader of this phone is unlocked, so there is another way"
	if lock == "" {
		hint = "if the boot loader of this phone is unlocked, there is another way"
	}
	f.hints = append(f.hints, hint+": start fastboot mode (off, hold Volume Up, plug in), and run this again with --fastboot")
	return f
}
