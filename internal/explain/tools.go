package explain

import (
	_ "embed"
	"regexp"
	"slices"
	"strings"
	"sync"
)

//go:embed data/tools.tsv
var toolsData string

// toolError is an error text of another program or of the computer.
type toolError struct {
	id, tool, text, match, severity string
	confidence                      Confidence
	phone                           bool // the phone had answered
	meaning, cause, next            string
	template                        template
	exact                           *regexp.Regexp // of rows whose punctuation counts, for the raw line
	needle                          string         // folded; a line without it is not searched
}

// Severities that decide whether a row is shown.
const (
	severityFrame    = "frame"
	severityNote     = "note"
	severityHarmless = "harmless"
)

var toolErrors = sync.OnceValue(func() (rows []*toolError) {
	for _, f := range table(toolsData, 11) {
		r := &toolError{id: f[0], tool: f[1], text: f[2], match: f[3], severity: f[4], confidence: Confidence(f[5]),
			phone: f[6] == "yes", meaning: f[7], cause: strings.TrimPrefix(f[8], "-"), next: strings.TrimPrefix(f[9], "-"), template: newTemplate(f[2])}
		r.needle = r.template.longest
		if strings.HasPrefix(r.text, "0x8") {
			digits := strings.ReplaceAll(regexp.QuoteMeta(r.text), `\{\}`, `[0-9A-F]{4}`)
			r.exact = regexp.MustCompile(`(?i)(?:^[^\w]*|\b(?:error|errors|code|codes|hresult|fehler\w*|failed|exception|erreur|errore|код|código|codice)\b[^\w]{0,12})` + digits + `\b`)
		}
		if m := bracketCode.FindStringSubmatch(r.text); m != nil {
			// Windows translates the word, not the number.
			r.needle = m[1]
			r.exact = regexp.MustCompile(`(?i)[(（](?:code|código|codice|cod|kode|kod|kód|код|koodi|kodas|κωδικός|κωδ|代码|代碼|コード|코드|mã)[\s.:：]*` + m[1] + `[)）]|^\s*code:? ` + m[1] + `\s*$`)
		}
		if strings.HasSuffix(r.text, "loader.sin ({})") {
			r.exact = regexp.MustCompile(`loader\.sin \([^()]{2,120}\)\s*$`)
		}
		if text, ok := strings.CutPrefix(r.text, "Error : "); ok {
			r.exact = regexp.MustCompile(`(?i)\berror ?: ?` + regexp.QuoteMeta(text))
		}
		if level, text, ok := strings.Cut(r.text, " - "); ok && level == "ERROR" {
			r.needle = fold(text)
			r.exact = regexp.MustCompile(`\bERROR\s+-\s+(?:\(\w+\.java:\d+\)\s+-\s+)?` + regexp.QuoteMeta(text) + `\s*$`)
		}
		rows = append(rows, r)
	}
	return rows
})

var bracketCode = regexp.MustCompile(`^\(Code (\d+)\)$`)

// toolMatch is a row that was found in a line.
type toolMatch struct {
	row      *toolError
	line     *line
	from, to int // in the folded line
}

// findTools finds the errors of programs and of the computer. Where several rows fit one
// place, the one with the longest constant part counts.
func findTools(lines []line) (found []toolMatch) {
	var all strings.Builder
	for i := range lines {
		all.WriteString(lines[i].folded)
		all.WriteByte('\n')
	}
	squeezed := squeeze(all.String())
	only := single(lines)
	var rows []*toolError
	for _, r := range toolErrors() {
		if strings.Contains(squeezed, squeeze(r.needle)) {
			rows = append(rows, r)
		}
	}
	seen := map[*toolError]bool{}
	for i := range lines {
		l := &lines[i]
		for _, m := range best(l.tools(rows, only)) {
			if !seen[m.row] {
				seen[m.row] = true
				found = append(found, m)
			}
		}
	}
	return append(found, wrapped(lines, rows, found)...)
}

