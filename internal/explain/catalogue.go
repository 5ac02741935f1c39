package explain

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"sync"
)

//go:embed data/catalogue.tsv
var catalogueData string

//go:embed data/advice.tsv
var adviceData string

//go:embed data/notes.tsv
var notesData string

// entry is one row of the catalogue.
type entry struct {
	kind, generation, severity, code string
	dynamic                          string
	name, meaning, action            string
	confidence                       Confidence
}

// catalogue is the embedded data, indexed.
type catalogue struct {
	rows     []entry
	dynamics map[string]*entry // by status number
	codes    map[string]*entry // of generations C to E
	parts    map[string]*entry // facilities by number
	errors   map[string]*entry // error numbers
	advices  map[string][]string
	notes    map[string]string
}

// book is the catalogue. The data are our own; a test reads every row.
var book = sync.OnceValue(func() *catalogue {
	c := &catalogue{dynamics: map[string]*entry{}, codes: map[string]*entry{}, parts: map[string]*entry{},
		errors: map[string]*entry{}, advices: map[string][]string{}, notes: map[string]string{}}
	for _, f := range table(catalogueData, 9) {
		c.rows = append(c.rows, entry{f[0], f[1], f[2], f[3], f[4], f[5], f[6], f[7], Confidence(f[8])})
	}
	for i := range c.rows {
		e := &c.rows[i]
		switch {
		case e.kind == "dynamic" && e.generation == "C,D,E":
			c.dynamics[e.dynamic] = e
		case e.kind == "code" && e.generation == "C,D,E":
			c.codes[e.code] = e
		case e.kind == "facility":
			c.parts[e.dynamic] = e
		case e.kind == "error":
			c.errors[e.dynamic] = e
		}
	}
	for _, f := range table(adviceData, 2) {
		c.advices[f[0]] = strings.Split(f[1], " | ")
	}
	for _, f := range table(notesData, 2) {
		c.notes[f[0]] = f[1]
	}
	return c
})

// table reads tab-separated lines; # begins a comment.
func table(data string, columns int) (rows [][]string) {
	for _, line := range strings.Split(data, "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if fields := strings.Split(line, "\t"); len(fields) == columns {
			rows = append(rows, fields)
		}
	}
	return rows
}

func (c *catalogue) advice(key string) []string { return c.advices[key] }

func (c *catalogue) code(code string) (entry, bool) {
	if e := c.codes[strings.ToUpper(code)]; e != nil {
		return *e, true
	}
	return entry{}, false
}

// status looks a number up. Without a row of its own it is taken apart: the part of the
// phone that speaks, and the error it reports.
func (c *catalogue) status(s status) (entry, bool) {
	if e := c.dynamics[s.String()]; e != nil {
		row := *e
		if note := c.notes[s.String()]; note != "" {
			row.meaning += " " + note
		}
		return row, true
	}
	part, err := c.parts[s.facility()], c.errors[s.number()]
	if part == nil || s>>31 == 0 {
		return entry{}, false
	}
	row := entry{kind: "dynamic", dynamic: s.String(), confidence: Low, action: "REPORT",
		name: part.name + " / (unnamed 0x" + s.number() + ")"}
	row.meaning = fmt.Sprintf("By its group it concerns the %s. We do not know the exact cause.", part.meaning)
	if err != nil && !strings.HasPrefix(err.name, "(unnamed") {
		row.name = part.name + " / " + err.name
		row.meaning = fmt.Sprintf("By its group it concerns the %s, and the error is called «%s». We do not know the exact cause.", part.meaning, err.meaning)
	}
	if note := c.notes[s.String()]; note != "" {
		row.meaning += " " + note
	}
	return row, true
}

// number is the number of a facility or an error by its vendor name or as 0xNNNN.
func (c *catalogue) number(kind, name string) (uint32, bool) {
	if hex, ok := strings.CutPrefix(strings.ToLower(name), "0x"); ok {
		n, err := strconv.ParseUint(hex, 16, 16)
		return uint32(n), err == nil
	}
	for i := range c.rows {
		if e := &c.rows[i]; e.kind == kind && e.name == name {
			n, err := strconv.ParseUint(e.dynamic, 16, 16)
			return uint32(n), err == nil
		}
	}
	return 0, false
}

