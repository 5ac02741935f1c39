package extract

import (
	"fmt"
	"path"
	"path/filepath"
	"strings"
	"unicode"
)

// maxStem is the longest stem of an output name in bytes; with an ending and a number it
// stays below the 255 that file systems take.
const maxStem = 200

// safeName makes a base name of a text from a file: letters, digits, blanks and ._+-
// stay, everything else becomes an underscore, and so does a dot or a hyphen in front,
// which would hide the file or look like an option.
func safeName(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("._+- ", r) {
			return r
		}
		return '_'
	}, strings.ToValidUTF8(s, "_"))
	for len(s) > maxStem {
		runes := []rune(s)
		s = string(runes[:len(runes)-1])
	}
	s = strings.TrimRight(s, " ")
	if s == "" {
		return "_"
	}
	if strings.ContainsRune(".- ", rune(s[0])) {
		s = "_" + s[1:]
	}
	return s
}

// stemOf is the name of a file without its folder and its ending.
func stemOf(file string) string {
	base := filepath.Base(file)
	return safeName(strings.TrimSuffix(base, filepath.Ext(base)))
}

// names gives every output of a run its own name, also on file systems that do not
// tell cases apart.
type names map[string]bool

// take reserves a stem in a folder ("" is the top) and gives both, numbered when the
// stem is taken.
func (n names) take(folder, stem string) string {
	name := path.Join(folder, stem)
	for i := 2; n[strings.ToLower(name)]; i++ {
		name = path.Join(folder, fmt.Sprintf("%s-%d", stem, i))
	}
	n[strings.ToLower(name)] = true
	return name
}
