package ftf

import (
	"fmt"
	"slices"
	"strings"
)

// PhoneKeys is what a phone says about itself as far as boot deliveries ask for
// it. Empty means that the phone did not tell.
type PhoneKeys struct {
	OTPLockStatus string // loader info OTP_LOCK_STATUS_1: LOCKED, UNLOCKED, INVALID
	OTPData       string // loader info OTP_DATA_1, 8 hex digits
	IDCode        string // loader info IDCODE_1, 8 hex digits
	RootHash      string // loader info PLF_ROOT_1, 64 hex digits
	BootVersion   string // text of trim-area unit 2207, names the delivery's space id
	HWRevision    string // REV of trim-area unit 2003: HWConfigRevision
}

// Outcome is the result of one comparison.
type Outcome int

// Outcomes. Differs, Silent and Barred rule a configuration out.
const (
	Agrees    Outcome = iota
	NotWanted         // the configuration does not ask for it
	Differs           // the phone has another value
	Silent            // the phone did not tell its value
	Barred            // ruled out whatever the phone says
)

// Check is one comparison between a configuration and the phone.
type Check struct {
	Key     string // attribute, or SPACE_ID, HWCONFIG REVISION, NAME
	Wanted  string // by the configuration
	Phone   string
	Outcome Outcome
}

// Fails reports whether the check rules its configuration out.
func (c Check) Fails() bool { return c.Outcome >= Differs }

// String says the outcome in a few words.
func (c Check) String() string {
	switch c.Outcome {
	case Agrees:
		return fmt.Sprintf("%s agrees (%s)", c.Key, c.Phone)
	case NotWanted:
		return c.Key + " is not required"
	case Silent:
		return fmt.Sprintf("%s should be %s, but the phone does not tell its own", c.Key, c.Wanted)
	case Barred:
		return fmt.Sprintf("%s %q is for development phones", c.Key, c.Wanted)
	}
	if c.Wanted == "" {
		return fmt.Sprintf("%s is not set, so nothing ties the configuration to this phone (%s)", c.Key, c.Phone)
	}
	return fmt.Sprintf("%s should be %s, but the phone has %s", c.Key, c.Wanted, c.Phone)
}

// Verdict is what became of one configuration.
type Verdict struct {
	Configuration *Configuration
	Checks        []Check
}

// Matches reports whether nothing rules the configuration out.
func (v Verdict) Matches() bool { return !slices.ContainsFunc(v.Checks, Check.Fails) }

// String names the configuration and what ruled it out.
func (v Verdict) String() string {
	var why []string
	for _, c := range v.Checks {
		if c.Fails() {
			why = append(why, c.String())
		}
	}
	if len(why) == 0 {
		return v.Configuration.Name + ": matches"
	}
	return v.Configuration.Name + ": " + strings.Join(why, "; ")
}

// MatchError says that no configuration, or more than one, is for the phone.
type MatchError struct {
	Verdicts  []Verdict
	Ambiguous []string // names of several survivors with different files
}

// Error returns one line with every configuration's reason.
func (e *MatchError) Error() string {
	if len(e.Ambiguous) > 0 {
		return "several boot configurations with different files fit this phone: " + strings.Join(e.Ambiguous, ", ")
	}
	var all []string
	for _, v := range e.Verdicts {
		all = append(all, v.String())
	}
	return "no boot configuration is for this phone: " + strings.Join(all, " | ")
}