// named finds "FACILITY - ERROR" in a line of text.
func (c *catalogue) named(line string) string {
	at := strings.Index(line, "FAC_")
	if at < 0 {
		return ""
	}
	words := strings.Fields(line[at:])
	if len(words) < 3 || words[1] != "-" {
		return ""
	}
	return words[0] + " - " + strings.Trim(words[2], `";,.`)
}

// textGenA looks an answer of generation A up: class and static are words, the text says
// what happened (error-codes.md §2.4).
func (c *catalogue) textGenA(r reply) (entry, bool) {
	var static *entry
	for i := range c.rows {
		e := &c.rows[i]
		if e.kind == "text" && sameText(e.dynamic, r.dynamic) && (r.static == "" || e.code == r.class+"/"+r.static) && strings.HasPrefix(e.code, r.class) {
			return *e, true
		}
		if e.kind == "static" && e.name == r.static {
			static = e
		}
	}
	if static != nil {
		return *static, true
	}
	// One public report has other words than the loaders at hand (error-codes.md §2.5).
	if strings.Contains(strings.ToLower(r.dynamic), "header") && strings.Contains(strings.ToLower(r.dynamic), "verif") {
		for i := range c.rows {
			if e := &c.rows[i]; e.kind == "static" && e.name == "SIN_HEAD_VER" {
				return *e, true
			}
		}
	}
	return entry{}, false
}

// text looks an answer up whose dynamic part is English: generation B, and C without a
// number. Texts of generation B may hold a number: "0x0508: sin header verification",
// "06 : open failed".
func (c *catalogue) text(r reply) (entry, bool) {
	dynamic := strings.TrimSpace(r.dynamic)
	code := strings.ToUpper(r.code)
	var byCode *entry
	for i := range c.rows {
		e := &c.rows[i]
		if e.generation != "B" || e.kind != "code" && e.kind != "dynamic" {
			continue
		}
		same := sameText(e.dynamic, dynamic)
		if same && e.code == code {
			return *e, true
		}
		if e.code == code && (byCode == nil || strings.HasPrefix(e.dynamic, "NN : ") && numbered(dynamic)) {
			byCode = e
		}
	}
	if e := c.codes[code]; e != nil && cText[dynamic] {
		return *e, true // generation C
	}
	if byCode != nil {
		return *byCode, true
	}
	return c.code(r.code)
}

// cText are the texts of generation C (device-rescue.md §4.1).
var cText = map[string]bool{"Invalid TA": true, "Open TA failed": true, "Unexpected parameter": true, "Wrong parameters": true,
	"Flush TA failed": true, "Close TA failed": true, "Format TA failed": true, "Unsupported version": true, "Not authenticated": true,
	"Read TA failed": true, "Allocation error": true, "Write TA failed.": true}

// numbered says whether a text begins with two digits and a colon.
func numbered(s string) bool {
	return len(s) > 5 && s[0] >= '0' && s[0] <= '9' && s[1] >= '0' && s[1] <= '9' && strings.HasPrefix(s[2:], " : ")
}

// sameText compares texts without case; %x and %d in a text of the catalogue stand for
// what the phone puts there.
func sameText(pattern, text string) bool {
	pattern, text = strings.ToLower(strings.TrimSpace(pattern)), strings.ToLower(strings.TrimSpace(text))
	if before, after, found := strings.Cut(pattern, "%"); found && len(after) > 0 {
		return before+after[1:] != "" && strings.HasPrefix(text, before) && strings.HasSuffix(text, after[1:]) && len(text) > len(before)+len(after)-1
	}
	return pattern != "" && pattern == text
}

// fastbootText finds an answer of a fastboot or newer phone in a line: the longest one.
func (c *catalogue) fastbootText(line string) (found string) {
	for i := range c.rows {
		if e := &c.rows[i]; e.kind == "fastboot" {
			for _, text := range []string{e.dynamic, strings.TrimPrefix(e.dynamic, "FAIL")} {
				if text = strings.TrimSuffix(text, "..."); len(text) > len(found) && strings.Contains(strings.ToLower(line), strings.ToLower(text)) {
					found = e.dynamic
				}
			}
			if strings.HasPrefix(e.dynamic, "Read-TA") && strings.Contains(line, "error=-22") {
				found = e.dynamic
			}
		}
	}
	return found
}

func (c *catalogue) fastboot(text string) (entry, bool) {
	for i := range c.rows {
		if e := &c.rows[i]; e.kind == "fastboot" && e.dynamic == text {
			return *e, true
		}
	}
	return entry{}, false
}