// tools are the rows that fit a line.
func (l *line) tools(rows []*toolError, only *line) (found []toolMatch) {
	for _, r := range rows {
		m := []int{0, len(l.folded)}
		switch {
		case !strings.Contains(l.folded, r.needle):
			continue
		case r.exact == nil:
			m = r.template.re.FindStringIndex(l.folded)
		case !r.exact.MatchString(l.raw) || strings.Contains(l.raw, "ERR_"):
			continue
		}
		if m != nil && r.fits(l, m, only) {
			found = append(found, toolMatch{r, l, m[0], m[1]})
		}
	}
	return found
}

// fits reports whether a row may be found at this place of a line.
func (r *toolError) fits(l *line, m []int, only *line) bool {
	t := r.template
	ends := m[1] == len(l.folded) && !t.closes
	starts := !t.opens && l.starting(m[0])
	switch {
	case r.exact != nil:
		return true
	case r.match == "part":
		return true
	case r.match == "line":
		return starts && (t.closes || t.sentence) || ends
	case l != only:
		return false
	}
	// Alone: short and general texts, which say something only when they are all there is.
	switch {
	case t.opens && strings.HasPrefix(r.text, "{} :"):
		return ends && m[0] > 0 && l.starting(m[0])
	case t.opens:
		return ends && m[0] > 0
	case t.closes:
		return starts && (t.words > 1 || strings.Count(r.text, "{}") > 1 || !strings.Contains(strings.TrimSpace(l.folded[m[0]+len(t.longest):m[1]]), " "))
	}
	return t.constant >= 12 || starts && ends
}

// best drops the rows whose place another row with more constant letters covers.
func best(found []toolMatch) (kept []toolMatch) {
	all := found
	found = slices.DeleteFunc(slices.Clone(all), func(m toolMatch) bool { // general words after a program's own
		return m.row.match == "alone" && slices.ContainsFunc(all, func(o toolMatch) bool {
			return o.row.match != "alone" && o.from < m.from && m.to <= o.to
		})
	})
	slices.SortStableFunc(found, func(a, b toolMatch) int { return b.row.template.constant - a.row.template.constant })
	for _, m := range found {
		if !slices.ContainsFunc(kept, func(k toolMatch) bool { return m.from < k.to && k.from < m.to }) {
			kept = append(kept, m)
		}
	}
	slices.SortStableFunc(kept, func(a, b toolMatch) int { return a.from - b.from })
	return kept
}

// wrapped finds rows whose text a terminal or a mail broke over two lines.
func wrapped(lines []line, rows []*toolError, found []toolMatch) (more []toolMatch) {
	for i := 0; i+1 < len(lines); i++ {
		if len(lines[i].raw) < 30 {
			continue
		}
		for _, gap := range []string{" ", ""} {
			raw := strings.TrimRight(lines[i].raw, " ") + gap + strings.TrimLeft(lines[i+1].raw, " ")
			joined := line{at: lines[i].at, raw: raw, folded: fold(raw), quiet: lines[i].quiet}
			for _, m := range best(joined.tools(rows, nil)) {
				border := len(fold(lines[i].raw))
				known := func(k toolMatch) bool {
					return k.row == m.row || (k.line == &lines[i] || k.line == &lines[i+1]) && k.row.template.constant > m.row.template.constant
				}
				if m.row.template.constant >= 12 && m.from < border && m.from+m.row.template.constant > border && !slices.ContainsFunc(found, known) && !slices.ContainsFunc(more, known) {
					more = append(more, m)
				}
			}
		}
	}
	return more
}

// explain is the row as an explanation.
func (m toolMatch) explain() Explanation {
	e := Explanation{Source: FromTool, ID: m.row.id, Tool: m.row.tool, Effect: m.row.severity, Said: printable(m.line.raw, maxSaid),
		Meaning: m.row.meaning, Reason: m.row.cause, Confidence: m.row.confidence, Action: "TOOLSAYS", Known: m.row.confidence != Low, PhoneSpoke: m.row.phone,
		mentioned: m.row.match == "alone" && m.to-m.from < len(m.line.folded)}
	if m.row.next != "" {
		e.Next = []string{m.row.next}
	}
	return e
}
