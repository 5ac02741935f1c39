package xperifirm

import (
	"fmt"
	"strings"
)

// otherSizes are units 0 of phones with another storage, whose tables are in the same
// download, in KiB. The phone's own is added.
var otherSizes = []int64{62480384, 124960768}

// tables makes the partition images. Since 2019 their names tell the size of the unit and
// unit 0 has several.
func (m *maker) tables() error {
	folder := "partition/"
	if m.o.TablesInRoot {
		folder = ""
	}
	var names []string
	for unit, kib := range m.facts.LUNs {
		short := fmt.Sprintf("partition-image-LUN%d", unit)
		if m.facts.EMMC {
			short = "partition-image"
		}
		if unit == 0 {
			kib = m.o.LUN0
		}
		sizes := []int64{kib}
		named := m.facts.Slots && (!m.facts.EMMC || m.facts.Super)
		if named && unit == 0 && !m.facts.EMMC {
			for _, other := range otherSizes {
				if other != kib {
					sizes = append(sizes, other)
				}
			}
		}
		for _, size := range sizes {
			table, err := m.facts.Table(unit, size)
			if err != nil {
				return err
			}
			if size == kib {
				m.fw.Tables[unit] = table
			}
			full := short
			if named {
				full = fmt.Sprintf("%s_%d", short, size)
			}
			name := m.file(full, "ALL", m.o.Suffix)
			names = append(names, name)
			err = m.sign(signed{file: folder + name, short: full, name: fmt.Sprintf("partitionimage_%d", unit), suffix: m.o.Suffix,
				chunks: []source{text(table)}, gzip: m.zipped(full)})
			if err != nil {
				return err
			}
		}
	}
	if m.o.Delivery == DeliveryAbsent || m.o.Delivery == DeliveryUsual && m.facts.Slots {
		return nil
	}
	var b strings.Builder
	b.WriteString("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<PARTITION_DELIVERY FORMAT=\"1\">\n  <PARTITION_IMAGES>\n")
	for _, name := range names {
		fmt.Fprintf(&b, "    <FILE PATH=\"%s\"/>\n", name)
	}
	b.WriteString("  </PARTITION_IMAGES>\n</PARTITION_DELIVERY>\n")
	return m.write(folder+"partition_delivery.xml", []byte(b.String()))
}
