package ftf

import (
	"cmp"
	"io"
	"path"
	"regexp"
	"strings"
)

// parseFwinfo reads fwinfo.xml of a XperiFirm folder as a manifest
// (FORMAT.md §7). The branding is the operator's, else the market's.
func parseFwinfo(r io.Reader) (Manifest, error) {
	root, err := parseXML(r)
	if err != nil {
		return Manifest{}, err
	}
	field := func(name string) string {
		if all := root.all(name); len(all) > 0 {
			return strings.TrimSpace(all[0].text.String())
		}
		return ""
	}
	m := Manifest{Device: field("model"), Version: field("swVer"), CDA: field("cda"), Revision: field("cdfVer"), Branding: cmp.Or(field("operator"), field("market"))}
	for _, value := range []string{m.Device, m.Version, m.CDA, m.Revision, m.Branding} {
		if strings.ContainsFunc(value, isControl) {
			return Manifest{}, failLine(BadXML, root.line, 0, "control character in %.60q", value)
		}
	}
	return m, nil
}

// ParseUpdate reads update.xml: the categories of the files its NOERASE and
// FACTORY_ONLY elements name, as text or as the PATH of elements inside. Errors are *Error with
// the line.
func ParseUpdate(r io.Reader) ([]string, error) {
	root, err := parseXML(r)
	if err != nil {
		return nil, err
	}
	var names []string
	var walk func(e *element, listed bool)
	walk = func(e *element, listed bool) {
		listed = listed || strings.EqualFold(e.name, "NOERASE") || strings.EqualFold(e.name, "FACTORY_ONLY")
		if listed {
			names = append(names, strings.FieldsFunc(e.text.String(), func(r rune) bool { return strings.ContainsRune(",;\r\n\t", r) })...)
			names = append(names, e.attr("PATH"))
		}
		for _, c := range e.children {
			walk(c, listed)
		}
	}
	walk(root, false)
	return categories(names, true), nil
}

// folderName is how XperiFirm names a folder: MODEL_BRANDING_CDA_VERSION_REVISION, and of
// phones of 2017 and later MODEL_BRANDING_VERSION or MODEL_BRANDING_VERSION-REVISION.
var folderName = regexp.MustCompile(`^([A-Za-z0-9-]+)_(.+)_([0-9]{4}-[0-9]{4})_([0-9A-Za-z.]+)_(R[0-9]+[A-Z]*)$`)

var laterFolderName = regexp.MustCompile(`^([A-Za-z0-9-]+)_(.+)_([0-9]+\.[0-9A-Za-z.]+)(?:-(R[0-9]+[A-Z]*))?$`)

// manifestFromName parses the name of a XperiFirm folder.
func manifestFromName(folder string) (Manifest, bool) {
	p := folderName.FindStringSubmatch(path.Base(folder))
	if p == nil {
		if p = laterFolderName.FindStringSubmatch(path.Base(folder)); p == nil {
			return Manifest{}, false
		}
		return Manifest{Device: p[1], Branding: p[2], Version: p[3], Revision: p[4]}, true
	}
	return Manifest{Device: p[1], Branding: p[2], CDA: p[3], Version: p[4], Revision: p[5]}, true
}
