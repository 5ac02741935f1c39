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
		return plan, newJournal(store, fw, facts, p, plan), nil
	}
	j, err := store.unfinished(fw, facts.Identity)
	if err != nil {
		return nil, nil, err
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

// BeginLoader is Begin for the second way. What the phone says does not change by what is
// flashed, so a resumed run asks it again.
func BeginLoader(store Store, fw *Firmware, ph *LoaderFacts, boots map[string]BootImage, p Policy, resume bool) (*Plan, *Journal, error) {
	if !resume {
		plan, err := BuildLoader(fw, ph, boots, p)
		if err != nil {
			return plan, nil, err
		}
		return plan, newJournal(store, fw, &Facts{Identity: ph.Identity}, p, plan), nil
	}
	j, err := store.unfinished(fw, ph.Identity)
	if err != nil {
		return nil, nil, err
	}
	plan, err := BuildLoader(fw, ph, boots, j.Policy)
	if err != nil {
		return plan, nil, err
	}
	return plan, j, j.Resumable(fw.Identity, ph.Identity, plan.Hash())
}

func newJournal(store Store, fw *Firmware, facts *Facts, p Policy, plan *Plan) *Journal {
	return &Journal{Version: journalVersion, Started: time.Now().UTC().Truncate(time.Second),
		Bundle: fw.Name, BundleID: fw.Identity, PhoneID: facts.Identity, PlanHash: plan.Hash(),
		Policy: p, Phone: *facts, path: store.file(facts.Identity)}
}

// unfinished finds the journal of a restore of this phone with this bundle.
func (s Store) unfinished(fw *Firmware, phoneID string) (*Journal, error) {
	j, err := s.Find(phoneID)
	switch {
	case err != nil:
		return nil, err
	case j == nil:
		return nil, &JournalError{filepath.Join(s.Dir, "…"), "there is no unfinished restore of this phone to go on with"}
	case j.BundleID != fw.Identity:
		return nil, j.Resumable(fw.Identity, phoneID, "")
	}
	return j, nil
}