// Match finds the one configuration for the phone. The wrong boot chain bricks
// it, so both known rule sets must agree (FORMAT.md §5):
//
// Flashtool's: each of OTP_LOCK_STATUS_1, OTP_DATA_1, PLF_ROOT_1 and IDCODE_1 that
// the configuration names must equal the phone's value, IDCODE_1 without its first
// digit (the silicon revision).
//
// XFlasher's: OTP_LOCK_STATUS_1, OTP_DATA_1 and IDCODE_1 must all be named, in any
// order here; IDCODE_1 must equal the phone's with its first two digits replaced by
// 00; SPACE_ID occurs in unit 2207; HWCONFIG REVISION, where given, contains the REV
// of unit 2003.
//
// A value the phone does not tell rules out what asks for it. Configurations named
// DEVELOPMENT are never taken. Exactly one may survive; several may when they list
// the same files, then the last is taken, as Flashtool does. The error is a
// *MatchError. The verdicts cover every configuration either way.
func (d *BootDelivery) Match(phone PhoneKeys) (*Configuration, []Verdict, error) {
	verdicts := make([]Verdict, 0, len(d.Configurations))
	var survivors []*Configuration
	for _, c := range d.Configurations {
		v := Verdict{c, d.checks(c, phone)}
		if v.Matches() {
			survivors = append(survivors, c)
		}
		verdicts = append(verdicts, v)
	}
	if len(survivors) == 0 {
		return nil, verdicts, &MatchError{Verdicts: verdicts}
	}
	last := survivors[len(survivors)-1]
	var names []string
	same := true
	for _, c := range survivors {
		names = append(names, c.Name)
		same = same && slices.Equal(c.Files(), last.Files())
	}
	if !same {
		return nil, verdicts, &MatchError{Verdicts: verdicts, Ambiguous: names}
	}
	return last, verdicts, nil
}

func (d *BootDelivery) checks(c *Configuration, phone PhoneKeys) []Check {
	var out []Check
	if c.Development() {
		out = append(out, Check{Key: "NAME", Wanted: c.Name, Outcome: Barred})
	}
	out = append(out, judge("SPACE_ID", d.SpaceID, phone.BootVersion, containsWord))
	for _, a := range []struct {
		key, phone string
		must       bool
		equal      func(phone, wanted string) bool
	}{
		{"OTP_LOCK_STATUS_1", phone.OTPLockStatus, true, strings.EqualFold},
		{"OTP_DATA_1", phone.OTPData, true, strings.EqualFold},
		{"IDCODE_1", phone.IDCode, true, sameIDCode},
		{"PLF_ROOT_1", phone.RootHash, false, strings.EqualFold},
	} {
		wanted, named := c.attribute(a.key)
		if wanted == "" && (named || a.must) {
			out = append(out, Check{Key: a.key, Phone: a.phone, Outcome: Differs})
			continue
		}
		out = append(out, judge(a.key, wanted, a.phone, a.equal))
	}
	revision := ""
	if c.HWConfig != nil {
		revision = c.HWConfig.Revision
	}
	return append(out, judge("HWCONFIG REVISION", revision, phone.HWRevision,
		func(phone, wanted string) bool { return containsWord(wanted, phone) }))
}

func judge(key, wanted, phone string, equal func(phone, wanted string) bool) Check {
	c := Check{Key: key, Wanted: wanted, Phone: phone}
	switch {
	case wanted == "":
		c.Outcome = NotWanted
	case phone == "":
		c.Outcome = Silent
	case !equal(phone, wanted):
		c.Outcome = Differs
	}
	return c
}

// sameIDCode applies both maskings; they disagree only on the second digit.
func sameIDCode(phone, wanted string) bool {
	return len(phone) == len(wanted) && len(phone) > 2 &&
		strings.EqualFold(phone[1:], wanted[1:]) && strings.EqualFold("00"+phone[2:], wanted)
}

// containsWord reports whether word is in text with no letter or digit right
// beside it, so that space id 1277-1 is not found in 1277-12.
func containsWord(text, word string) bool {
	text, word = strings.ToUpper(text), strings.ToUpper(word)
	for from := 0; word != ""; {
		i := strings.Index(text[from:], word)
		if i < 0 {
			return false
		}
		start, end := from+i, from+i+len(word)
		if (start == 0 || !isWord(text[start-1])) && (end == len(text) || !isWord(text[end])) {
			return true
		}
		from = start + 1
	}
	return false
}

func isWord(c byte) bool { return isDigit(c) || isLetter(c) }

// HWConfigRevision finds the text REV="…" in trim-area unit 2003 and gives what
// is between the quotes, empty when it is not there.
func HWConfigRevision(unit2003 []byte) string {
	const key = `REV="`
	text := string(unit2003)
	for {
		before, after, found := strings.Cut(text, key)
		if !found {
			return ""
		}
		value, _, closed := strings.Cut(after, `"`)
		// Not the end of a longer key.
		alone := before == "" || before[len(before)-1] != '_' && !isWord(before[len(before)-1])
		if alone && closed && len(value) <= maxName && !strings.ContainsFunc(value, isControl) {
			return value
		}
		text = after
	}
}
