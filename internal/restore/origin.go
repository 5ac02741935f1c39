package restore

import (
	"fmt"
	"slices"
	"strings"

	"xflash/internal/phone"
	"xflash/sin"
	"xflash/usbproto/s1"
)

// origin refuses a file unless a root that this phone may trust vouches for it: a root of
// the phone's family, one given with --root, or Sony's internal test root, which only the
// phone itself can judge. In flash mode the phone would refuse the others in the middle of
// the flash; in fastboot it checks nothing, so this is the only look at who made a file.
func (j *judge) origin(it *Item) (ps Problems) {
	refuse := func(what, why, next string) { ps.refuse(it.Member, what, why, next) }
	if j.fw.AnyRoot {
		return nil
	}
	root, family := it.Trust.Root, j.fw.Family
	bundleFor := "get the bundle for a " + j.fw.Model.Code
	accepts := fmt.Sprintf("a %s accepts only files signed under %s", j.fw.Model.Code, strings.Join(family.Roots, ", "))
	switch others := phone.ByRoot(root); {
	case it.Trust.State == sin.TrustSupplied, it.testRoot():
	case len(others) > 0 && !slices.Contains(others, family):
		refuse(fmt.Sprintf("signed by %s, the root of %s phones (%s)", root, others[0].Name, others[0].SoC), accepts, bundleFor)
	case !slices.Contains(family.Roots, root):
		refuse(fmt.Sprintf("signed by %s, an unknown root", root), accepts, bundleFor)
	case !it.Trust.Proven():
		refuse(fmt.Sprintf("it says that %s signed it, but that is not proven", root),
			"every loader.sin from Sony contains the certificate of that root, but the one in this bundle does not",
			"get the bundle from a source you trust, or add --loader FILE with a loader.sin from Sony")
	}
	if j.ph == nil || len(ps) > 0 || it.testRoot() {
		return ps
	}
	trusted := s1.SplitRoots(j.ph.Info["S1_ROOT"])
	if len(trusted) > 0 && !has(trusted, it.Issuer) && !has(trusted, root) {
		refuse(fmt.Sprintf("signed by %s, but the phone trusts %s", it.Issuer, strings.Join(trusted, ", ")), "the phone would refuse it", bundleFor)
	}
	return ps
}

// testRoot reports whether the file is proven to be signed with Sony's internal test root.
func (it *Item) testRoot() bool {
	return it.Trust.State == sin.TrustPinned && it.Trust.Known.Test
}

// byFamily reports whether the file is proven to be signed for this family, or with a root
// that the person supplied.
func (j *judge) byFamily(it *Item) bool {
	return it.Trust.State == sin.TrustSupplied ||
		it.Trust.State == sin.TrustPinned && slices.Contains(j.fw.Family.Roots, it.Trust.Root)
}

// testRoot is how the names of Sony's internal roots start (internal/explain/ERRORS.md §0).
const testRoot = "S1_Root_Test"
