package ftf

import (
	"bytes"
	"io"
	"path"
	"slices"
	"strings"
)

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
