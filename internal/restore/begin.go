package restore

import (
	"path/filepath"
	"time"
)

// Begin makes the plan for a run and the journal that goes with it.
//
// A resumed run builds its plan from what the phone said when the first run began,
// which is in the journal, and with the policy of that run: the half-flashed phone may
// say other things now. The plan must come out the same.
func Begin(store Store, fw *Firmware, facts *Facts, p Policy, resume bool) (*Plan, *Journal, error) {
	if !resume {
		plan, err := Build(fw, facts, p)
		if err != nil {
			return plan, nil, err
		}
		return plan, &Journal{Version: journalVersion, Started: time.Now().UTC().Truncate(time.Second),
			Bundle: fw.Name, BundleID: fw.Identity, PhoneID: facts.Identity, PlanHash: plan.Hash(),
			Policy: p, Phone: *facts, path: store.file(facts.Identity)}, nil
	}
	j, err := store.Find(facts.Identity)
	if err != nil {
		return nil, nil, err
	}
	if j == nil {
		return nil, nil, &JournalError{filepath.Join(store.Dir, "…"), "there is no unfinished restore of this phone to go on with"}
	}
	if j.BundleID != fw.Identity {
		return nil, nil, j.Resumable(fw.Identity, facts.Identity, "")
	}
	plan, err := Build(fw, &j.Phone, j.Policy)
	if err != nil {
		return plan, nil, err
	}
	if err := j.Resumable(fw.Identity, facts.Identity, plan.Hash()); err != nil {
		return nil, nil, err
	}
	return plan, j, nil
}
