package explain

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
)

var (
	// remoteSays is an answer as the fastboot program shows it.
	remoteSays = regexp.MustCompile(`(?i)\bremote\b:?[ \t]*['"“]?([^\r\n]{1,300}?)['"”]?[ \t]*(?:\)|$|['"] ?\)?$)`)
	// flashModeSays is an answer in the flash mode of 2017 and later, where the text
	// follows FAIL without a blank.
	flashModeSays = regexp.MustCompile(`(?:^|[rR]eply:? |[gG]ot:? |[sS]aid:? |[" (])(?:FAIL)+([A-Za-z0-9][A-Za-z0-9' ][^\r\n"]{1,300})`)
	failedWord    = regexp.MustCompile(`(?i)\bfail(?:ed|ure)?\b|\berror\b|\(remote`)
	noAnswer      = regexp.MustCompile(`^(?:ED|URE|ING|S|OVER)\b`)
)

// shortAnswer is a text that also occurs in other sentences: alone it must be the whole
// message.
const shortAnswer = 25

type bootLoaderRow struct {
	*entry
	folded   string
	template *template // of texts with {}
}

var bootLoaderRows = sync.OnceValue(func() (rows []bootLoaderRow) {
	for _, e := range book().all("fastboot", "") {
		text := strings.TrimSuffix(strings.TrimPrefix(e.dynamic, "FAIL"), "...")
		r := bootLoaderRow{entry: e, folded: fold(text)}
		if strings.Contains(text, "{}") {
			t := newTemplate(text)
			r.template = &t
		}
		rows = append(rows, r)
	}
	return rows
})

// bootLoaderRow finds the row of an answer. The loaders cut their answers at 64 bytes, and
// some add the name of a partition.
func (c *catalogue) bootLoaderRow(answer string) *entry {
	for strings.HasPrefix(answer, "FAIL") {
		answer = strings.TrimPrefix(answer, "FAIL")
	}
	said := fold(answer)
	var found *entry
	length := 0
	for _, r := range bootLoaderRows() {
		switch {
		case strings.HasPrefix(r.dynamic, "Read-TA"):
			if strings.Contains(said, "read ta") && strings.Contains(said, "error 22") {
				return r.entry
			}
		case r.template != nil:
			if m := r.template.find(said); m != nil && m[1] == len(said) && len(strings.Fields(said)) <= r.template.words+3 && found == nil {
				found = r.entry
			}
		case said == r.folded:
			return r.entry
		case len(said) >= 20 && strings.HasPrefix(r.folded, said), len(r.folded) >= 15 && strings.HasPrefix(said, r.folded+" "):
			if len(r.folded) > length {
				found, length = r.entry, len(r.folded)
			}
		}
	}
	return found
}

// bootLoader finds the answers in a line, and where in it they are, that a phone gave in fastboot or in the flash mode
// of 2017 and later.
func (l *line) bootLoader(alone bool) (found []reply) {
	whole := []int{0, len(l.raw)}
	add := func(answer string, certain bool, at []int) {
		answer = strings.Trim(answer, `'"“”!;, `)
		r := reply{at: at[0], end: at[1], said: strings.TrimSpace(l.raw), dynamic: answer, fastboot: true}
		if row := book().bootLoaderRow(answer); row != nil {
			r.dynamic = row.dynamic
		} else if !certain || answer == "" {
			return
		}
		found = append(found, r)
	}
	failed := failedWord.MatchString(l.raw)
	for _, m := range remoteSays.FindAllStringSubmatchIndex(l.raw, maxFound) {
		if f := fold(l.raw[m[2]:m[3]]); f != "failure" && f != "" {
			add(l.raw[m[2]:m[3]], failed, m)
		}
	}
	if len(found) > 0 {
		return found
	}
	if m := flashModeSays.FindStringSubmatch(l.raw); m != nil && !noAnswer.MatchString(m[1]) {
		add(m[1], true, whole)
		return found
	}
	if l.quiet {
		return nil
	}
	// A known text without the words of a program around it.
	for _, r := range bootLoaderRows() {
		switch {
		case strings.HasPrefix(r.dynamic, "Read-TA") && strings.Contains(l.raw, "Read-TA") && strings.Contains(l.folded, "error 22"):
			return []reply{{end: len(l.raw), said: strings.TrimSpace(l.raw), dynamic: r.dynamic, fastboot: true}}
		case r.template != nil, strings.HasPrefix(r.dynamic, "Read-TA"):
			continue
		}
		i := strings.Index(l.folded, r.folded)
		if i < 0 || i > 0 && l.folded[i-1] != ' ' {
			continue
		}
		end := i + len(r.folded)
		message := l.starting(i) && end == len(l.folded)
		whole := end == len(l.folded) || l.folded[end] == ' '
		if message && alone || len(r.folded) >= 12 && l.quotes(r.dynamic) || message && len(r.folded) >= 12 && failed || whole && len(r.folded) >= shortAnswer {
			return []reply{{end: len(l.raw), said: strings.TrimSpace(l.raw), dynamic: r.dynamic, fastboot: true}}
		}
	}
	return nil
}

