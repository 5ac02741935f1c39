// Package restore turns a firmware bundle and what the phone says of itself into
// a plan, and carries the plan out.
//
// Check reads every byte of the bundle once and says what is in it. Build is pure:
// the same facts and the same request give the same plan, byte for byte. Run sends
// the plan to the phone and keeps a journal, so that every stop can be resumed.
// The order of a flash and its units come from usbproto/s1/PROTOCOL.md §4 and
// ftf/FORMAT.md §8; what a phone refuses from usbproto/s1/PROTOCOL.md §11.
package restore

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// Skip is something in the bundle that the plan leaves out.
type Skip struct {
	Name   string `json:"name"`
	Member string `json:"member,omitempty"`
	Bytes  int64  `json:"bytes,omitempty"`
	Reason string `json:"reason"`
}

// Plan is everything that will be done to the phone, in order.
type Plan struct {
	Bundle   string   `json:"bundle"`    // file name
	Identity string   `json:"bundle_id"` // ftf.Bundle.Identity
	Device   string   `json:"device"`    // model the bundle is for
	Version  string   `json:"version"`
	Branding string   `json:"branding,omitempty"`
	Route    string   `json:"way,omitempty"` // RouteFastboot, or "" for flash mode
	Model    string   `json:"model"`         // model the phone is taken for
	Evidence []string `json:"evidence"`      // why
	Family   string   `json:"family"`
	Steps    []Step   `json:"steps"`
	Skipped  []Skip   `json:"skipped"`
	Notes    []string `json:"notes"`
	// Questions are what is not proven about this phone; each needs a yes before Run.
	Questions []string `json:"questions,omitempty"`
	Untried   string   `json:"untried,omitempty"` // why nobody knows yet that this works on a real phone
	Bytes     int64    `json:"bytes"`             // sum over the steps
	Wipes     bool     `json:"wipes"`             // user data is erased

	fw *Firmware // what it was made from
}

// Hash identifies the plan: two runs with the same hash do the same to the phone.
// The wording of notes and reasons does not count.
func (p *Plan) Hash() string {
	sum := sha256.New()
	enc := json.NewEncoder(sum)
	_ = enc.Encode([]string{p.Identity, p.Model, p.Family}) // writing to a hash cannot fail
	for _, s := range p.Steps {
		s.Why = ""
		_ = enc.Encode(s)
	}
	return hex.EncodeToString(sum.Sum(nil))
}
