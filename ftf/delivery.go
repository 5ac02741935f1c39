package ftf

import (
	"bytes"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
)

// maxDeliveryFiles bounds one configuration; real ones have about ten files.
const maxDeliveryFiles = 200

// BootDelivery is boot_delivery.xml: the boot chain in several configurations, of
// which each phone accepts exactly one (FORMAT.md §5).
type BootDelivery struct {
	Format, Product  string
	SpaceID, Version string // Version as written; see BootVersion
	Configurations   []*Configuration
	Notes            []Note // elements that are not understood
}

// Configuration is one variant of the boot chain. Paths are relative to boot/.
type Configuration struct {
	Name       string
	Config     []string    // .ta files of BOOT_CONFIG
	Images     []string    // .sin files of BOOT_IMAGES
	Attributes []Attribute // what the phone's loader must report, in order
	HWConfig   *HWConfig   // nil when the element is absent
	Keystore   string      // FORMAT 3: certificate of the key store, "" when absent
	Line       int
}

// HWConfig is what a configuration asks of the phone's hardware configuration.
type HWConfig struct{ Revision, Certificate, Version string }

// attribute finds an attribute of the configuration.
func (c *Configuration) attribute(key string) (string, bool) {
	for _, a := range c.Attributes {
		if strings.EqualFold(a.Name, key) {
			return a.Value, true
		}
	}
	return "", false
}

// Files returns all files of the configuration, sorted: what two configurations
// have in common when either may be taken.
func (c *Configuration) Files() []string {
	return slices.Sorted(slices.Values(slices.Concat(c.Config, c.Images)))
}

// Development reports whether the configuration is for phones with test keys,
// by its name.
func (c *Configuration) Development() bool {
	return strings.Contains(strings.ToUpper(c.Name), "DEVELOP")
}

// ParseBootDelivery reads boot_delivery.xml. The XML must be plain: see the
// errors BadXML, TooLarge and UnsafeName. Whether the files exist is checked by
// Bundle.BootFiles.
func ParseBootDelivery(r io.Reader) (*BootDelivery, error) {
	root, err := parseXML(r)
	if err != nil {
		return nil, err
	}
	if root.name != "BOOT_DELIVERY" {
		return nil, failLine(BadXML, root.line, 0, "the root element is %.40q, expected BOOT_DELIVERY", root.name)
	}
	d := &BootDelivery{Format: root.attr("FORMAT"), Product: root.attr("PRODUCT"),
		SpaceID: root.attr("SPACE_ID"), Version: root.attr("VERSION")}
	names := map[string]bool{}
	for _, child := range root.children {
		if child.name != "CONFIGURATION" {
			d.unknown(child)
			continue
		}
		c, err := d.configuration(child)
		if err != nil {
			return nil, err
		}
		if names[c.Name] {
			return nil, failLine(Duplicate, c.Line, 0, "configuration %q is given twice", c.Name)
		}
		names[c.Name] = true
		d.Configurations = append(d.Configurations, c)
	}
	if len(d.Configurations) == 0 {
		return nil, failLine(BadXML, root.line, 0, "it has no configuration")
	}
	return d, nil
}

func (d *BootDelivery) unknown(e *element) {
	d.Notes = append(d.Notes, Note{Text: "line " + strconv.Itoa(e.line) + ": element " + strconv.Quote(e.name) + " is unknown"})
}

func (d *BootDelivery) configuration(e *element) (*Configuration, error) {
	c := &Configuration{Name: e.attr("NAME"), Line: e.line}
	for _, child := range e.children {
		var err error
		switch child.name {
		case "BOOT_CONFIG":
			c.Config, err = d.files(child, c.Config, KindTA)
		case "BOOT_IMAGES":
			c.Images, err = d.files(child, c.Images, KindSIN)
		case "ATTRIBUTES":
			c.Attributes, err = attributePairs(child, c.Attributes)
		case "HWCONFIG":
			if c.HWConfig != nil {
				return nil, failLine(Duplicate, child.line, 0, "a second HWCONFIG in configuration %q", c.Name)
			}
			c.HWConfig = &HWConfig{child.attr("REVISION"), child.attr("CERTIFICATE"), child.attr("VERSION")}
		case "KEYSTORE":
			c.Keystore = child.attr("CERTIFICATE")
		case "SECURITY_PROPERTIES", "SECURITY_STATE": // of the protocol of 2017; nothing here depends on them
		default:
			d.unknown(child)
		}
		if err != nil {
			return nil, err
		}
	}
	return c, nil
}

