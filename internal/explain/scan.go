package explain

import (
	"regexp"
	"slices"
	"strings"
)

// maxReplies bounds how many answers are looked at, repeated ones among them.
const maxReplies = 2000

var (
	// namePair is a status in the vendor's names outside an answer.
	namePair = regexp.MustCompile(`\b(?:FAC_[A-Z0-9_]{2,40}|0x[0-9A-Fa-f]{4}) [-/] (?:[A-Z][A-Z0-9_]{2,40}|0x[0-9A-Fa-f]{4})\b`)
	// numberAlone is a status without an answer around it, perhaps after its code.
	numberAlone = regexp.MustCompile(`(?:\b([0-9A-Fa-f]{4})[ \t]{0,2}[/,: \t][ \t]{0,2})?\b(0[xX])?([0-9A-Fa-f]{8})\b`)
	codeAlone   = regexp.MustCompile(`^(?:0[xX])?([0-9A-Fa-f]{4})$`)
	// aboutErrors are words before a number that make it an error and not a size, an
	// address or a serial number.
	aboutErrors = regexp.MustCompile(`(?i)\b(?:err\w*|code|status|dynamic|refus\w*|answer\w*|repl\w+|says?|said|gets?|got|getting|fail\w*|with|still|always|minor|major)\b[^\w=]{1,4}(?:(?:with|a|an|the|code|number|is|was|me|[0-9A-Fa-f]{4})\b[^\w=]{1,4}){0,3}$`)
	// fileInLog is the file that a tool was at, as Flashtool and others log it.
	fileInLog = regexp.MustCompile(`(?i)\b(?:processing|flashing|sending)(?: of)? '?([\w.+-]{1,80}\.sinb?)\b`)
)

// findReplies finds what could be answers of phones, in the order of the text.
func findReplies(text string, lines []line) []reply {
	whole := strings.TrimSpace(text)
	if m := codeAlone.FindStringSubmatch(whole); m != nil {
		return []reply{{said: whole, code: strings.ToUpper(m[1]), bare: true}}
	}
	found := pairReplies(text)
	only := single(lines)
	for i := range lines {
		if len(found) > maxReplies {
			break
		}
		found = append(found, lines[i].replies(found, &lines[i] == only)...)
	}
	slices.SortStableFunc(found, func(a, b reply) int { return a.at - b.at })
	nameFiles(text, found)
	open := saysOpen.MatchString(text)
	for i := range found {
		if found[i].fastboot {
			found[i].context = contextOf(text[:found[i].at], open)
		}
	}
	return found
}

// replies finds answers in a line that are not in the grammar of pairs. taken are the
// answers found so far; alone says that nothing else was pasted.
func (l *line) replies(taken []reply, alone bool) (found []reply) {
	free := func(m []int) bool {
		return !slices.ContainsFunc(taken, func(r reply) bool { return l.at+m[0] < r.end && r.at < l.at+m[1] })
	}
	whole := []int{0, len(l.raw)}
	if said := l.bootLoader(alone); len(said) > 0 {
		for _, r := range said {
			if free([]int{r.at, r.end}) {
				r.at, r.end = l.at, l.at+len(l.raw)
				found = append(found, r)
			}
		}
		return found
	}
	for _, m := range namePair.FindAllStringIndex(l.raw, maxFound) {
		if _, _, ok := readStatus(l.raw[m[0]:m[1]]); ok && free(m) {
			found = append(found, reply{at: l.at + m[0], end: l.at + m[1], said: l.raw[m[0]:m[1]], dynamic: l.raw[m[0]:m[1]], bare: true})
		}
	}
	for _, m := range numberAlone.FindAllStringSubmatchIndex(l.raw, maxFound) {
		if r, ok := l.number(m, alone); ok && free(m) {
			found = append(found, r)
		}
	}
	if len(found) == 0 && !l.quiet && free(whole) {
		if r, ok := textAlone(l.raw); ok {
			r.at, r.end = l.at, l.at+len(l.raw)
			found = append(found, r)
		}
	}
	return found
}