// quotes reports whether a text is in quotation marks, as people write what they read.
func (l *line) quotes(s string) bool {
	raw := strings.ToLower(l.raw)
	return slices.ContainsFunc([]string{`""`, "“”", "„“", "«»", "''", "‘’"}, func(marks string) bool {
		m := []rune(marks)
		return strings.Contains(raw, string(m[0])+strings.ToLower(s)+string(m[1]))
	})
}

// context is what a log shows around an answer of a boot loader.
type context struct {
	doing    string // writing, erasing, booting, unlocking, or empty
	name     string // of the partition
	unlocked bool   // the phone says so
}

var (
	step        = regexp.MustCompile(`(?i)\b(writing|erasing|flash|flashing|booting|unlock(?:ing)?|oem unlock|flash:|erase:)\b:?\s*['"]?([\w-]{1,36})?`)
	saysOpen    = regexp.MustCompile(`(?i)\bunlocked\s*[:=]\s*(?:yes|true)|\bsecure\s*[:=]\s*no\b|bootloader is unlocked`)
	unlockCode  = regexp.MustCompile(`(?i)(unlock['"\s]+(?:0x)?)([0-9A-F]{16})\b`)
	notPartname = map[string]bool{"mode": true, "boot": false}
)

// contextOf reads what led to an answer from the text before it.
func contextOf(before string, unlocked bool) context {
	c := context{unlocked: unlocked}
	all := step.FindAllStringSubmatch(before[max(0, len(before)-2000):], -1)
	if len(all) == 0 {
		return c
	}
	last := all[len(all)-1]
	switch word := strings.ToLower(last[1]); {
	case strings.Contains(word, "unlock"):
		c.doing = "unlocking"
	case word == "booting":
		c.doing = "booting"
	case strings.HasPrefix(word, "eras"):
		c.doing, c.name = "erasing", last[2]
	default:
		c.doing, c.name = "writing", last[2]
	}
	if notPartname[strings.ToLower(c.name)] {
		return context{unlocked: c.unlocked}
	}
	return c
}

// bootLoader looks up an answer of a phone in fastboot or in the flash mode of 2017 and
// later.
func (c *catalogue) bootLoader(text string) (entry, bool) {
	if e := c.bootLoaderRow(text); e != nil {
		return *e, e.confidence != Low
	}
	return entry{action: "REPORT", confidence: Unknown,
		meaning: "This answer of the boot loader is on no known list. Only its own words say what failed."}, false
}

// inContext decides between the causes of "Command not allowed" and its like by what the
// log shows around it.
func (e *Explanation) inContext(c context) {
	switch fold(e.Dynamic) {
	case "command not allowed", "not allowed", "flashing is not allowed for partition":
	case "command did not succeed":
		if c.doing != "" && c.doing != "unlocking" {
			e.Meaning = "The boot loader tried the command and failed. It gives no reason."
			e.Action, e.Next = "REPLUG", book().adviceFor("REPLUG")
		}
		return
	default:
		return
	}
	name := "this partition"
	if c.name != "" {
		name = printable(c.name, maxWord)
	}
	refuses := fmt.Sprintf("its boot loader does not allow fastboot to change %s", name)
	switch {
	case c.doing == "unlocking":
		e.Meaning = `The unlock code is wrong, or "OEM unlocking" is switched off in the settings of the phone.`
		e.Action, e.Next = "UNLOCK", book().adviceFor("UNLOCK")
	case c.unlocked && c.doing != "booting":
		e.Meaning = "The phone is unlocked, but " + refuses + "."
		e.Action, e.Next = "NOFASTBOOT", book().adviceFor("NOFASTBOOT")
	case c.doing == "booting":
		e.Meaning = "The boot loader is locked: it does not start images from the computer."
		e.Action, e.Next = "LOCKED", book().adviceFor("LOCKED")
	case c.doing != "":
		e.Meaning = "Either the boot loader is locked, or " + refuses + ", even when the phone is unlocked."
		e.Action = "NOFASTBOOT"
		e.Next = append([]string{`"xflash fastboot getvar unlocked" tells which: "no" means a locked boot loader, and then only flash mode can help ("xflash restore FILE").`}, book().adviceFor("NOFASTBOOT")...)
	default:
		return
	}
	e.Confidence, e.Known = Medium, true
}

// BootLoader explains the answer of a boot loader to a command of the fastboot protocol,
// such as "flash:boot".
func BootLoader(answer, command string) Explanation {
	doing := command
	if command == "boot" {
		doing = "booting"
	}
	r := reply{fastboot: true, said: answer, dynamic: answer, context: contextOf(doing, false)}
	e := r.explain()
	if e.Action == "HARMLESS" && !question.MatchString(command) {
		e.Meaning = "This is an answer to a question about the phone, and it came to another command: that command was refused, and the phone does not say why."
		e.Confidence, e.Action, e.Next = Medium, "REPORT", book().adviceFor("REPORT")
	}
	e.What = printable(command, maxSaid)
	return e
}

// question is what the harmless answers belong to: a command of fastboot, or of the protocol
// of 2017 and later, that reads, and oem unlock, which may find the phone unlocked.
var question = regexp.MustCompile("^(?:getvar:|Get-|Read-|oem unlock)")
