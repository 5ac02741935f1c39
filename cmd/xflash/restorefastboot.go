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

	"xflash/internal/restore"
	"xflash/usbproto"
)

// fastbootTalk is the fastboot route of a restore (internal/phone/PHONES.md §9.5).
type fastbootTalk struct {
	plainTalk
	c     *restoreCommand
	conn  *fastbootConn
	facts *restore.FastbootFacts
}

func (c *restoreCommand) talkFastboot(ctx context.Context) (talk, error) {
	conn, err := c.fastbootMode(ctx, c.fastbootOptions(""))
	if err != nil {
		return nil, err
	}
	return &fastbootTalk{c: c, conn: conn}, nil
}

func (t *fastbootTalk) close(err error) error { return errors.Join(err, t.conn.Close()) }

func (t *fastbootTalk) ask(ctx context.Context, _ *restore.Firmware) (identity string, err error) {
	if t.facts, err = t.conn.loaderFacts(ctx, t.c.request.Model); err != nil {
		return "", err
	}
	return t.facts.Identity, unlocked(t.facts.Target)
}

func (t *fastbootTalk) prepare(ctx context.Context, store restore.Store, fw *restore.Firmware) (*restore.Plan, *restore.Journal, error) {
	boots, err := restore.BootImages(ctx, fw, t.facts, t.c.request)
	if err != nil {
		return nil, nil, err
	}
	return restore.PrepareFastbootRun(store, fw, t.facts, boots, t.c.request, t.c.resume)
}

func (t *fastbootTalk) run(ctx context.Context, plan *restore.Plan, opt restore.RunOptions) error {
	limit, _, err := t.conn.MaxDownload(ctx)
	if err != nil {
		return err
	}
	dir, err := unpackingFolder()
	if err != nil {
		return err
	}
	defer os.Remove(dir) // empty now; what cannot be removed harms nobody
	return restore.RunFastboot(ctx, t.conn.Client, plan, restore.FastbootOptions{RunOptions: opt, Dir: dir, Limit: limit})
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
func (c *fastbootConn) loaderFacts(ctx context.Context, model string) (*restore.FastbootFacts, error) {
	target, err := c.facts(ctx, model)
	if err != nil {
		return nil, err
	}
	f := &restore.FastbootFacts{Target: target, Sizes: map[string]int64{}}
	if f.Product, err = c.variable(ctx, "product"); err != nil {
		return nil, err
	}
	serial, err := c.variable(ctx, "serialno")
	if err != nil {
		return nil, err
	}
	// Without a serial number phones of one model are not told apart.
	id := sha256.Sum256([]byte("fastboot;product=" + f.Product + ";serial=" + cmp.Or(serial, c.device.Serial)))
	f.Identity = hex.EncodeToString(id[:])
	for _, name := range []string{"boot", "recovery", "system", "cache", "userdata"} {
		if f.Sizes[name], err = c.PartitionSize(ctx, name); err != nil {
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
func offerFastbootRoute(err error, facts *restore.Facts) error {
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
