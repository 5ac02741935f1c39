package ftf

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	manifestName = "META-INF/MANIFEST.MF"
	// maxText is the most a member may unpack to that is read as text: manifest,
	// .ta, .fsc and .xml. Real ones are below 100 KiB.
	maxText = 4 << 20
	// manifestLine is the longest line of a manifest in bytes without its end.
	manifestLine = 72
)

// Attribute is a name and its value.
type Attribute struct{ Name, Value string }

// Manifest says what a bundle is: the main section of META-INF/MANIFEST.MF
// (FORMAT.md §2). Old bundles lack CDA, Revision and NoErase.
type Manifest struct {
	Device   string // model, e.g. D5803
	Version  string // firmware, e.g. 23.5.A.1.291
	Branding string // operator or region in words
	CDA      string // customization id, e.g. 1272-3750
	Revision string // of the customization, e.g. R6C
	// Cmd25 says that Flashtool would send command 25 first, which switches the
	// phone's final verification off. A wish of whoever packed the bundle.
	Cmd25 bool
	// NoErase are categories (upper-case short names) to leave alone unless asked.
	NoErase []string
	// Other are all other attributes of the main section in their order.
	Other []Attribute
	// From is the file these facts come from, empty when there was none.
	From string
}

// defaultNoErase is what Flashtool leaves alone when a manifest has no list
// (usbproto/s1/PROTOCOL.md §4.9).
var defaultNoErase = []string{"APPS_LOG", "USERDATA", "SSD", "DIAG", "B2B"}

// KeptCategories returns the categories to leave alone unless asked: those of the
// manifest, else Flashtool's five.
func (m Manifest) KeptCategories() []string {
	if len(m.NoErase) > 0 {
		return slices.Clone(m.NoErase)
	}
	return slices.Clone(defaultNoErase)
}

// ParseManifest reads a manifest: lines end in CRLF, LF or CR, a line that starts
// with a blank continues the one before, names are found in any case, the main
// section ends at the first empty line. Errors are *Error with the line.
func ParseManifest(r io.Reader) (Manifest, error) {
	var m Manifest
	data, err := readText(r)
	if err != nil {
		return m, err
	}
	seen := map[string]string{}
	for _, l := range unfold(data) {
		name, value, ok := strings.Cut(l.text, ":")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if !ok || name == "" {
			return m, failLine(BadText, l.number, 0, "%.60q is no “name: value”", l.text)
		}
		if strings.ContainsFunc(name+value, isControl) {
			return m, failLine(BadText, l.number, 0, "a control character in %.60q", l.text)
		}
		key := strings.ToLower(name)
		if before, dup := seen[key]; dup {
			if before != value {
				return m, failLine(Duplicate, l.number, 0, "%s is given twice: %q and %q", name, before, value)
			}
			continue
		}
		seen[key] = value
		m.set(key, name, value)
	}
	return m, nil
}

func (m *Manifest) set(key, name, value string) {
	switch key {
	case "device":
		m.Device = value
	case "version":
		m.Version = value
	case "branding":
		m.Branding = value
	case "cda":
		m.CDA = value
	case "revision":
		m.Revision = value
	case "cmd25":
		m.Cmd25 = strings.EqualFold(value, "true")
	case "noerase":
		m.NoErase = parseNoErase(value)
	default:
		m.Other = append(m.Other, Attribute{name, value})
	}
}

// parseNoErase reads a noerase list. When it is not all upper-case its entries
// are file names (FORMAT.md §2).
func parseNoErase(list string) []string {
	return categories(strings.Split(list, ","), list != strings.ToUpper(list))
}

// categories returns each category once; file names are shortened first.
func categories(list []string, files bool) []string {
	var out []string
	seen := map[string]bool{}
	for _, item := range list {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		if files {
			item = strings.TrimSpace(ShortName(item))
		}
		if item = strings.ToUpper(item); item != "" && !seen[item] {
			seen[item] = true
			out = append(out, item)
		}
	}
	return out
}

