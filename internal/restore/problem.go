package restore

import (
	"fmt"
	"slices"
	"strings"
)

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

	More int `json:"more,omitempty"` // further files with the same problem
}

// Problems is the error of a restore that was refused before anything was written.
type Problems []Problem

// refusal is one problem with a file that may be fine.
func refusal(item, what, why, next string) Problems {
	return Problems{{Kind: PolicyRefusal, Item: item, What: what, Why: why, Next: next}}
}

func (ps *Problems) refuse(item, what, why, next string) {
	*ps = append(*ps, refusal(item, what, why, next)...)
}

// join adds problems. What several files have in common appears once.
func (ps Problems) join(more Problems) Problems {
	for _, p := range more {
		i := slices.IndexFunc(ps, func(have Problem) bool {
			return have.Kind == p.Kind && have.What == p.What && have.Why == p.Why && p.Err == nil
		})
		if i < 0 {
			ps = append(ps, p)
			continue
		}
		ps[i].More++
	}
	return ps
}

// Subject is the file that a problem is about, or how many.
func (p Problem) Subject() string {
	switch p.More {
	case 0:
		return p.Item
	case 1:
		return p.Item + " and 1 more file"
	}
	return fmt.Sprintf("%s and %d more files", p.Item, p.More)
}

// Error names every problem on its own line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Subject() + ": " + p.What
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the causes.
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
	if slices.ContainsFunc(ps, func(p Problem) bool { return p.Kind == FileInvalid }) {
		return FileInvalid
	}
	return PolicyRefusal
}

// orNil returns nil for an empty list, so that an empty Problems is not an error.
func (ps Problems) orNil() error {
	if len(ps) == 0 {
		return nil
	}
	return ps
}
