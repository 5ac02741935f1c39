package restore

import (
	"strings"

	"xflash/usbproto/s1"
)

// admit looks, before anything is written, whether the phone's own configuration
// grants what the plan is about to send. The loader tells who may sign what in
// HW_CONFIG (error-codes.md §3.2). Where that list speaks against a file, the phone is
// asked: it gets the file's header, which it judges without writing anything, and the
// header is taken back. So a phone that would refuse in the middle of a flash refuses
// before it, in its own words, and one that would not refuse is not kept from its cure.
func (r *runner) admit() error {
	asked := map[string]bool{}
	for i, step := range r.plan.Steps {
		if step.Kind != StepImage || asked[step.Signer+step.Issuer] || granted(r.s.Info(), step) {
			continue
		}
		asked[step.Signer+step.Issuer] = true
		if err := r.offer(step); err != nil {
			failed := r.abandon(i, step, err)
			if e, ok := failed.(*StepError); ok {
				e.Written = false
			}
			return failed
		}
	}
	return nil
}

// granted reports whether the hardware configuration that the phone tells speaks for a
// file, or does not speak against it.
func granted(info *s1.Info, step Step) bool {
	roles, sent := info.HWConfig()
	if off, _ := info.Get("DEF_SEC"); !sent || off == "OFF" {
		return true
	}
	need := uint16(s1.RoleLiveRoot)
	if strings.HasPrefix(step.Issuer, testRoot) {
		need = s1.RoleTestRoot
	}
	for _, role := range roles {
		if role.Name == step.Signer {
			return role.Flags&s1.RoleEnforced == 0 || role.Flags&need != 0
		}
	}
	return false
}

// offer sends the header of a step's file and takes it back.
func (r *runner) offer(step Step) error {
	file, h, err := step.open()
	if err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	if err := r.s.OpenTA(r.ctx, 2); err != nil {
		return err
	}
	if err := r.s.OfferHeader(r.ctx, step.Name, h.Raw); err != nil {
		return err
	}
	return r.s.CloseTA(r.ctx)
}
