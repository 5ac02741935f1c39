package ftf

import (
	"path"
	"strings"
	"unicode"
)

// maxName is the longest member name in bytes; real ones stay below 120, and 255
// is what file systems take.
const maxName = 255

// Kind is what a member is by its name.
type Kind int

// Kinds. The ending decides, in any case; a protected file (.sinb, .tab) has the
// kind of what it protects.
const (
	KindOther Kind = iota
	KindSIN
	KindTA
	KindFSC
	KindXML
	KindManifest
)

var kindNames = [...]string{"other", "SIN image", "TA file", "flash script", "XML file", "manifest"}

// String names the kind.
func (k Kind) String() string {
	if k < 0 || int(k) >= len(kindNames) {
		return "unknown kind"
	}
	return kindNames[k]
}

// checkName refuses what could leave a folder, what two systems read differently
// and what could drive a terminal. A folder's name may end in one slash.
func checkName(name string) *Error {
	bad := func(why string) *Error { return fail(UnsafeName, "%.80q %s", name, why) }
	switch {
	case name == "":
		return fail(UnsafeName, "a member has no name")
	case len(name) > maxName:
		return fail(UnsafeName, "%.40q… is %d bytes long; the limit is %d", name, len(name), maxName)
	case strings.HasPrefix(name, "/"):
		return bad("is an absolute path")
	case strings.Contains(name, `\`):
		return bad("has a backslash")
	case len(name) >= 2 && name[1] == ':' && isLetter(name[0]):
		return bad("starts with a drive letter")
	}
	if strings.ContainsFunc(name, isControl) {
		return bad("has a control character")
	}
	for _, part := range strings.Split(strings.TrimSuffix(name, "/"), "/") {
		switch part {
		case "":
			return bad("has an empty path element")
		case ".", "..":
			return bad("has the path element " + part)
		}
	}
	return nil
}

// isControl finds characters that drive terminals or turn the order of a line
// around. They have no place in anything a person is shown.
func isControl(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// foldName is the key under which two names count as the same. Going through
// upper case first makes letters equal that share only that (ſ and s).
func foldName(name string) string { return strings.ToLower(strings.ToUpper(name)) }

// unprotect removes the b of .sinb and .tab, which Flashtool appends to hide boot
// files from its old versions (FORMAT.md §2).
func unprotect(base string) string {
	switch strings.ToLower(path.Ext(base)) {
	case ".sinb", ".tab":
		return base[:len(base)-1]
	}
	return base
}

// kindOf tells the kind of a member from its whole name.
func kindOf(name string) Kind {
	folder, base := path.Split(name)
	if strings.EqualFold(name, manifestName) {
		return KindManifest
	}
	// Resource forks that a Mac adds beside every file.
	if strings.HasPrefix(base, "._") || strings.HasPrefix(folder, "__MACOSX/") {
		return KindOther
	}
	switch strings.ToLower(path.Ext(unprotect(base))) {
	case ".sin":
		return KindSIN
	case ".ta":
		return KindTA
	case ".fsc":
		return KindFSC
	case ".xml":
		return KindXML
	}
	return KindOther
}

// inFolder reports whether the member lies directly in a folder of that name, in
// any case.
func inFolder(name, folder string) bool {
	return strings.EqualFold(path.Base(path.Dir(name)), folder)
}

// cuts are where Sony's long names continue with what is not the image's name:
// FORMAT.md §3 and §3. Case matters, _X- covers
// _X-FLASH.
var cuts = []string{"_AID", "_PLATFORM", "_S1", "_X-", "_X_BOOT", "_X_Boot"}

// ShortName returns the name by which scripts and planners call a file:
// "kernel_S1-SW-LIVE-9C84-0004-MMC.sin" is "kernel". Of a .ta file only the
// ending goes. Sources: FORMAT.md §3, §3.
func ShortName(base string) string {
	base = unprotect(path.Base(base))
	stem := strings.TrimSuffix(base, path.Ext(base))
	if stem == "" || strings.EqualFold(path.Ext(base), ".ta") {
		return stem
	}
	for _, cut := range cuts {
		if i := strings.Index(stem, cut); i > 0 {
			stem = stem[:i]
		}
	}
	if i := strings.Index(stem, "-LUN"); i >= 0 && i+4 < len(stem) && isDigit(stem[i+4]) {
		stem = stem[:i+5]
	}
	const numbered = "PARTITION-IMAGE_"
	upper := strings.ToUpper(stem)
	switch {
	case strings.HasPrefix(upper, numbered) && len(upper) > len(numbered) && isDigit(upper[len(numbered)]):
		return "partition-image"
	case strings.HasPrefix(upper, "ELABEL"):
		return "elabel"
	}
	return stem
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
