package ftf

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Limits of a script; real ones have about 40 actions.
const (
	maxActions     = 10000
	maxActionLine  = 4096 // bytes
	maxScriptNotes = 50
)

// Verb is what a line of a flash script does.
type Verb int

// Verbs of the S1 generation, with what Parameter means; the others are told apart
// only by Name.
const (
	Unknown           Verb = iota
	OpenTA                 // Number: trim-area partition
	CloseTA                //
	SetFlashState          // Number: value of unit 10100
	SetFlashTimestamp      //
	SetLoaderConfig        // Bytes: payload of command 25
	UploadImage            // Parameter: short name
	WriteTA                // Number: unit
	EndFlashing            //
	Ignored                // reads and questions, without effect on the phone
	NewerProtocol          // word of the 2017 command protocol, no S1 phone has it
)

type actionWord struct {
	name string
	verb Verb
}

// words are all known action words (FORMAT.md §4, §4.1).
var words = []actionWord{
	{"openTA", OpenTA}, {"closeTA", CloseTA}, {"setFlashState", SetFlashState},
	{"setFlashTimestamp", SetFlashTimestamp}, {"setLoaderConfig", SetLoaderConfig},
	{"uploadImage", UploadImage}, {"writeTA", WriteTA}, {"End flashing", EndFlashing},
	{"readTA", Ignored}, {"getLoaderInfos", Ignored}, {"Get Error", Ignored},
	{"flash", NewerProtocol}, {"Repartition", NewerProtocol}, {"Write-TA", NewerProtocol}, {"Read-TA", NewerProtocol},
	{"set_active", NewerProtocol}, {"getvar", NewerProtocol}, {"Get-root-key-hash", NewerProtocol},
	{"Get-ufs-info", NewerProtocol}, {"Get-emmc-info", NewerProtocol}, {"Get-gpt-info", NewerProtocol},
	{"Getlog", NewerProtocol}, {"Sync", NewerProtocol}, {"powerdown", NewerProtocol},
}

// Action is one step of a flash script.
type Action struct {
	Verb      Verb
	Name      string // the action word as written
	Parameter string // everything after the first colon
	Number    uint32 // of verbs that have one
	Bytes     []byte // of SetLoaderConfig
	Line      int
}

// String returns the action as a line of a script.
func (a Action) String() string {
	if a.Parameter == "" {
		return a.Name
	}
	return a.Name + ":" + a.Parameter
}

// Script is a flash script (.fsc): the order in which Flashtool would do things.
// It is evidence to compare with, not a program to run blindly.
type Script struct {
	Actions []Action
	Notes   []Note // malformed lines and unknown actions, with their line numbers
}

// ParseScript reads a .fsc file. Scripts come from captures of other tools and
// have faults, so lines are read tolerantly: the colon may be missing, case does
// not matter, two actions on one line ("End flashingsetLoaderConfig:00 01") count
// as two. A line it cannot read is kept with Verb Unknown and noted. Only a text
// that is too large or no text at all gives an error.
func ParseScript(r io.Reader) (*Script, error) {
	data, err := readText(r)
	if err != nil {
		return nil, err
	}
	if i := bytes.IndexByte(data, 0); i >= 0 {
		return nil, failLine(BadText, 1+bytes.Count(data[:i], []byte("\n")), 0, "a NUL byte, so this is not a script")
	}
	s := &Script{}
	text := strings.TrimPrefix(strings.ToValidUTF8(string(data), "\uFFFD"), "\ufeff")
	for i, line := range strings.Split(text, "\n") {
		if len(line) > maxActionLine {
			s.note(i+1, "%d bytes long, left out", len(line))
			continue
		}
		for line = strings.TrimSpace(plainBlanks(line)); line != ""; {
			var one string
			one, line = cutAction(line)
			if line != "" {
				s.note(i+1, "two actions on one line are read as two: %.40q and %.40q", one, line)
			}
			if len(s.Actions) >= maxActions {
				return nil, failLine(TooLarge, i+1, 0, "more than %d actions", maxActions)
			}
			s.add(i+1, one)
		}
	}
	return s, nil
}

