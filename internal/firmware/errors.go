package firmware

import (
	"fmt"
	"strings"
)

// ChoiceError says that a choice is needed, or that something chosen is not there. Have
// is all that can be chosen.
type ChoiceError struct {
	Path   string
	What   string   // "partition" or "member"
	Wanted []string // not there; empty when nothing was chosen
	Have   []Choice
}

// Choice is something that can be taken out of a file.
type Choice struct {
	Name    string `json:"name"`
	Number  int    `json:"number,omitempty"` // of a partition, from 1
	Bytes   int64  `json:"bytes"`
	Warning string `json:"warning,omitempty"`
}

func (e *ChoiceError) Error() string {
	if len(e.Wanted) == 0 {
		return fmt.Sprintf("%s: it holds %d %ss; say which to take out", e.Path, len(e.Have), e.What)
	}
	return fmt.Sprintf("%s: there is no %s named %s", e.Path, e.What, strings.Join(e.Wanted, ", "))
}

// DamagedError lists files that are not whole. What else was asked for was done when
// files are unpacked; nothing was done when a bundle is made.
type DamagedError struct{ Files []Damage }

// Damage is one file and what is wrong with it.
type Damage struct {
	Name string
	Err  error
}

func (e *DamagedError) Error() string {
	if len(e.Files) == 1 {
		return fmt.Sprintf("%s is damaged: %v", e.Files[0].Name, e.Files[0].Err)
	}
	return fmt.Sprintf("%d files are damaged, the first is %s: %v", len(e.Files), e.Files[0].Name, e.Files[0].Err)
}

// Unwrap returns what is wrong with each file.
func (e *DamagedError) Unwrap() []error {
	var errs []error
	for _, d := range e.Files {
		errs = append(errs, d.Err)
	}
	return errs
}
