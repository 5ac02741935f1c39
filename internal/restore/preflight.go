package restore

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"xflash/internal/phone"
	"xflash/usbproto/s1"
)

// Preflight asks a running loader whether it accepts the signers of a plan. A header is
// judged without anything being written, so a phone that would refuse in the middle of a
// flash refuses before it, in its own words. One file for each pair of signer and issuer is
// offered and taken back, to loaders that were seen to recover from that: all that were
// executed. Another loader gets a header only when the phone's own configuration says that it
// will refuse it, because what is refused need not be taken back. Without a running loader
// nothing is sent.
func Preflight(ctx context.Context, s *s1.Session, plan *Plan) error {
	r := newFlashRun(ctx, s, plan, RunOptions{Journal: &Journal{}})
	i := slices.IndexFunc(plan.Steps, r.writes)
	if i < 0 {
		return nil
	}
	if err := r.ready(); err != nil {
		return r.failed(i, err)
	}
	return nil
}

func preflight(ctx context.Context, s *s1.Session, plan *Plan) error {
	if s.Stage() != s1.StageLoader {
		return nil
	}
	family := plan.fw.Family
	row, known := family.LoaderByVersion(s.Info().Version())
	if known {
		if missing, _ := notInForce(family, &row, plan.writes); len(missing) > 0 {
			return notInForceProblem(plan.Bundle, &row, missing)
		}
	}
	recovers := known && row.Verified == phone.ByLoader
	var asked []string
	for _, step := range plan.Steps {
		pair := step.Signer + " " + step.Issuer
		if step.Kind != StepImage || slices.Contains(asked, pair) || !recovers && granted(s.Info(), step) {
			continue
		}
		asked = append(asked, pair)
		if err := offer(ctx, s, step); err != nil {
			return &offerError{step, err}
		}
	}
	return nil
}

// granted reports whether the hardware configuration that the phone tells allows a file, or
// does not contradict it.
func granted(info *s1.Info, step Step) bool {
	roles, told := info.HWConfig()
	if off, _ := info.Get("DEF_SEC"); !told || off == "OFF" {
		return true
	}
	need := uint16(s1.RoleLiveRoot)
	if strings.HasPrefix(step.Issuer, testRoot) {
		need = s1.RoleTestRoot
	}
	for _, role := range roles {
		if role.Name == step.Signer {
			return role.Accepts(need)
		}
	}
	return false
}

// offerError names the file whose header was refused before anything was written.
type offerError struct {
	step Step
	err  error
}

func (e *offerError) Error() string {
	return fmt.Sprintf("offering the header of %s: %v", e.step.Name, e.err)
}

func (e *offerError) Unwrap() error { return e.err }

// offer sends the header of a step's file and takes it back.
func offer(ctx context.Context, s *s1.Session, step Step) error {
	file, h, err := step.open()
	if err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	return s.OfferHeader(ctx, step.Name, h.Raw)
}
