package restore

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"xflash/internal/fileio"
)

// journalVersion is raised when the meaning of a journal changes; another version is refused.
const journalVersion = 1

// Journal is the record of a restore that wrote to a phone and is not complete: enough to
// build the same plan again and to continue after the last step that the phone
// acknowledged. It holds no identity data: the phone is recognised by a hash.
type Journal struct {
	Version  int       `json:"version"`
	Started  time.Time `json:"started"`
	Bundle   string    `json:"bundle"`    // path given on the command line
	BundleID string    `json:"bundle_id"` // ftf.Bundle.Identity
	PhoneID  string    `json:"phone_id"`  // Phone.Identity
	PlanHash string    `json:"plan_hash"`
	Request  Request   `json:"request"`
	Phone    Facts     `json:"phone"` // what the phone said when the plan was made
	Done     int       `json:"done"`  // steps acknowledged by the phone, from the start
	Doing    string    `json:"doing"` // the step that was running

	path   string
	exists bool // it is on the disk
}

// Store is the folder that journals live in, one file for each phone.
type Store struct{ Dir string }

// DefaultStore is $XDG_STATE_HOME/xflash, or ~/.local/state/xflash.
func DefaultStore() (Store, error) {
	state := os.Getenv("XDG_STATE_HOME")
	if filepath.IsAbs(state) {
		return Store{filepath.Join(state, "xflash")}, nil
	}
	home, err := os.UserHomeDir()
	if err != nil || !filepath.IsAbs(home) {
		return Store{}, fmt.Errorf("no place for the journal: neither XDG_STATE_HOME (%q) nor HOME (%q) is an absolute path, and xflash ignores relative ones", state, home)
	}
	return Store{filepath.Join(home, ".local", "state", "xflash")}, nil
}

func (s Store) file(phoneID string) string {
	if len(phoneID) > 16 {
		phoneID = phoneID[:16]
	}
	return filepath.Join(s.Dir, "restore-"+phoneID+".json")
}

// Find returns the journal of an unfinished restore of this phone; nil when there is none.
func (s Store) Find(phoneID string) (*Journal, error) {
	path := s.file(phoneID)
	j, err := readJournal(path)
	if err == nil && j != nil && j.PhoneID != phoneID {
		return nil, &JournalError{path, "it belongs to another phone"}
	}
	return j, err
}

// Resumed is Find for a run that continues one with the same bundle by the same route.
func (s Store) Resumed(phoneID, bundleID, route string) (*Journal, error) {
	j, err := s.Find(phoneID)
	switch {
	case err != nil:
		return nil, err
	case j == nil:
		return nil, &JournalError{s.file(phoneID), "there is no unfinished restore of this phone to continue"}
	case j.BundleID != bundleID:
		return nil, &JournalError{j.path, "it belongs to another bundle, " + filepath.Base(j.Bundle)}
	case j.Request.Route != route && route == RouteFastboot:
		return nil, &JournalError{j.path, "that restore was started in flash mode, not through fastboot"}
	case j.Request.Route != route:
		return nil, &JournalError{j.path, "that restore was started through fastboot: only --fastboot --resume continues it"}
	}
	return j, nil
}

// Unfinished lists the journals of all phones, for a hint when no phone is at hand.
// A journal that cannot be read is left out: it belongs to a phone that is not asked about.
func (s Store) Unfinished() []*Journal {
	names, err := filepath.Glob(filepath.Join(s.Dir, "restore-*.json"))
	if err != nil {
		return nil
	}
	var found []*Journal
	for _, name := range names {
		if j, err := readJournal(name); err == nil && j != nil {
			found = append(found, j)
		}
	}
	return found
}

// JournalError says why a journal cannot be used.
type JournalError struct {
	Path   string
	Reason string
}

func (e *JournalError) Error() string { return "journal " + e.Path + ": " + e.Reason }

func readJournal(path string) (*Journal, error) {
	f, size, err := fileio.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, &JournalError{path, err.Error()}
	}
	defer f.Close()
	if size > maxJournal {
		return nil, &JournalError{path, fmt.Sprintf("it has more than %d bytes", maxJournal)}
	}
	data, err := io.ReadAll(io.LimitReader(f, maxJournal))
	if err != nil {
		return nil, &JournalError{path, err.Error()}
	}
	return parseJournal(path, data)
}

// maxJournal is far more than any journal has: most of it is what a phone said about itself.
const maxJournal = 1 << 20

func parseJournal(path string, data []byte) (*Journal, error) {
	j := Journal{}
	if err := json.Unmarshal(data, &j); err != nil {
		return nil, &JournalError{path, "it is damaged or truncated (" + err.Error() + ")"}
	}
	switch {
	case j.Version != journalVersion:
		return nil, &JournalError{path, fmt.Sprintf("it was written by another version of xflash (format %d, this one reads %d)", j.Version, journalVersion)}
	case j.PhoneID == "" || j.BundleID == "" || j.PlanHash == "" || j.Done < 0:
		return nil, &JournalError{path, "it lacks what is needed to continue"}
	}
	j.path, j.exists = path, true
	return &j, nil
}

// Step records that a step starts; done is the number of steps before it. The first call
// makes the file, before anything is written to the phone.
func (j *Journal) Step(done int, doing string) error {
	j.Done, j.Doing = done, doing
	err := j.save()
	j.exists = j.exists || err == nil
	return err
}

// Remove ends the journal: the restore is complete.
func (j *Journal) Remove() error {
	if !j.exists {
		return nil
	}
	return os.Remove(j.path)
}

// Path is where the journal lies.
func (j *Journal) Path() string { return j.path }

// save replaces the file in one step, so that a killed process leaves the old or the new journal.
func (j *Journal) save() error {
	data, err := json.MarshalIndent(j, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(j.path), 0o700); err != nil {
		return fmt.Errorf("cannot make the journal folder: %w", err)
	}
	if err := fileio.Replace(j.path, append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("cannot write the journal: %w", err)
	}
	return nil
}
