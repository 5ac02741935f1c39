package explain

import "strings"

// explain looks an answer up by the grammar of its generation (ERRORS.md §1.2).
func (r reply) explain() Explanation {
	e := Explanation{Source: FromPhone, limited: r.limited(), PhoneSpoke: true, IfSaid: r.bare && !r.fastboot, Said: r.said, Severity: r.severity, Code: r.code, Dynamic: strings.TrimSpace(r.dynamic)}
	switch {
	case r.fastboot:
		e.fill(book().bootLoader(r.dynamic))
		e.inContext(r.context)
	case r.class != "" || r.static != "":
		e.Generation = "A"
		e.Code = strings.Trim(r.class+"/"+r.static, "/")
		e.fill(book().answerOf2010(r))
	default:
		e.explainCode(r)
	}
	e.Said, e.Dynamic = printable(e.Said, maxSaid), printable(e.Dynamic, maxSaid)
	e.Severity, e.Code = printable(e.Severity, maxWord), printable(e.Code, maxWord)
	return e
}

// explainCode explains the answers of 2012 and later, which have a code.
func (e *Explanation) explainCode(r reply) {
	s, generation, isNumber := readStatus(r.dynamic)
	code := book().one("code", strings.ToUpper(r.code))
	e.Generation = generation
	if !isNumber {
		e.fill(book().answerOf2012(r, &e.Generation))
		e.fatal()
		return
	}
	if s != 0 {
		e.Dynamic, e.Names = s.String(), book().names(s)
	}
	switch {
	case s == 0 && code == nil && strings.TrimSpace(r.dynamic) == "" && book().all(codeOf2012, strings.ToUpper(r.code)) != nil:
		e.fill(book().answerOf2012(r, &e.Generation))
	case s == 0 && code != nil:
		e.fill(*code, code.code != "0017")
	case s == 0:
		e.fill(entry{action: "REPORT", confidence: Unknown, meaning: "This is an unknown code: no known loader answers with it."}, false)
	case r.code == "" || code == nil || code.code == "0017":
		e.fill(book().status(s))
		if r.code != "" && code == nil {
			e.Meaning += " The code " + printable(r.code, maxWord) + " next to it is unknown."
		}
	case code.code == "0076":
		// The only other code whose number says more than the code (ERRORS.md §2.1).
		e.fill(book().status(s))
		e.Meaning = code.meaning + " The reason: " + lowerFirst(e.Meaning)
	default:
		e.fill(*code, true)
	}
	e.fatal()
}

// fatal tells what a MAJOR error does to the session (ERRORS.md §1.4).
func (e *Explanation) fatal() {
	if strings.EqualFold(e.Severity, "MAJOR") {
		e.Meaning += " The error is fatal (MAJOR): the loader accepts nothing more until the phone is restarted."
	}
}

// fill takes over what a row says.
func (e *Explanation) fill(row entry, known bool) {
	e.Meaning, e.Confidence, e.Action, e.Known = row.meaning, row.confidence, row.action, known
	if e.Action == "-" || e.Action == "" {
		e.Action = "REPORT"
	}
	row.action = e.Action
	e.Next = book().advice(&row)
}

// textsOf2013 are the texts that generation C has beside a code (ERRORS.md §0).
var textsOf2013 = map[string]bool{"invalid ta": true, "open ta failed": true, "unexpected parameter": true, "wrong parameters": true,
	"flush ta failed": true, "close ta failed": true, "format ta failed": true, "unsupported version": true, "not authenticated": true,
	"read ta failed": true, "allocation error": true, "write ta failed.": true}

// answerOf2012 looks up an answer with a code and an English text. Phones of 2013 have a
// few such texts too; there the code decides.
func (c *catalogue) answerOf2012(r reply, generation *string) (entry, bool) {
	text, code := strings.TrimSpace(r.dynamic), strings.ToUpper(r.code)
	rows := c.all(codeOf2012, code)
	if code == "" {
		rows = c.unambiguous(text)
	}
	var found *entry
	for _, e := range rows {
		switch {
		case !e.says(text):
		case found == nil, found.pattern != nil && e.pattern == nil, // an exact text is better than one with places for numbers
			(found.pattern == nil) == (e.pattern == nil) && found.severity != r.severity && e.severity == r.severity:
			found = e
		}
	}
	if found != nil {
		*generation = "B"
		e := *found
		return e, e.confidence != Low
	}
	if e := c.one("code", code); e != nil && code != "0017" {
		if *generation = ""; textsOf2013[strings.ToLower(text)] {
			*generation = "C"
		}
		return *e, true // these codes mean the same from 2012 to 2016 (ERRORS.md §2.3)
	}
	unknown := entry{action: "REPORT", confidence: Unknown, meaning: "This answer is on no known list. Only its own words say what failed."}
	if len(rows) > 0 {
		*generation = "B"
		unknown.meaning = "This text is on no known list. Its code stands for: " + rows[0].name + ". We do not know the exact cause."
		if code == "0017" {
			unknown.meaning = "This text is on no known list, and its code stands for failures of any kind. Only its own words say what failed."
		}
	}
	return unknown, false
}

// unambiguous are the rows of 2012 with a text, when they agree in what it means and what
// to do about it: without the code a text alone must not be guessed at.
func (c *catalogue) unambiguous(text string) (rows []*entry) {
	rows = c.all(textOf2012, strings.ToLower(text))
	if len(rows) == 0 {
		for _, e := range c.patterns {
			if e.says(text) {
				rows = append(rows, e)
			}
		}
	}
	for _, e := range rows {
		if e.meaning != rows[0].meaning || e.action != rows[0].action {
			return nil
		}
	}
	return rows
}

// answerOf2010 looks up an answer of class, static word and English text.
func (c *catalogue) answerOf2010(r reply) (entry, bool) {
	class, static := strings.ToUpper(r.class), strings.ToUpper(r.static)
	var found *entry
	for _, e := range c.all("text", strings.ToLower(strings.TrimSpace(r.dynamic))) {
		rowClass, rowStatic, _ := strings.Cut(e.code, "/")
		if (class == "" || class == rowClass) && (static == "" || static == rowStatic) &&
			(found == nil || found.severity != r.severity && e.severity == r.severity) {
			found = e
		}
	}
	if found != nil {
		return *found, true
	}
	if e := c.one("static", static); e != nil {
		return *e, true
	}
	unknown := entry{action: "REPORT", confidence: Unknown, meaning: "This answer is on no known list. Only its own words say what failed."}
	if e := c.one("class", class); e != nil {
		unknown.meaning = "This answer is on no known list. By its class it concerns " + e.meaning + ". We do not know the exact cause."
	}
	return unknown, false
}
