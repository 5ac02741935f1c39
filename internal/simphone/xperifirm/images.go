package xperifirm

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
)

// An imageSpec is one SIN of the root folder. Names of files and of what they write differ
// on phones of 2017 and 2018.
type imageSpec struct {
	short  string // of the file
	name   string // of the image
	class  string // ALL, CUST or LTALABEL in the file name
	sparse bool
}

func all(names ...string) (list []imageSpec) {
	for _, n := range names {
		short, name, found := strings.Cut(n, ":")
		if !found {
			name = short
		}
		list = append(list, imageSpec{short: short, name: name, class: "ALL"})
	}
	return list
}

func sparsely(list []imageSpec, names ...string) []imageSpec {
	for i := range list {
		list[i].sparse = slices.Contains(names, list[i].name)
	}
	return list
}

// list are the images of the phone, as public file lists have them.
func (m *maker) list() []imageSpec {
	label := imageSpec{"elabel-" + m.facts.Product + "-row", "LTALabel", "LTALABEL", false}
	cust := func(names ...string) []imageSpec {
		list := all(names...)
		for i := range list {
			list[i].class = "CUST"
		}
		return list
	}
	var list []imageSpec
	switch {
	case !m.facts.Slots:
		list = slices.Concat(all("bluetooth", "appslog", "diag", "ssd", "adspso:dsp", "cache", "modem", "ramdump:rdimage", "Qnovo", "fsmetadata",
			"amss_fs_1:modemst1", "amss_fs_2:modemst2", "amss_fsg:fsg", "kernel:boot", "fotakernel:FOTAKernel", "persist", "vendor", "system"), cust("oem", "userdata"))
	case !m.facts.Super:
		list = slices.Concat(all("boot", "modem", "rdimage", "vendor", "dtbo", "bluetooth", "appslog", "diag", "dsp", "fsg", "misc", "modemst1", "modemst2",
			"persist", "ssd", "Qnovo", "fsmetadata", "system_other:system", "system", "vbmeta"), cust("oem_other:oem", "oem", "userdata"))
	default:
		list = all("boot", "modem", "rdimage", "vendor_boot", "super", "oem_other:oem", "oem", "userdata", "dtbo", "metadata", "bluetooth", "appslog", "diag", "cdt",
			"dsp", "misc", "spunvm", "modemst1", "modemst2", "persist", "vbmeta_system", "vbmeta")
	}
	return sparsely(append(list, label), "super", "system", "vendor", "oem", "userdata", "metadata", "modem", "appslog", "diag", "cache", "LTALabel")
}

// label is where an image goes: slot a, or b for what is called other.
func (m *maker) label(s imageSpec) string {
	switch {
	case !m.facts.HasSlot(s.name):
		return s.name
	case strings.HasSuffix(s.short, "_other"):
		return s.name + "_b"
	}
	return s.name + "_a"
}

// images makes the SIN files of the root folder.
func (m *maker) images() error {
	for _, s := range m.list() {
		if m.without(s.short) {
			continue
		}
		chunks, content := m.content(s)
		if s.short != "persist" {
			m.fw.Images[m.label(s)] = content
		}
		err := m.sign(signed{file: m.file(s.short, s.class, m.o.Suffix), short: s.short, name: s.name, suffix: m.o.Suffix, chunks: chunks, gzip: m.zipped(s.short)})
		if err != nil {
			return fmt.Errorf("%s: %w", s.short, err)
		}
	}
	return nil
}

func (m *maker) file(short, class, suffix string) string {
	return fmt.Sprintf("%s_X-FLASH-%s-%s.sin", short, class, suffix)
}

// content makes the chunks of an image and what they leave in the partition.
func (m *maker) content(s imageSpec) (chunks []source, content *Image) {
	content = &Image{}
	size := m.facts.Size(s.name)
	switch {
	case s.name == "super" || s.short == "system":
		for at := int64(0); at < m.o.SuperSize; at += m.o.ChunkSize {
			n := min(m.o.ChunkSize, m.o.SuperSize-at)
			chunks = append(chunks, sparse(size, content.put(at, m.pieces(s, at, n)...), true))
		}
	case s.name == "userdata":
		size = 32 << 20 // an empty file system, smaller than any partition
		chunks = append(chunks, sparse(size, content.put(0, pattern{m.seed(s.short), block}, fill{0, 64 * block}, pattern{m.seed("end"), block}), false))
	case s.sparse:
		n := min(m.o.ImageSize, size) &^ (block - 1)
		chunks = append(chunks, sparse(size, content.put(0, m.pieces(s, 0, n)...), false))
	case strings.HasPrefix(s.name, "modemst"):
		content.put(0, text(make([]byte, 1024)))
		chunks = append(chunks, content.extents[0].source)
	case s.name == "vbmeta" || s.name == "vbmeta_system":
		content.put(0, joined{text(m.vbmeta()), pattern{m.seed(s.short), 3840}})
		chunks = append(chunks, content.extents[0].source)
	default:
		content.put(0, pattern{m.seed(s.short), min(m.o.ImageSize, size)})
		chunks = append(chunks, content.extents[0].source)
	}
	return chunks, content
}

// put appends sources one after the other and gives their extents.
func (m *Image) put(at int64, sources ...source) []extent {
	from := len(m.extents)
	for _, s := range sources {
		m.add(at, s)
		at += s.Size()
	}
	return m.extents[from:]
}

// pieces are n bytes with something for every kind of sparse chunk: text that compresses,
// one byte over and over, and bytes that do neither.
func (m *maker) pieces(s imageSpec, at, n int64) []source {
	words := text(strings.Repeat(fmt.Sprintf("%s of %s at %d\n", s.short, m.o.Version, at), 4*block)[:4*block])
	if n < 16*block {
		return []source{pattern{m.seed(s.short), n}}
	}
	same := n / 8 &^ (block - 1)
	return []source{words, fill{byte(at>>20) | 1, same}, pattern{m.seed(s.short) + uint64(at), n - same - words.Size()}}
}

// vbmeta is the header of a verified-boot image with a rollback index.
func (m *maker) vbmeta() []byte {
	b := make([]byte, 256)
	copy(b, "AVB0")
	binary.BigEndian.PutUint32(b[4:], 1)
	binary.BigEndian.PutUint64(b[112:], m.o.Rollback)
	return b
}
