package simphone

import (
	"slices"
	"strings"

	"xflash/internal/trimarea"
	"xflash/sin"
	"xflash/sin/gpt"
)

// A security is what a running program accepts, and on what terms.
type security struct {
	live, test []*sin.Certificate // roots whose certificates are at hand
	hwRoot     *sin.Certificate   // of this simulated phone's own hardware configuration
	trustAny   bool               // the result of the signature check is not asked for
	fused      bool
	fuseAID    uint64
	uniqueID   []byte
	conf       *trimarea.HWConf // nil: none
}

// addRoots trusts further roots: test roots by the name that the loader uses,
// live ones otherwise.
func (sec *security) addRoots(roots []*sin.Certificate) {
	for _, root := range roots {
		if strings.HasPrefix(root.Subject, testRootPrefix) {
			sec.test = append(sec.test, root)
		} else {
			sec.live = append(sec.live, root)
		}
	}
}

// off reports that the security checks are switched off (usbproto/s1/PROTOCOL.md
// §11.4).
func (sec *security) off() bool {
	if sec.conf != nil {
		return sec.conf.Flags&globalUnsecured != 0
	}
	return !sec.fused
}

// enforced reports that a failed check of this role's files counts
// (internal/explain/ERRORS.md §1.5).
func (sec *security) enforced(role string) bool {
	if sec.off() {
		return false
	}
	if sec.conf != nil {
		if r, ok := roleOf(sec.conf, role); ok {
			return r.Flags&hwEnforced != 0
		}
	}
	return true
}

// privateUnits reports that units >= 0x10000 of trim area 2 may be used
// (internal/explain/ERRORS.md §3.2, §4).
func (sec *security) privateUnits() bool {
	return sec.off() || !sec.fused || sec.conf != nil && sec.conf.Flags&globalPrivateUnits != 0
}

// chain verifies a signer against the roots at hand.
func (sec *security) chain(s *signer) status {
	roots := sec.live
	if s.test {
		roots = sec.test
	}
	if s.role == roleHWConf && sec.hwRoot != nil {
		roots = append(slices.Clip(roots), sec.hwRoot)
	}
	if !sec.trustAny && !s.signedBy(roots) {
		return statusSignature
	}
	return 0
}

// authenticate is steps 2 to 6 of the loader's header check (internal/explain/ERRORS.md §1.5):
// who signed, with which root, may this phone accept it, is it new enough.
func (sec *security) authenticate(h *sinHeader) (*signer, status) {
	s, why := checkSignature(h)
	if s == nil {
		return nil, why
	}
	if why == statusSignature && sec.trustAny {
		why = 0
	}
	if why == 0 {
		why = sec.chain(s)
	}
	if why == 0 {
		why = sec.admit(s)
	}
	if why != 0 && sec.enforced(s.role) {
		return s, why
	}
	return s, 0
}

// admit asks the hardware configuration for the signer's role: is its kind of
// root allowed, and is its security version not too low.
func (sec *security) admit(s *signer) status {
	var minimum uint64
	switch s.role {
	case roleBoot, roleLoader, roleHWConf:
		// Only these have the fuse minimum (usbproto/s1/PROTOCOL.md §11.3).
		minimum = sec.fuseAID
	}
	if sec.conf == nil {
		if s.role != roleHWConf {
			return statusRootType
		}
	} else {
		r, ok := roleOf(sec.conf, s.role)
		kind := uint16(hwLiveRoot)
		if s.test {
			kind = hwTestRoot
		}
		if !ok || r.Flags&kind == 0 {
			return statusRootType
		}
		minimum = max(minimum, uint64(r.MinAID))
	}
	if s.aid < minimum {
		return statusAID
	}
	return 0
}

// mayWrite asks whether a role may write a partition, or with a nil id the
// partition layout (internal/explain/ERRORS.md §1.5, steps 8 and 9).
func (sec *security) mayWrite(role string, id *gpt.GUID) status {
	if !sec.enforced(role) {
		return 0
	}
	if sec.conf == nil {
		return statusNotAllowed
	}
	r, ok := roleOf(sec.conf, role)
	if !ok || r.Flags&hwPartitions == 0 || id != nil && !slices.Contains(r.Partitions, *id) {
		return statusNotAllowed
	}
	return 0
}
