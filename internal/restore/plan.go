// Package restore turns a firmware bundle and what the phone says of itself into
// a plan, and carries the plan out.
//
// Check reads every byte of the bundle once and says what is in it. Build is pure:
// the same facts and the same policy give the same plan, byte for byte. Run sends
// the plan to the phone and keeps a journal, so that every stop can be resumed.
// The order of a flash and its units come from s1-protocol.md §4 and
// device-rescue.md §2; what a phone refuses from loader-behaviour.md.
package restore

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// StepKind is one kind of action on the phone.
type StepKind string

// The actions a plan is made of.
const (
	StepLoader    StepKind = "loader"    // upload loader.sin and wait for its hello
	StepOpenTA    StepKind = "open-ta"   // open trim-area partition 2
	StepCloseTA   StepKind = "close-ta"  // close it, which stores what was written
	StepUnit      StepKind = "unit"      // write one trim-area unit
	StepTimestamp StepKind = "timestamp" // write the time of the flash into unit 10021
	StepImage     StepKind = "image"     // send one SIN file
	StepEnd       StepKind = "end"       // end the session; the phone switches itself off
	StepFlash     StepKind = "flash"     // write an image through fastboot
	StepErase     StepKind = "erase"     // erase a partition through fastboot
	StepReboot    StepKind = "reboot"    // leave fastboot; the phone starts
)

// Step is one action of a plan.
type Step struct {
	Kind       StepKind `json:"kind"`
	Name       string   `json:"name,omitempty"`       // short name: kernel, fota-reset
	Member     string   `json:"member,omitempty"`     // file in the bundle
	Partitions []string `json:"partitions,omitempty"` // labels it writes
	Bytes      int64    `json:"bytes,omitempty"`      // bytes sent to the phone
	Unit       uint32   `json:"unit,omitempty"`       // trim-area unit
	Value      HexBytes `json:"value,omitempty"`      // what is written into it
	Why        string   `json:"why,omitempty"`        // for steps that are not plainly a file of the bundle
	// Fragile marks steps that must not be interrupted on purpose: a stop waits for
	// the end of the run of fragile steps (s1-protocol.md §4.10).
	Fragile bool `json:"fragile,omitempty"`
	// HeaderSHA256 identifies the exact file that was checked.
	HeaderSHA256 string `json:"header_sha256,omitempty"`
	Signer       string `json:"signer,omitempty"` // subject of the certificate: S1_SW
	Issuer       string `json:"issuer,omitempty"` // root that signed it
}

// HexBytes is shown as hexadecimal digits in JSON.
type HexBytes []byte

// MarshalText implements encoding.TextMarshaler.
func (h HexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *HexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

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
	Way      string   `json:"way,omitempty"` // WayFastboot, or "" for flash mode
	Model    string   `json:"model"`         // model the phone is taken for
	Evidence []string `json:"evidence"`      // why
	Family   string   `json:"family"`
	Steps    []Step   `json:"steps"`
	Skipped  []Skip   `json:"skipped"`
	Notes    []string `json:"notes"`
	Bytes    int64    `json:"bytes"` // sum over the steps
	Wipes    bool     `json:"wipes"` // user data is erased
}

// JSON is the machine form of the plan.
func (p *Plan) JSON() []byte {
	out, err := json.MarshalIndent(p, "", "  ")
	if err != nil { // a plan is plain data; this cannot fail
		panic(err)
	}
	return append(out, '\n')
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