type textLine struct {
	number int // of its first line, from 1
	text   string
}

// unfold returns the main section's lines with continuations joined. Bytes are
// joined before they are read as UTF-8, because folding may split a letter.
func unfold(data []byte) []textLine {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
	data = bytes.ReplaceAll(data, []byte("\r"), []byte("\n"))
	var out []textLine
	for i, line := range strings.Split(string(data), "\n") {
		switch {
		case strings.HasPrefix(line, " ") && len(out) > 0:
			out[len(out)-1].text += line[1:]
		case line == "" && len(out) > 0:
			return valid(out)
		case line != "":
			out = append(out, textLine{i + 1, line})
		}
	}
	return valid(out)
}

func valid(lines []textLine) []textLine {
	for i := range lines {
		lines[i].text = strings.ToValidUTF8(lines[i].text, "\uFFFD")
	}
	return lines
}

// Encode returns the manifest as Flashtool writes it: CRLF, lines of at most 72
// bytes. The result depends on the fields only. An empty NoErase makes Flashtool erase
// the data of the phone; see KeptCategories.
func (m Manifest) Encode() ([]byte, error) {
	all := []Attribute{{"Manifest-Version", "1.0"}, {"Created-By", "xflash"}}
	var rest []Attribute
	for _, a := range m.Other {
		if i := slices.IndexFunc(all, func(b Attribute) bool { return strings.EqualFold(a.Name, b.Name) }); i >= 0 {
			all[i] = a
		} else {
			rest = append(rest, a)
		}
	}
	all = append(all, Attribute{"device", m.Device}, Attribute{"version", m.Version}, Attribute{"branding", m.Branding},
		Attribute{"cda", m.CDA}, Attribute{"revision", m.Revision}, Attribute{"cmd25", fmt.Sprint(m.Cmd25)},
		Attribute{"noerase", strings.Join(m.NoErase, ",")})
	var b bytes.Buffer
	for _, a := range append(all, rest...) {
		line := a.Name + ": " + a.Value
		if strings.ContainsFunc(line, isControl) || strings.Contains(a.Name, ":") || strings.TrimSpace(a.Name) == "" {
			return nil, fail(BadText, "%.60q cannot be a line of a manifest", line)
		}
		fold(&b, line)
	}
	b.WriteString("\r\n")
	return b.Bytes(), nil
}

// fold writes one attribute, continuing on lines that start with a blank, without
// splitting a letter.
func fold(b *bytes.Buffer, line string) {
	for limit := manifestLine; len(line) > limit; limit = manifestLine - 1 {
		n := limit
		for n > 1 && !utf8.RuneStart(line[n]) {
			n--
		}
		b.WriteString(line[:n] + "\r\n ")
		line = line[n:]
	}
	b.WriteString(line + "\r\n")
}

// FileName returns the name Flashtool would give the bundle:
// device_version_(cda or branding)[_revision].ftf, with characters that a file
// name cannot have replaced, and at most 255 bytes.
func (m Manifest) FileName() string {
	var parts []string
	for _, p := range []string{m.Device, m.Version, cmp.Or(m.CDA, m.Branding), m.Revision} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	name := strings.Map(func(r rune) rune {
		if isControl(r) || strings.ContainsRune("/\\:*?\"<>|", r) {
			return '-'
		}
		return r
	}, strings.Join(parts, "_"))
	if name = strings.TrimLeft(name, ". "); name == "" {
		name = "firmware"
	}
	const ending = ".ftf"
	n := min(len(name), maxName-len(ending))
	for n < len(name) && !utf8.RuneStart(name[n]) {
		n--
	}
	return name[:n] + ending
}

// readText reads a text member whole, refusing one that is too large.
func readText(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxText+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxText {
		e := fail(TooLarge, "more than %d bytes for a text", maxText)
		e.Have, e.Want = int64(len(data)), maxText
		e.Line = bytes.Count(data, []byte("\n")) + 1
		return nil, e
	}
	return data, nil
}
