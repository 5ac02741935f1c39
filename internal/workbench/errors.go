package workbench

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"xflash/fastboot/sparse"
	"xflash/ftf"
	"xflash/sin"
	"xflash/sin/gpt"
)

// FormatError is a file that is none of the formats that can be taken apart.
type FormatError struct {
	Path string
	Kind sin.Kind // what it is instead
}

func (e *FormatError) Error() string {
	if e.Kind == sin.KindRaw {
		return e.Path + ": nothing is known that this could be"
	}
	return fmt.Sprintf("%s: it is %s: there is nothing to take out of it", e.Path, withArticle(string(e.Kind)))
}

// OptionError is an option that means nothing for the file at hand.
type OptionError struct {
	Path   string
	Format Format
	Option string // what it is about: "a member", "a partition"
}

func (e *OptionError) Error() string {
	return fmt.Sprintf("%s: %s cannot be chosen, it is %s", e.Path, e.Option, withArticle(string(e.Format)))
}

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

// ExistsError is an output that is there already. It is an fs.ErrExist.
type ExistsError struct{ Path string }

func (e *ExistsError) Error() string { return e.Path + " exists already" }

// Unwrap makes errors.Is(err, fs.ErrExist) work.
func (e *ExistsError) Unwrap() error { return fs.ErrExist }

// RefusedError is a file that must not go into a bundle.
type RefusedError struct{ Name, Reason string }

func (e *RefusedError) Error() string { return e.Name + " is not bundled: " + e.Reason }

// DamagedError lists files that are not whole. What else was asked for was done when
// Unpack returns it; nothing was done when Assemble does.
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

// Unwrap gives what is wrong with each file.
func (e *DamagedError) Unwrap() []error {
	var errs []error
	for _, d := range e.Files {
		errs = append(errs, d.Err)
	}
	return errs
}

// inFile reports whether a failure lies in the file that was read, not in the computer
// or in a wish to stop.
func inFile(err error) bool {
	return errors.As(err, new(*sin.Error)) || errors.As(err, new(*ftf.Error)) ||
		errors.As(err, new(*sparse.Error)) || errors.As(err, new(*gpt.Error))
}

// stopped gives the reason why ctx ended instead of an error that came of it.
func stopped(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func withArticle(s string) string {
	if strings.ContainsRune("AEIOaeio", rune(s[0])) {
		return "an " + s
	}
	return "a " + s
}
