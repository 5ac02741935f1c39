package explain

import (
	"regexp"
	"slices"
	"strings"
)

// maxReplies bounds how many answers are looked at, repeated ones among them.
const maxReplies = 2000

var (
	// namePair is a status in the vendor's names outside of an answer.
	namePair = regexp.MustCompile(`\b(?:FAC_[A-Z0-9_]{2,40}|0x[0-9A-Fa-f]{4}) [-/] (?:[A-Z][A-Z0-9_]{2,40}|0x[0-9A-Fa-f]{4})\b`)
	// numberAlone is a status without an answer around it, perhaps behind its code.
	numberAlone = regexp.MustCompile(`(?:\b([0-9A-Fa-f]{4})[ \t]{0,2}[/,: \t][ \t]{0,2})?\b(0[xX])?([0-9A-Fa-f]{8})\b`)
	codeAlone   = regexp.MustCompile(`^(?:0[xX])?([0-9A-Fa-f]{4})$`)
	// bootLoaderSays is an answer in fastboot or in the flash mode of 2017 and later; for
	// the latter the text follows FAIL without a blank.
	bootLoaderSays = regexp.MustCompile(`(?:\(remote: ?|^remote: ?|^FAIL(?:ED)? ?\(?remote: ?)['"]?([^\r\n]{1,300})|^(FAIL[A-Za-z0-9][^\r\n]{1,300})`)
	// fileInLog is the file that a tool was at, as Flashtool and others log it.
	fileInLog = regexp.MustCompile(`(?i)\b(?:processing|flashing|sending)(?: of)? '?([\w.+-]{1,80}\.sinb?)\b`)
)

// findReplies finds what could be answers of phones, in the order of the text.
func findReplies(text string) []reply {
	whole := strings.TrimSpace(text)
	if m := codeAlone.FindStringSubmatch(whole); m != nil {
		return []reply{{said: whole, code: strings.ToUpper(m[1])}}
	}
	found := pairReplies(text)
	at := 0
	for line := range strings.Lines(text) {
		if len(found) > maxReplies {
			break
		}
		found = append(found, lineReplies(line, at, found, strings.TrimSpace(line) == whole)...)
		at += len(line)
	}
	slices.SortStableFunc(found, func(a, b reply) int { return a.at - b.at })
	nameFiles(text, found)
	return found
}

// lineReplies finds answers in a line that are not in the grammar of pairs. taken are the
// answers found so far; alone says that the line is the whole text.
func lineReplies(line string, at int, taken []reply, alone bool) (found []reply) {
	free := func(m []int) bool {
		return !slices.ContainsFunc(taken, func(r reply) bool { return at+m[0] < r.end && r.at < at+m[1] })
	}
	whole := []int{0, len(line)}
	if text := bootLoaderText(line); text != "" {
		if free(whole) {
			found = append(found, reply{at: at, end: at + len(line), said: line, dynamic: text, fastboot: true})
		}
		return found
	}
	for _, m := range namePair.FindAllStringIndex(line, maxFound) {
		if _, _, ok := readStatus(line[m[0]:m[1]]); ok && free(m) {
			found = append(found, reply{at: at + m[0], end: at + m[1], said: line[m[0]:m[1]], dynamic: line[m[0]:m[1]]})
		}
	}
	for _, m := range numberAlone.FindAllStringSubmatchIndex(line, maxFound) {
		s := hexStatus(line[m[6]:m[7]])
		asked := alone && strings.TrimSpace(line) == line[m[0]:m[1]]
		if !asked && !plausible(s, m[4] >= 0) || !free(m) {
			continue
		}
		r := reply{at: at + m[0], end: at + m[1], said: line[m[0]:m[1]], dynamic: s.String()}
		if m[2] >= 0 {
			code := strings.ToUpper(line[m[2]:m[3]])
			if book().codes[code] != nil {
				r.code = code
			} else {
				r.at, r.said = at+m[6], line[m[6]:m[7]]
			}
		}
		found = append(found, r)
	}
	if len(found) == 0 && free(whole) {
		if r, ok := textAlone(line); ok {
			r.at, r.end = at, at+len(line)
			found = append(found, r)
		}
	}
	return found
}

// plausible reports whether a number in a line of anything is a status and not a size or
// a date: both halves are on the lists, or it is written with 0x and its group is.
func plausible(s status, prefixed bool) bool {
	return s.wellFormed() && book().parts[s.facility()] != nil &&
		(prefixed || book().errors[s.number()] != nil || book().dynamics[s.String()] != nil)
}

// textAlone recognises a line that is nothing but a text of phones of 2010 to 2012, behind
// the time and level of a log at most.
func textAlone(line string) (reply, bool) {
	text := strings.TrimSpace(line)
	// One word is too little to say that a phone speaks.
	if len(text) > maxValue || !strings.Contains(text, " ") {
		return reply{}, false
	}
	if i := strings.LastIndex(text, " - "); i >= 0 && book().of2010[strings.ToLower(text)] == nil && len(book().unambiguous(text)) == 0 {
		text = strings.TrimSpace(text[i+3:])
	}
	if rows := book().of2010[strings.ToLower(text)]; len(rows) == 1 {
		class, static, _ := strings.Cut(rows[0].code, "/")
		return reply{said: text, class: class, static: static, dynamic: text}, true
	}
	if rows := book().unambiguous(text); len(rows) > 0 {
		return reply{said: text, code: rows[0].code, dynamic: text}, true
	}
	return reply{}, false
}

// bootLoaderText is the text of an answer in fastboot or in the flash mode of 2017 and
// later: the one of the catalogue, or the phone's own words when it is not there.
func bootLoaderText(line string) string {
	line = strings.TrimSpace(line)
	if strings.HasPrefix(line, "FAILURE") || strings.HasPrefix(line, "FAILS") {
		return ""
	}
	said := ""
	if m := bootLoaderSays.FindStringSubmatch(line); m != nil {
		said = strings.Trim(m[1]+m[2], `'") `)
	}
	small, best, length := strings.ToLower(line), "", 0
	for _, e := range book().fastboot {
		text := strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(e.dynamic, "FAIL"), "..."))
		switch {
		case strings.HasPrefix(e.dynamic, "Read-TA"):
			if strings.Contains(small, "read-ta") && strings.Contains(small, "error=-22") {
				return e.dynamic
			}
		case !strings.Contains(small, text) || len(text) < length:
		case said != "" || small == text || len(text) >= 25: // short ones are words of any log
			best, length = e.dynamic, len(text)
		}
	}
	if best == "" {
		return said
	}
	return best
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
