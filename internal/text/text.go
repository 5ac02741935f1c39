// Package text turns values into words for a terminal: sizes, counts, lines of a given
// width, and text from phones and files with everything removed that could deceive a
// reader or identify a phone.
package text

import (
	"fmt"
	"strings"
)

// Size shows a number of bytes as people read it, in powers of ten: "1.50 GB", "512 B".
func Size(n int64) string {
	switch n = max(n, 0); {
	case n >= 1e9:
		return fmt.Sprintf("%.2f GB", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	case n >= 1e3:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%d B", n)
}

// Count is a number of things: "1 file", "3 files", "0 entries".
func Count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	if stem, ok := strings.CutSuffix(thing, "y"); ok && !strings.HasSuffix(stem, "e") && !strings.HasSuffix(stem, "a") {
		return fmt.Sprintf("%d %sies", n, stem)
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// WithArticle puts the article before a kind of file: "an ELF file", "a zip archive".
func WithArticle(kind string) string {
	switch {
	case kind == "" || kind == "unknown":
		return "of an unknown format"
	case strings.ContainsRune("AEIOaeio", rune(kind[0])):
		return "an " + kind
	}
	return "a " + kind
}
