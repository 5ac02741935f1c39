package restore

import "strings"

// ProblemKind says which of the two ways a restore can be refused before anything is written.
type ProblemKind string

// Kinds of problems.
const (
	FileInvalid   ProblemKind = "file-invalid" // a file is damaged or not what it claims
	PolicyRefusal ProblemKind = "policy"       // the file may be fine, but it is not for this phone or not safe
)

// Problem is one reason why a restore does not start.
type Problem struct {
	Kind ProblemKind `json:"kind"`
	Item string      `json:"item"`           // file in the bundle, or what it is about
	What string      `json:"what"`           // what was found
	Why  string      `json:"why,omitempty"`  // what that means
	Next string      `json:"next,omitempty"` // what to do
	Err  error       `json:"-"`              // the cause, when there is one
}

// Problems is the error of a restore that was refused before anything was written.
type Problems []Problem

// Error names every problem on a line of its own.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Item + ": " + p.What
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives the causes.
func (ps Problems) Unwrap() []error {
	var errs []error
	for _, p := range ps {
		if p.Err != nil {
			errs = append(errs, p.Err)
		}
	}
	return errs
}

// Kind is FileInvalid when any file is damaged, else PolicyRefusal.
func (ps Problems) Kind() ProblemKind {
	for _, p := range ps {
		if p.Kind == FileInvalid {
			return FileInvalid
		}
	}
	return PolicyRefusal
}

// orNil returns nil for an empty list, so that an empty Problems is no error.
func (ps Problems) orNil() error {
	if len(ps) == 0 {
		return nil
	}
	return ps
}
