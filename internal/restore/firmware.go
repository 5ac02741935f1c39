package restore

import (
	"io"
	"strings"

	"xflash/ftf"
	"xflash/internal/phone"
	"xflash/sin"
)

// Firmware is what Check found in a bundle. Build needs nothing else.
type Firmware struct {
	Name     string // of the file or folder
	Identity string
	Manifest ftf.Manifest
	Family   *phone.Family // of the model the bundle is for, nil when it is unknown
	Model    phone.Model
	Items    []*Item // in the order of the bundle
	Delivery *ftf.BootDelivery
	Tables   []string // base names that partition_delivery.xml lists; empty: all there are
	Script   *ftf.Script
	Layout   *sin.Layout // of the partition image, nil without one
	Loader   *sin.Loader // of the loader, nil without one
	Notes    []string    // odd but harmless things
	AnyRoot  bool        // roots are not judged (CheckOptions.AnyRoot)
}

// Item is one file of the bundle.
type Item struct {
	Member  string // name in the bundle
	Base    string // last element of it, without a protecting b
	Short   string // kernel
	Kind    ftf.Kind
	image   phone.Image // of SIN files; zero when its name is unknown
	Boot    bool        // belongs to the boot delivery
	Bytes   int64
	Checked bool // every byte was read and found right; else only header and map

	Replaced bool // a loader that --loader replaces

	// Of SIN files.
	Type         sin.PayloadType
	HeaderSHA256 string
	Signer       string    // S1_SW
	Issuer       string    // S1_Root_9c84
	Trust        sin.Trust // what is proven about who signed it; of files that were read whole
	Targets      []sin.Target
	holds        sin.Kind     // what its one partition holds; of files that were read whole
	Layout       *sin.Layout  // of a partition image
	Loader       *sin.Loader  // of a loader
	Archive      *sin.Archive // of phones of 2017 and later; only its name when it was not read whole

	// Of .ta files.
	TAPartition int
	Units       []ftf.TAUnit

	// Problem is why the file cannot be used, nil when it can.
	Problem error

	blind  bool        // what the file would write cannot be read
	table  bool        // a partition table of a phone of 2017 and later
	lun    *lunTable   // what it holds; nil when that cannot be read
	avb    *avbHeader  // of an image that verified boot reads
	form   *imageForm  // of an image whose map could be read: what it asks of the loader
	member *ftf.Member // nil of a loader that is not the bundle's
	open   func() (io.ReadCloser, error)
	ta     func() (*ftf.TAFile, error)
}

// sendable reports whether files of this kind are sent; the others, scripts and XML, are only read.
func (it *Item) sendable() bool { return it.Kind == ftf.KindSIN || it.Kind == ftf.KindTA }

// Open starts to read the file from its start.
func (it *Item) Open() (io.ReadCloser, error) { return it.open() }

// isImage reports whether a file of the bundle proper is for an image, by any of its names.
func (fw *Firmware) isImage(it *Item, short string) bool {
	named, ok := fw.Family.Image(short)
	return ok && !it.Boot && it.image.Short == named.Short
}

// image finds the SIN file of the bundle proper for an image, by any of its names; nil when
// there is none, or more than one.
func (fw *Firmware) image(short string) (found *Item) {
	for _, it := range fw.Items {
		if it.Replaced || !fw.isImage(it, short) {
			continue
		}
		if found != nil {
			return nil
		}
		found = it
	}
	return found
}

// bootFile finds the files of the boot set with the base name of a path in the delivery.
func (fw *Firmware) bootFile(path string) (found []*Item) {
	base := path[strings.LastIndexByte(path, '/')+1:]
	for _, it := range fw.Items {
		if it.Boot && strings.EqualFold(it.Base, base) {
			found = append(found, it)
		}
	}
	return found
}