// files adds the paths of an element's FILE children.
func (d *BootDelivery) files(e *element, list []string, want Kind) ([]string, error) {
	for _, f := range e.children {
		if f.name != "FILE" {
			d.unknown(f)
			continue
		}
		name := f.attr("PATH")
		if err := checkName(name); err != nil {
			err.Line = f.line
			return nil, err
		}
		if kindOf(name) != want {
			return nil, failLine(BadXML, f.line, 0, "%.80q in %s is not a %s", name, e.name, want)
		}
		if len(list) >= maxDeliveryFiles {
			return nil, failLine(TooLarge, f.line, 0, "more than %d files in one configuration", maxDeliveryFiles)
		}
		if slices.ContainsFunc(list, func(have string) bool { return foldName(have) == foldName(name) }) {
			return nil, failLine(Duplicate, f.line, 0, "%q is listed twice", name)
		}
		list = append(list, name)
	}
	return list, nil
}

// attributePairs reads KEY="V";KEY="V". A value without quotes ends at the next
// semicolon.
func attributePairs(e *element, list []Attribute) ([]Attribute, error) {
	rest := strings.TrimSpace(e.attr("VALUE"))
	for rest != "" {
		key, after, ok := strings.Cut(rest, "=")
		key = strings.TrimSpace(key)
		if !ok || key == "" || strings.ContainsAny(key, `";`) {
			return nil, failLine(BadXML, e.line, 0, "%.60q is not a KEY=\"value\"", rest)
		}
		var value string
		if quoted, isQuoted := strings.CutPrefix(strings.TrimSpace(after), `"`); isQuoted {
			if value, rest, ok = strings.Cut(quoted, `"`); !ok {
				return nil, failLine(BadXML, e.line, 0, "the value of %s has no closing quote", key)
			}
			rest = strings.TrimSpace(rest)
			if rest != "" && rest[0] != ';' {
				return nil, failLine(BadXML, e.line, 0, "%.20q after the value of %s", rest, key)
			}
			rest = strings.TrimPrefix(rest, ";")
		} else {
			value, rest, _ = strings.Cut(after, ";")
		}
		if len(list) >= maxAttributes {
			return nil, failLine(TooLarge, e.line, 0, "more than %d attributes", maxAttributes)
		}
		for _, a := range list {
			if strings.EqualFold(a.Name, key) {
				return nil, failLine(Duplicate, e.line, 0, "attribute %s is given twice", key)
			}
		}
		list = append(list, Attribute{key, strings.TrimSpace(value)})
		rest = strings.TrimSpace(rest)
	}
	return list, nil
}

// ParsePartitionDelivery reads partition_delivery.xml: the partition tables of a folder, as the
// base names of their files. It has no conditions; which of them a phone gets is decided by its
// storage (FORMAT.md §5.4). Errors are *Error with the line.
func ParsePartitionDelivery(r io.Reader) ([]string, error) {
	root, err := parseXML(r)
	if err != nil {
		return nil, err
	}
	if root.name != "PARTITION_DELIVERY" {
		return nil, failLine(BadXML, root.line, 0, "the root element is %.40q, expected PARTITION_DELIVERY", root.name)
	}
	tables := []string{}
	for _, list := range root.all("PARTITION_IMAGES") {
		for _, f := range list.all("FILE") {
			name := f.attr("PATH")
			if err := checkName(name); err != nil {
				err.Line = f.line
				return nil, err
			}
			if kindOf(name) != KindSIN {
				return nil, failLine(BadXML, f.line, 0, "%.80q is not an image", name)
			}
			base := path.Base(name)
			if slices.ContainsFunc(tables, func(have string) bool { return strings.EqualFold(have, base) }) {
				return nil, failLine(Duplicate, f.line, 0, "%q is listed twice", name)
			}
			if len(tables) >= maxDeliveryFiles {
				return nil, failLine(TooLarge, f.line, 0, "more than %d files", maxDeliveryFiles)
			}
			tables = append(tables, base)
		}
	}
	return tables, nil
}

// readTables reads partition_delivery.xml at the top or in partition/. One that cannot be read
// counts as missing: it lists, and decides nothing.
func (b *Bundle) readTables() error {
	m, data, err := b.text("partition_delivery.xml", "partition deliveries")
	if err != nil || m == nil {
		return err
	}
	b.Tables, err = ParsePartitionDelivery(bytes.NewReader(data))
	return b.tolerate(m, within(err, "", m.Name))
}
