package ftf

import (
	"cmp"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// CommandKeys is what a phone of 2017 or later says about itself as far as its boot deliveries
// ask for it. Empty means that the phone did not tell.
type CommandKeys struct {
	DefaultSecurity string // getvar Default-security: ON, OFF
	PlatformID      string // getvar Platform-id, 8 hex digits, the first two the silicon revision
	RootHash        string // Get-root-key-hash, hex
	BootVersion     string // getvar version-bootloader, starts with the space id
}

// MatchCommand is Match for phones of 2017 and later (FORMAT.md §5.3). Each attribute that a
// configuration names must equal the phone's, in any order; one that is unknown rules it
// out. PLF_ROOT_HASH must be named, and exactly one configuration may fit. The one for
// development phones is never taken, and where it fits, none is.
func (d *BootDelivery) MatchCommand(phone CommandKeys) (*Configuration, []Verdict, error) {
	verdicts := make([]Verdict, 0, len(d.Configurations))
	var fit []*Configuration
	for _, c := range d.Configurations {
		v := Verdict{c, d.commandChecks(c, phone)}
		if v.Matches() {
			fit = append(fit, c)
		}
		if c.Development() {
			v.Checks = append(v.Checks, Check{Key: "NAME", Wanted: c.Name, Outcome: Barred})
		}
		verdicts = append(verdicts, v)
	}
	switch {
	case len(fit) == 0, len(fit) == 1 && fit[0].Development():
		return nil, verdicts, &MatchError{Verdicts: verdicts}
	case len(fit) > 1:
		e := &MatchError{Verdicts: verdicts}
		for _, c := range fit {
			e.Ambiguous = append(e.Ambiguous, c.Name)
		}
		return nil, verdicts, e
	}
	return fit[0], verdicts, nil
}

func (d *BootDelivery) commandChecks(c *Configuration, phone CommandKeys) (out []Check) {
	space, _, _ := strings.Cut(phone.BootVersion, "_")
	out = append(out, judge("SPACE_ID", d.SpaceID, space, strings.EqualFold))
	hash := false
	for _, a := range c.Attributes {
		value, equal := "", strings.EqualFold
		switch strings.ToUpper(a.Name) {
		case "DEFAULT_SECURITY":
			value = phone.DefaultSecurity
			hash = hash || c.Development()
		case "PLATFORM_ID":
			value, equal = phone.PlatformID, samePlatform
		case "PLF_ROOT_HASH":
			value, hash = phone.RootHash, true
		}
		check := judge(a.Name, a.Value, value, equal)
		if a.Value == "" {
			check.Phone, check.Outcome = value, Differs
		}
		out = append(out, check)
	}
	if !hash {
		out = append(out, Check{Key: "PLF_ROOT_HASH", Phone: phone.RootHash, Outcome: Differs})
	}
	return out
}

// samePlatform compares two ids without the silicon revision.
func samePlatform(phone, wanted string) bool {
	return len(phone) == 8 && len(wanted) == 8 && strings.EqualFold(phone[2:], wanted[2:])
}

// bootText is how the boot chain of phones of 2017 and later is named, _ and - alike.
var bootText = regexp.MustCompile(`X_BOOT_([A-Z0-9]+)_LA([0-9.]+)_([A-Z])([0-9]*)_([0-9]+)$`)

// CompareCommand relates the delivery to getvar version-bootloader. Only Same is certain: Older
// and Newer go by the letter of Android and then by numbers.
func (d *BootDelivery) CompareCommand(phone string) Relation {
	own, theirs := bootText.FindStringSubmatch(plainVersion(d.Version)), bootText.FindStringSubmatch(plainVersion(phone))
	if own == nil || theirs == nil {
		if a, b := afterSpace(d.BootVersion()), afterSpace(phone); a != "" && a == b {
			return Same
		}
		return Unrelated
	}
	if own[0] == theirs[0] {
		return Same
	}
	if own[1] != theirs[1] {
		return Unrelated
	}
	if cmp.Or(androidOf(own)-androidOf(theirs), slices.CompareFunc(strings.Split(own[2], "."), strings.Split(theirs[2], "."), compareNumbers), compareNumbers(own[5], theirs[5])) < 0 {
		return Older
	}
	return Newer
}

func plainVersion(s string) string {
	return strings.ToUpper(strings.ReplaceAll(strings.TrimSpace(s), "-", "_"))
}

// afterSpace is a version from X_BOOT on.
func afterSpace(s string) string {
	s = plainVersion(s)
	if at := strings.Index(s, "X_BOOT"); at >= 0 {
		return s[at:]
	}
	return ""
}

// androidOf orders the releases of Android: letters up to V, which is 15, and then A16, A17.
func androidOf(m []string) int {
	if n, err := strconv.Atoi(m[4]); err == nil && m[3] == "A" {
		return 'V' + n - 15
	}
	return int(m[3][0])
}

var keyID = regexp.MustCompile(`(?i)X-FLASH-[A-Z0-9]+-([0-9A-F]{4})$`)

// KeyID is the id of the key that signed a file of 2017 and later, four hex digits in upper
// case at the end of its name; "" when the name has none. It is a name and proves nothing.
func KeyID(base string) string {
	m := keyID.FindStringSubmatch(strings.TrimSuffix(base, path.Ext(base)))
	if m == nil {
		return ""
	}
	return strings.ToUpper(m[1])
}
