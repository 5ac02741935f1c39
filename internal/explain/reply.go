package explain

import (
	"regexp"
	"strconv"
	"strings"
)

// reply is one answer as it was found in a text.
type reply struct {
	said                          string
	severity, code, class, static string
	dynamic                       string
	fastboot                      bool
}

// pair is KEY="value"; values have no escapes, so a value ends at '";' or at a quotation
// mark before anything else than text (error-codes.md §1.1).
var pair = regexp.MustCompile(`ERR_(SEVERITY|CODE|CLASS|STATIC|DYNAMIC)="([^"\x00-\x1f]{0,400})"?;?`)

// statusAlone is a status number without the text around it.
var statusAlone = regexp.MustCompile(`\b(?:0[xX])?(8[0-9A-Fa-f]{7})\b`)

// fastbootFail is what a fastboot client or a newer phone says.
var fastbootFail = regexp.MustCompile(`(?im)(?:FAILED \(remote: ?'?|^FAIL|\bremote: ?'?|\bFAIL:? )([^\r\n]{1,300})`)

// findReplies finds what could be answers of phones, in the order of the text.
func findReplies(text string) []reply {
	var found []reply
	var r reply
	flush := func() {
		if r != (reply{}) {
			r.said = mask(r.said)
			found = append(found, r)
		}
		r = reply{}
	}
	end := 0
	for _, m := range pair.FindAllStringSubmatchIndex(text, -1) {
		key, value := text[m[2]:m[3]], text[m[4]:m[5]]
		field := map[string]*string{"SEVERITY": &r.severity, "CODE": &r.code, "CLASS": &r.class, "STATIC": &r.static, "DYNAMIC": &r.dynamic}[key]
		// A severity, a key for the second time, or text in between begin a new answer.
		if key == "SEVERITY" || *field != "" || m[0]-end > 2 {
			flush()
			field = map[string]*string{"SEVERITY": &r.severity, "CODE": &r.code, "CLASS": &r.class, "STATIC": &r.static, "DYNAMIC": &r.dynamic}[key]
		}
		*field = value
		r.said += text[m[0]:m[1]]
		end = m[1]
	}
	flush()
	if len(found) > 0 {
		return found
	}
	for _, line := range strings.Split(text, "\n") {
		if b := book().fastbootText(line); b != "" {
			found = append(found, reply{said: mask(clean(line)), dynamic: b, fastboot: true})
		} else if m := fastbootFail.FindStringSubmatch(line); m != nil {
			found = append(found, reply{said: mask(clean(line)), dynamic: strings.Trim(m[1], "') "), fastboot: true})
		} else {
			for _, m := range statusAlone.FindAllStringSubmatch(line, maxFound) {
				found = append(found, reply{said: m[0], code: "0017", dynamic: strings.ToUpper(m[1])})
			}
			if name := book().named(line); name != "" && len(found) == 0 {
				found = append(found, reply{said: mask(clean(line)), code: "0017", dynamic: name})
			}
		}
		if len(found) > 0 && len(found) >= maxFound {
			break
		}
	}
	return found
}

// Status is the 32-bit number of generations C to E: the part of the phone in bits 16 to
// 26, its error in bits 0 to 15 (error-codes.md §1.3).
type status uint32

func (s status) String() string { return strings.ToUpper(pad(strconv.FormatUint(uint64(s), 16), 8)) }
func (s status) facility() string {
	return strings.ToUpper(pad(strconv.FormatUint(uint64(s>>16&0x7FF), 16), 2))
}
func (s status) number() string {
	return strings.ToUpper(pad(strconv.FormatUint(uint64(s&0xFFFF), 16), 4))
}

func pad(s string, n int) string {
	return strings.Repeat("0", max(n-len(s), 0)) + s
}

var (
	plainStatus    = regexp.MustCompile(`^[0-9A-Fa-f]{8}$`)
	prefixedStatus = regexp.MustCompile(`^0[xX]([0-9A-Fa-f]{8})(?: .*)?$`)
	namedStatus    = regexp.MustCompile(`^(\w+) - (\w+)$`)
)

// status reads the number out of ERR_DYNAMIC, in the forms of generations C, D and E.
func (r reply) status() (s status, generation string, ok bool) {
	text := strings.TrimRight(r.dynamic, "\x00")
	if text == "" {
		return 0, "E", true
	}
	if plainStatus.MatchString(text) {
		n, _ := strconv.ParseUint(text, 16, 32) // the pattern allows nothing else
		return status(n), "E", true
	}
	if m := prefixedStatus.FindStringSubmatch(strings.TrimSpace(text) + " "); m != nil {
		n, _ := strconv.ParseUint(m[1], 16, 32)
		return status(n), "C", true
	}
	if m := namedStatus.FindStringSubmatch(strings.TrimSpace(text)); m != nil {
		facility, ok1 := book().number("facility", m[1])
		number, ok2 := book().number("error", m[2])
		if ok1 && ok2 {
			if facility == 0 && number == 0 {
				return 0, "D", true
			}
			return status(0x80000000 | facility<<16 | number), "D", true
		}
	}
	return 0, "C", false
}

// secret finds values that identify one phone.
var secret = regexp.MustCompile(`((?:IMEI|PHONE_ID|UNIQUE_DEV_ID|MSN)\w*=")([^"]*)`)

// mask hides what identifies a phone, and control characters.
func mask(s string) string {
	return secret.ReplaceAllStringFunc(clean(s), func(m string) string {
		key, value, _ := strings.Cut(m, `"`)
		return key + `"` + strings.Map(func(r rune) rune {
			if r == ':' || r == ',' {
				return r
			}
			return 'x'
		}, value)
	})
}

// clean makes a text fit for one line of a terminal.
func clean(s string) string {
	s = strings.TrimSpace(s)
	if r := []rune(s); len(r) > 400 {
		s = string(r[:400]) + "…"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7F || r >= 0x80 && r < 0xA0 || r == '\uFFFD' {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}
