package ftf

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
)

// Limits of the XML that is read. A boot delivery has depth 4 and some hundred
// elements.
const (
	maxXMLDepth    = 16
	maxXMLElements = 20000
	maxAttributes  = 64 // of one element
)

// element is one XML element with everything a delivery can say.
type element struct {
	name     string
	attrs    []Attribute
	children []*element
	text     strings.Builder // all text directly in it
	line     int
}

// attr returns an attribute's value, empty when it is not there. Names count in
// any case.
func (e *element) attr(name string) string {
	for _, a := range e.attrs {
		if strings.EqualFold(a.Name, name) {
			return a.Value
		}
	}
	return ""
}

// all returns the children of a name, in any case.
func (e *element) all(name string) []*element {
	var out []*element
	for _, c := range e.children {
		if strings.EqualFold(c.name, name) {
			out = append(out, c)
		}
	}
	return out
}

// RootElement reads an XML file to its end and gives the name of its root element.
// Errors are *Error with the line.
func RootElement(r io.Reader) (string, error) {
	root, err := parseXML(r)
	if err != nil {
		return "", err
	}
	return root.name, nil
}

// parseXML reads a small plain XML file. UTF-8 only, one root, no DTD and so no
// entities of its own: nothing in firmware needs them, and they are how XML
// attacks work. Errors are *Error with the line.
func parseXML(r io.Reader) (*element, error) {
	data, err := readText(r)
	if err != nil {
		return nil, err
	}
	if err := plainUTF8(data); err != nil {
		return nil, err
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	d := xml.NewDecoder(bytes.NewReader(data))
	d.CharsetReader = func(charset string, in io.Reader) (io.Reader, error) {
		if strings.EqualFold(charset, "us-ascii") {
			return in, nil
		}
		return nil, fail(BadXML, "its encoding is %.40q; xflash reads only UTF-8", charset)
	}
	t := tree{decoder: d}
	if err := t.read(); err != nil {
		line, column := d.InputPos()
		var own *Error
		var syntax *xml.SyntaxError
		switch {
		case errors.As(err, &own):
		case errors.As(err, &syntax):
			own, line, column = fail(BadXML, "%s", syntax.Msg), syntax.Line, 0
		default:
			own = fail(BadXML, "%v", err)
		}
		own.Line, own.Column = line, column
		return nil, own
	}
	if t.root == nil {
		return nil, failLine(BadXML, 1, 0, "it has no element")
	}
	return t.root, nil
}

func plainUTF8(data []byte) error {
	for _, bom := range []string{"\xff\xfe", "\xfe\xff", "<\x00", "\x00<"} {
		if bytes.HasPrefix(data, []byte(bom)) {
			return failLine(BadXML, 1, 1, "its encoding is UTF-16; xflash reads only UTF-8")
		}
	}
	return nil
}

type tree struct {
	decoder  *xml.Decoder
	root     *element
	open     []*element
	elements int
}

func (t *tree) read() error {
	for {
		token, err := t.decoder.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		switch token := token.(type) {
		case xml.Directive:
			return fail(BadXML, "a document type or entity declaration, which no firmware file has")
		case xml.StartElement:
			if err := t.start(token); err != nil {
				return err
			}
		case xml.EndElement:
			t.open = t.open[:len(t.open)-1]
		case xml.CharData:
			if len(t.open) > 0 {
				t.open[len(t.open)-1].text.Write(token)
			} else if strings.TrimSpace(string(token)) != "" {
				return fail(BadXML, "text outside the root element")
			}
		}
	}
}

func (t *tree) start(token xml.StartElement) error {
	if t.elements++; t.elements > maxXMLElements {
		return fail(BadXML, "more than %d elements", maxXMLElements)
	}
	if len(t.open) >= maxXMLDepth {
		return fail(BadXML, "elements nested more than %d deep", maxXMLDepth)
	}
	line, _ := t.decoder.InputPos()
	e := &element{name: token.Name.Local, line: line}
	if len(token.Attr) > maxAttributes {
		return fail(BadXML, "more than %d attributes in %.40q", maxAttributes, e.name)
	}
	for _, a := range token.Attr {
		if slices.ContainsFunc(e.attrs, func(b Attribute) bool { return strings.EqualFold(a.Name.Local, b.Name) }) {
			return fail(BadXML, "attribute %s is given twice", a.Name.Local)
		}
		e.attrs = append(e.attrs, Attribute{a.Name.Local, a.Value})
	}
	switch {
	case len(t.open) > 0:
		parent := t.open[len(t.open)-1]
		parent.children = append(parent.children, e)
	case t.root != nil:
		return fail(BadXML, "a second root element %s", e.name)
	default:
		t.root = e
	}
	t.open = append(t.open, e)
	return nil
}