// number reads a number that is in a line without an answer around it. It counts when
// it is all there is, when its code is before it, or when the words before it are about
// an error, and when its group is known. Numbers of Windows have the same form.
func (l *line) number(m []int, alone bool) (reply, bool) {
	s := hexStatus(l.raw[m[6]:m[7]])
	prefixed := m[4] >= 0
	asked := alone && strings.TrimSpace(l.raw) == l.raw[m[0]:m[1]]
	code := ""
	if m[2] >= 0 && book().one("code", strings.ToUpper(l.raw[m[2]:m[3]])) != nil {
		code = strings.ToUpper(l.raw[m[2]:m[3]])
	}
	about := func() bool {
		return code != "" || aboutErrors.MatchString(l.raw[:m[0]]) || strings.TrimPrefix(l.folded, "0x") == strings.ToLower(l.raw[m[6]:m[7]]) || l.starting(len(l.folded)-len(fold(l.raw[m[6]:])))
	}
	switch {
	case wholePart.MatchString(l.raw[:m[0]]) || fraction.MatchString(l.raw[m[7]:]):
		return reply{}, false
	case prefixed && windowsGroup[uint32(s)>>16] && !(asked && plausible(s, false)):
		return reply{}, false
	case !asked && (l.quiet || !plausible(s, prefixed) || !about()), keyBefore.MatchString(l.raw[:m[0]]):
		return reply{}, false
	}
	r := reply{at: l.at + m[0], end: l.at + m[1], said: l.raw[m[0]:m[1]], dynamic: s.String(), code: code, bare: true}
	if m[2] >= 0 && code == "" {
		r.at, r.said = l.at+m[6], l.raw[m[6]:m[7]]
	}
	return r, true
}

// wholePart and fraction are the other half of a decimal number, such as a time of the kernel.
var (
	wholePart = regexp.MustCompile(`\d[.,]$`)
	fraction  = regexp.MustCompile(`^[.,]\d`)
)

// windowsGroup are the upper halves of Windows' numbers (HRESULT) that people meet while
// they install drivers and run the maker's programs.
var windowsGroup = map[uint32]bool{0x8000: true, 0x8007: true, 0x8009: true, 0x800B: true, 0x800F: true}

// keyBefore is a name whose value follows: an identity, an address, a size.
var keyBefore = regexp.MustCompile(`(?i)(?:serial\w*|device id|phone id|idcode\w*|\w+_root\w*|offset|addr\w*|base|length|size|platform id|unit|crc\w*|hash|uid|imei)\b[ \t]*(?:no\.?|number)?[ \t]*[:=]?[ \t]*["'(\[]?(?:0x)?$`)

// plausible reports whether a number in a line of anything is a status and not a size or
// a date: both halves are on the lists, or it is written with 0x and its group is.
func plausible(s status, prefixed bool) bool {
	return s.wellFormed() && book().one("facility", s.facility()) != nil &&
		(prefixed || book().one("error", s.number()) != nil || book().one("dynamic", s.String()) != nil)
}

// textAlone recognises a line that is nothing but a text of phones of 2010 to 2012, after
// the time and level of a log at most.
func textAlone(line string) (reply, bool) {
	text := strings.TrimSpace(line)
	if len(text) > maxValue {
		return reply{}, false
	}
	if i := strings.LastIndex(text, " - "); i >= 0 && book().all("text", strings.ToLower(text)) == nil && len(book().unambiguous(text)) == 0 {
		text = strings.TrimSpace(text[i+3:])
	}
	// One word is too little to say that a phone speaks.
	if !strings.Contains(text, " ") {
		return reply{}, false
	}
	if rows := book().all("text", strings.ToLower(text)); len(rows) == 1 {
		class, static, _ := strings.Cut(rows[0].code, "/")
		return reply{said: text, class: class, static: static, dynamic: text, bare: true}, true
	}
	if rows := book().unambiguous(text); len(rows) > 0 {
		return reply{said: text, code: rows[0].code, dynamic: text, bare: true}, true
	}
	return reply{}, false
}

// nameFiles notes for each answer which file the log was at.
func nameFiles(text string, found []reply) {
	files := fileInLog.FindAllStringSubmatchIndex(text, maxReplies)
	next, name := 0, ""
	for i := range found {
		for next < len(files) && files[next][0] < found[i].at {
			name = text[files[next][2]:files[next][3]]
			next++
		}
		found[i].what = name
	}
}
