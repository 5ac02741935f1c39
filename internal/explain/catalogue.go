package explain

import (
	_ "embed"
	"fmt"
	"regexp"
	"strings"
	"sync"
)

//go:embed data/catalogue.tsv
var catalogueData string

//go:embed data/advice.tsv
var adviceData string

//go:embed data/steps.tsv
var stepsData string

// entry is one row of the catalogue. dynamic is the status number, the text of the phone,
// or the number of a facility or an error; pattern is set when a text has places for
// numbers.
type entry struct {
	kind, generation, severity, code string
	dynamic                          string
	name, meaning, action            string
	confidence                       Confidence
	pattern                          *regexp.Regexp
}

// catalogue is the embedded data with its indexes.
type catalogue struct {
	rows     []*entry
	index    map[rowKey][]*entry
	patterns []*entry          // texts of 2012 with places for numbers
	named    map[string]string // vendor's name without FAC_ or ERR_ to number
	advices  map[string][]string
	steps    map[string][]string
}

// rowKey is what rows are looked up by: their kind, and a number, code, name or text in small
// letters.
type rowKey struct{ kind, value string }

// Kinds of rows about phones of 2012 (generation B), which are looked up in two ways.
const (
	codeOf2012 = "code of 2012"
	textOf2012 = "text of 2012"
)

// book is the catalogue. The data are part of the program and tests read every row, so a
// malformed row is a mistake in the program.
var book = sync.OnceValue(func() *catalogue {
	c := &catalogue{index: map[rowKey][]*entry{}, named: map[string]string{}, advices: map[string][]string{}, steps: map[string][]string{}}
	for _, f := range table(catalogueData, 9) {
		c.add(&entry{f[0], f[1], f[2], f[3], f[4], f[5], f[6], f[7], Confidence(f[8]), placeholders(f[4])})
	}
	for _, f := range table(adviceData, 2) {
		c.advices[f[0]] = strings.Split(f[1], " | ")
	}
	for _, f := range table(stepsData, 2) {
		c.steps[f[0]] = strings.Split(f[1], " | ")
	}
	return c
})

func (c *catalogue) add(e *entry) {
	c.rows = append(c.rows, e)
	k := rowKey{e.kind, e.dynamic}
	switch {
	case e.generation == "B":
		k = rowKey{codeOf2012, e.code}
		if text := (rowKey{textOf2012, strings.ToLower(e.dynamic)}); e.pattern == nil {
			c.index[text] = append(c.index[text], e)
		} else {
			c.patterns = append(c.patterns, e)
		}
	case e.kind == "code":
		k.value = e.code
	case e.kind == "text":
		k.value = strings.ToLower(e.dynamic)
	case e.kind == "static", e.kind == "class":
		k.value = e.name
	case e.kind == "facility", e.kind == "error":
		c.named[bareName(e.name)] = e.dynamic
	case e.kind == "fastboot":
		k.value = ""
	}
	c.index[k] = append(c.index[k], e)
}

// all are the rows of a kind with a value, one the row of a kind that has one for each value.
func (c *catalogue) all(kind, value string) []*entry { return c.index[rowKey{kind, value}] }

func (c *catalogue) one(kind, value string) *entry {
	if rows := c.all(kind, value); len(rows) > 0 {
		return rows[0]
	}
	return nil
}

// advice is what to do about an answer: its own steps, or those of its key.
func (c *catalogue) advice(e *entry) []string {
	if steps := c.steps[e.dynamic]; steps != nil {
		return append([]string(nil), steps...)
	}
	return c.adviceFor(e.action)
}

func (c *catalogue) adviceFor(action string) []string {
	return append([]string(nil), c.advices[action]...)
}

// table reads tab-separated lines; # starts a comment. A line with another number of
// columns than expected is a mistake in the program.
func table(data string, columns int) (rows [][]string) {
	for line := range strings.Lines(data) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		fields := strings.Split(line, "\t")
		if len(fields) != columns {
			panic(fmt.Sprintf("explain: %d columns instead of %d in %q", len(fields), columns, line))
		}
		rows = append(rows, fields)
	}
	return rows
}

// bareName takes FAC_ or ERR_ off a name of the vendor's, whose tables are not consistent
// in it: BUFFER_TOO_SMALL is beside ERR_BUFFER_SIZE.
func bareName(name string) string {
	return strings.TrimPrefix(strings.TrimPrefix(strings.ToUpper(name), "FAC_"), "ERR_")
}

// numbers are the places for numbers in the texts of generation B.
var numbers = regexp.MustCompile(`%\d?l?[xd]|0xNNNN|\bNN : text$`)

// placeholders is the pattern of a text that holds a number, nil for all others.
func placeholders(text string) *regexp.Regexp {
	if !numbers.MatchString(text) {
		return nil
	}
	var b strings.Builder
	b.WriteString(`(?i)^`)
	end := 0
	for _, m := range numbers.FindAllStringIndex(text, -1) {
		b.WriteString(regexp.QuoteMeta(text[end:m[0]]))
		switch text[m[0]:m[1]] {
		case "0xNNNN":
			b.WriteString(`0x[0-9a-f]{1,8}`)
		case "NN : text":
			b.WriteString(`\d\d : .*`)
		default:
			b.WriteString(`[0-9a-f]{1,16}`)
		}
		end = m[1]
	}
	b.WriteString(regexp.QuoteMeta(text[end:]) + `$`)
	return regexp.MustCompile(b.String())
}

// says reports whether a text of a phone is the text of this row.
func (e *entry) says(text string) bool {
	if e.pattern != nil {
		return e.pattern.MatchString(text)
	}
	return e.dynamic == "" || strings.EqualFold(e.dynamic, text) // 0062 has no text on record
}
