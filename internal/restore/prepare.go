package restore

import (
	"fmt"
	"time"
)

// PrepareRun makes the plan for a run and the journal that goes with it.
//
// A resumed run builds its plan from what the phone said when the first run started, which
// is in the journal, and with the request of that run: the half-flashed phone may say other
// things now. The plan must come out the same.
func PrepareRun(store Store, fw *Firmware, facts *Facts, p Request, resume bool) (*Plan, *Journal, error) {
	p.Route = ""
	return prepare(store, fw, facts, p, resume, func(ph *Facts, p Request) (*Plan, error) { return Build(fw, ph, p) })
}

// PrepareFastbootRun is PrepareRun for fastboot. What the phone says there does not change by
// what is flashed, so a resumed run asks it again.
func PrepareFastbootRun(store Store, fw *Firmware, ph *FastbootFacts, boots map[string]BootImage, p Request, resume bool) (*Plan, *Journal, error) {
	p.Route = RouteFastboot
	return prepare(store, fw, &Facts{Identity: ph.Identity}, p, resume, func(_ *Facts, p Request) (*Plan, error) { return BuildFastboot(fw, ph, boots, p) })
}

func prepare(store Store, fw *Firmware, facts *Facts, p Request, resume bool, build func(*Facts, Request) (*Plan, error)) (*Plan, *Journal, error) {
	if !resume {
		plan, err := build(facts, p)
		if err != nil {
			return plan, nil, err
		}
		return plan, &Journal{Version: journalVersion, Started: time.Now().UTC().Truncate(time.Second),
			Bundle: fw.Name, BundleID: fw.Identity, PhoneID: facts.Identity, PlanHash: plan.Hash(),
			Request: p, Phone: *facts, path: store.file(facts.Identity)}, nil
	}
	j, err := store.Resumed(facts.Identity, fw.Identity, p.Route)
	if err != nil {
		return nil, nil, err
	}
	plan, err := build(&j.Phone, j.Request)
	if err != nil {
		return plan, nil, err
	}
	if err := j.continues(plan); err != nil {
		return nil, nil, err
	}
	return plan, j, j.unflashed(plan, facts)
}

// continues compares the journal with the plan that was built again.
func (j *Journal) continues(plan *Plan) error {
	switch {
	case j.PlanHash != plan.Hash():
		return &JournalError{j.path, "this version of xflash makes a different plan from it"}
	case j.Done >= len(plan.Steps):
		return &JournalError{j.path, "it counts more steps than the plan has"}
	case j.Doing != plan.Steps[j.Done].Title():
		return &JournalError{j.path, fmt.Sprintf("it was changed: it counts %d steps, and names another than the next", j.Done)}
	}
	return nil
}

// unflashed refuses to continue on a phone that was flashed since: unit 10100 stays 1 from
// the start of a flash to its end. Only the run that was stopped while clearing it may have
// left a 0, and one through fastboot, which does not write it.
func (j *Journal) unflashed(plan *Plan, now *Facts) error {
	set, clear := plan.flagged()
	from := plan.resumeIndex(j.Done, plan.bootSet())
	if set.last < 0 || from <= set.last || from >= clear.first || now.Flashing {
		return nil
	}
	return &JournalError{j.path, "this phone was flashed since then: unit 10100 says that no flash is unfinished"}
}
