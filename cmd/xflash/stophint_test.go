package main

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// Whoever stopped the program is not advised to take another cable; after a broken transfer
// the advice stays. Layer: make check.
func TestNoCableAdviceAfterAStop(t *testing.T) {
	for err, want := range map[error]bool{context.Canceled: false, errors.New("input/output error"): true} {
		f := brokenFailure(err, "greeting the phone", false)
		if got := strings.Contains(strings.Join(f.hints, " "), "short cable"); got != want {
			t.Errorf("%v: hints %q", err, f.hints)
		}
	}
}