// IsScript reports whether a text starts like a flash script: of its first lines most have
// a known action word, and the first one does.
func IsScript(head []byte) bool {
	known, lines := 0, 0
	for line := range strings.SplitSeq(strings.TrimPrefix(string(head), "\ufeff"), "\n") {
		if line = strings.TrimSpace(plainBlanks(line)); line == "" {
			continue
		}
		word, _, colon := strings.Cut(line, ":")
		at := slices.IndexFunc(words, func(w actionWord) bool { return strings.EqualFold(w.name, strings.TrimSpace(word)) })
		if at >= 0 && (colon || lines > 0 || len(words[at].name) > 5) {
			known++
		}
		if lines++; known == 0 || lines == 16 {
			break
		}
	}
	return known*2 > lines
}

// plainBlanks makes every kind of blank a space, and takes those before a colon
// away: they do not belong to an action's name.
func plainBlanks(line string) string {
	line = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		return r
	}, line)
	return blanksBeforeColon.ReplaceAllString(line, ":")
}

var blanksBeforeColon = regexp.MustCompile(` +:`)

func (s *Script) note(line int, format string, args ...any) {
	switch n := len(s.Notes); {
	case n < maxScriptNotes:
		s.Notes = append(s.Notes, Note{Text: fmt.Sprintf("line %d: ", line) + fmt.Sprintf(format, args...)})
	case n == maxScriptNotes:
		s.Notes = append(s.Notes, Note{Text: fmt.Sprintf("line %d: more malformed lines from here on", line)})
	}
}

// cutAction splits a line before the first action word that is where no
// action word should. Only words of the S1 generation are looked for: the newer
// ones (flash, Sync) are too short to distinguish from names.
func cutAction(line string) (first, rest string) {
	cut := len(line)
	lower := lowerASCII(line)
	for _, w := range words {
		if w.verb == NewerProtocol {
			continue
		}
		word := lowerASCII(w.name)
		// Words with a parameter need their colon, else "uploadImage:opentable"
		// would be cut in two.
		if w.verb != EndFlashing {
			word += ":"
		}
		if i := strings.Index(lower[1:], word); i >= 0 && i+1 < cut {
			cut = i + 1
		}
	}
	return strings.TrimSpace(line[:cut]), strings.TrimSpace(line[cut:])
}

// lowerASCII keeps all offsets, which strings.ToLower does not.
func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

func (s *Script) add(line int, text string) {
	name, parameter, _ := strings.Cut(text, ":")
	a := Action{Name: strings.TrimSpace(name), Parameter: strings.TrimSpace(parameter), Line: line}
	for _, w := range words {
		if strings.EqualFold(w.name, a.Name) {
			a.Verb = w.verb
		}
	}
	problem := ""
	switch a.Verb {
	case Unknown:
		problem = "unknown action"
	case OpenTA, SetFlashState, WriteTA:
		n, err := strconv.ParseUint(a.Parameter, 10, 32)
		if err != nil {
			problem = "the parameter should be a number"
		}
		a.Number = uint32(n)
	case UploadImage:
		if a.Parameter == "" {
			problem = "the name of the image is missing"
		}
	case SetLoaderConfig:
		for _, field := range strings.FieldsFunc(a.Parameter, func(r rune) bool { return r == ' ' || r == ',' || r == '\t' }) {
			b, err := strconv.ParseUint(field, 16, 8)
			if err != nil {
				problem = "the parameter should be hex bytes"
			}
			a.Bytes = append(a.Bytes, byte(b))
		}
		if len(a.Bytes) == 0 {
			problem = "the parameter should be hex bytes"
		}
	case CloseTA, SetFlashTimestamp, EndFlashing:
		if a.Parameter != "" {
			problem = "there should be no parameter"
		}
	}
	if problem != "" {
		if a.Verb != CloseTA && a.Verb != SetFlashTimestamp && a.Verb != EndFlashing {
			a.Verb, a.Number, a.Bytes = Unknown, 0, nil
		}
		s.note(line, "%.60q: %s", text, problem)
	}
	s.Actions = append(s.Actions, a)
}
