package explain

import (
	"regexp"
	"strings"
)

// line is one line of a paste.
type line struct {
	at     int    // its place in the text
	raw    string // without the line end
	folded string
	starts []int // places in folded where the message, or a part of it, may start
	quiet  bool  // a log calls it information: nobody refuses anything there
}

var (
	// parting is what programs print between where and what: "error: ", " - ", "] ".
	parting = regexp.MustCompile(`(?:: ?|[ \t][-–][ \t]+|\][ \t]+|\)[ \t]*|\t+|\bE:|[.!] )`)
	// quietLevel is the level of a log line, near its start.
	quietLevel = regexp.MustCompile(`^.{0,40}?\b(?:INFO|DEBUG|TRACE|VERBOSE)\b`)
	logLine    = regexp.MustCompile(`^[ \t]*(?:\[?[\d./:, TZ-]{5,30}\]?[ \t]+-?[ \t]*)?(?:\[?(?:INFO|DEBUG|TRACE|VERBOSE|WARN|WARNING|ERROR|FATAL)\]?[ \t]*(?:-|:)[ \t]*|[VDIWEF][ /][\w.$-]{2,40}(?:\( *\d+\))?:)`)
	// stamp is a time or a counter at the start of a line.
	stamp = regexp.MustCompile(`^[\W\d]{3,40}(?:T\d[\W\d]{4,20}Z?)? `)
	// prompt is a line that a person typed into a shell.
	prompt = regexp.MustCompile(`^[ \t]*(?:[\w.-]+@[\w.-]+:?[^$#\n]{0,60}[$#] |\$ |# |PS [A-Z]:\\[^>]*>|[A-Z]:\\[^>]*>)`)
)

// linesOf takes a text apart. A line that occurred before is left out.
func linesOf(text string) (lines []line) {
	seen := map[string]bool{}
	at := 0
	for raw := range strings.Lines(text) {
		l := line{at: at, raw: strings.TrimRight(raw, "\r\n")}
		at += len(raw)
		if seen[l.raw] || strings.TrimSpace(l.raw) == "" {
			continue
		}
		seen[l.raw] = true
		l.folded = fold(l.raw)
		l.quiet = quietLevel.MatchString(l.raw)
		lines = append(lines, l)
	}
	return lines
}

// starting reports whether the message of the line, or a part of it, starts at a place.
func (l *line) starting(at int) bool {
	if l.starts == nil {
		l.starts = []int{0}
		for _, m := range parting.FindAllStringIndex(l.raw, 40) {
			l.starts = append(l.starts, len(l.folded)-len(fold(l.raw[m[1]:])))
		}
		for _, re := range []*regexp.Regexp{logLine, stamp} {
			if m := re.FindStringIndex(l.raw); m != nil {
				l.starts = append(l.starts, len(l.folded)-len(fold(l.raw[m[1]:])))
			}
		}
	}
	for _, s := range l.starts {
		if s == at {
			return true
		}
	}
	return false
}

// single is the only line that is not a command typed into a shell, nil when there are
// several.
func single(lines []line) *line {
	var found *line
	for i := range lines {
		if prompt.MatchString(lines[i].raw) && len(lines) > 1 {
			continue
		}
		if found != nil {
			return nil
		}
		found = &lines[i]
	}
	return found
}
