package bootimg

import (
	"bufio"
	"bytes"
	"slices"
	"strings"

	"xflash/fastboot/bootimg/unpack"
)

// maxConfig is the most that an embedded configuration may expand to, bytes.
const maxConfig = 2 << 20

// Config is the configuration that a kernel was built with, as embedded by
// CONFIG_IKCONFIG (FORMAT.md §6.4).
type Config struct {
	Text   string            // the file
	values map[string]string // without the prefix CONFIG_
}

// parseConfig reads the stream between the two marks. A damaged one gives an empty configuration.
func parseConfig(packed []byte) Config {
	text, _, err := unpack.First(packed, unpack.Gzip, maxConfig)
	if err != nil {
		return Config{}
	}
	c := Config{Text: string(text), values: map[string]string{}}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		if name, value, ok := strings.Cut(lines.Text(), "="); ok && strings.HasPrefix(name, "CONFIG_") {
			c.values[strings.TrimPrefix(name, "CONFIG_")] = value
		}
	}
	return c
}

// Value is what follows CONFIG_name=, like "y", "m" or a quoted text; empty when it is not set.
func (c Config) Value(name string) string { return c.values[name] }

// Empty reports that the kernel has no configuration in it.
func (c Config) Empty() bool { return c.Text == "" }

// decompressors are what a kernel may have for ramdisks (FORMAT.md §6.5): the option of its
// configuration, a message in the unpacked kernel (the unpacking code in front of a zImage has
// that of the format itself), and the first version that knows the format at all. The texts of lz4
// and zstd are those of the kernel's lib/decompress_unlz4.c and decompress_unzstd.c.
var decompressors = map[unpack.Format]struct {
	option, text string
	since        [3]int
}{
	unpack.Gzip:      {option: "RD_GZIP", text: "Not a gzip file"},
	unpack.Bzip2:     {"RD_BZIP2", "Data integrity error when decompressing.", rdOptions},
	unpack.LZMA:      {"RD_LZMA", "LZMA data is corrupt", rdOptions},
	unpack.XZ:        {"RD_XZ", "XZ-compressed data is corrupt", [3]int{2, 6, 38}},
	unpack.LZO:       {"RD_LZO", "Compressed data violation", [3]int{2, 6, 33}},
	unpack.LZ4Legacy: {"RD_LZ4", "chunk length is longer than allocated", [3]int{3, 11}},
	unpack.Zstd:      {"RD_ZSTD", "ZSTD-compressed data is corrupt", [3]int{5, 9}},
}

// rdOptions is the version that brought the CONFIG_RD_ options and formats
// other than gzip; before it, every kernel with ramdisks unpacked gzip.
var rdOptions = [3]int{2, 6, 30}

// Support says whether a kernel can unpack a ramdisk, and from where that is known.
type Support struct {
	Known bool
	Yes   bool
	From  string // "configuration", "messages", "version" or "format"
}

// Supports tells whether this kernel unpacks ramdisks of a format: by its
// configuration, else by the messages in it, else by its age.
func (p *Payload) Supports(f unpack.Format) Support {
	own, ok := decompressors[f]
	version, dated := p.Version()
	switch {
	case f == unpack.None:
		return Support{Known: true, Yes: true, From: "format"}
	case !ok: // the lz4 frame, which no kernel reads
		return Support{Known: true, From: "format"}
	case !p.Config.Empty():
		yes := p.Config.Value(own.option) == "y" || f == unpack.Gzip && dated && older(version, rdOptions)
		return Support{Known: true, Yes: yes && p.Config.Value("BLK_DEV_INITRD") == "y", From: "configuration"}
	case len(p.marks) > 0:
		return Support{Known: true, Yes: p.marks[f], From: "messages"}
	case dated && older(version, own.since):
		return Support{Known: true, From: "version"}
	}
	return Support{}
}

func older(a, b [3]int) bool { return slices.Compare(a[:], b[:]) < 0 }
