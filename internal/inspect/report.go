package inspect

import (
	"errors"
	"fmt"

	"xflash/fastboot/bootimg"
	"xflash/fastboot/sparse"
	"xflash/ftf"
)

// Kind is what a file is. The values are stable, for programs.
type Kind string

// Kinds.
const (
	KindUnknown    Kind = "unknown"
	KindEmpty      Kind = "empty"
	KindSIN        Kind = "sin"
	KindBundle     Kind = "bundle" // .ftf archive, or a folder with the same files
	KindFolder     Kind = "folder"
	KindZip        Kind = "zip"
	KindTar        Kind = "tar"
	KindCompressed Kind = "compressed"
	KindKernel     Kind = "kernel" // bare, without the image that a loader wants around it
	KindVBMeta     Kind = "vbmeta"
	KindDTBO       Kind = "dtbo"
	KindAndroid    Kind = "android-boot"
	KindVendor     Kind = "vendor-boot"
	KindSonyELF    Kind = "sony-elf"
	KindELF        Kind = "elf"
	KindQCDT       Kind = "qcdt"
	KindTree       Kind = "device-tree"
	KindSparse     Kind = "android-sparse"
	KindExt        Kind = "ext"
	KindYaffs2     Kind = "yaffs2"
	KindFAT        Kind = "fat"
	KindDisk       Kind = "disk"
	KindTrimArea   Kind = "trim-area"
	KindTA         Kind = "ta-text"
	KindScript     Kind = "flash-script"
	KindDelivery   Kind = "boot-delivery"
	KindManifest   Kind = "manifest"
	KindFirmXML    Kind = "firmware-xml" // partition delivery, update.xml, fwinfo.xml
	KindOtherFile  Kind = "other"        // has a name, but is nothing a phone accepts
)

// Report is all that is known of a file. Members of its JSON form that do not apply to a
// file are absent; schema.json describes it.
type Report struct {
	Name  string `json:"name"`
	Kind  Kind   `json:"kind"`
	Title string `json:"title"` // the kind in words
	Size  int64  `json:"size"`  // bytes; of a folder those of all files in it
	// SHA256 and MD5 are those of the whole file, of files that were read whole.
	SHA256 string `json:"file_sha256,omitempty"`
	MD5    string `json:"file_md5,omitempty"`

	// Intact and Proven are the judgement, which verify and ta verify show as well. Proven
	// means that a root whose certificate is at hand vouches for the file.
	Intact Intact `json:"intact"`
	Proven bool   `json:"proven"`

	Whole   *Integrity `json:"whole,omitempty"`   // of parts of a signed image: nil, the image's counts
	Genuine *Genuine   `json:"genuine,omitempty"` // nil where the format has no signature
	For     []Match    `json:"for,omitempty"`
	Layouts []Layout   `json:"layouts,omitempty"`
	Notes   []string   `json:"notes,omitempty"`
	// Warning is the warning before anybody uses this file.
	Warning string `json:"warning,omitempty"`

	*SIN                     // flat, under the names of the project's table of known answers
	Payload    *Payload      `json:"payload,omitempty"` // of a SIN
	Firmware   *Firmware     `json:"firmware,omitempty"`
	Boot       *Boot         `json:"boot,omitempty"`
	Segments   []Segment     `json:"segments,omitempty"` // of an ELF file
	Trees      []Tree        `json:"trees,omitempty"`    // device trees in it
	Sparse     *Sparse       `json:"sparse,omitempty"`
	FileSystem *FileSystem   `json:"file_system,omitempty"`
	Disk       *Disk         `json:"disk,omitempty"`
	TrimArea   *TrimArea     `json:"trim_area,omitempty"`
	Units      []Unit        `json:"units,omitempty"`   // of a .ta text
	Actions    []string      `json:"actions,omitempty"` // of a flash script
	Delivery   []BootVariant `json:"boot_configurations,omitempty"`
	Contents   []*Report     `json:"contents,omitempty"`

	unread   bool // it or a part of it could not be looked at
	checksum bool // the archive around it has the right checksum for it
}

// State says how much is known about a file being whole.
type State string

// States of a file. Unproven means that its format has nothing that could prove it, or
// that nothing is known of its format.
const (
	StateWhole    State = "whole"
	StateDamaged  State = "damaged"
	StateUnproven State = "unproven"
)

// Integrity says whether a file is whole.
type Integrity struct {
	State  State   `json:"state"`
	Text   string  `json:"text"`
	Faults []Fault `json:"faults,omitempty"` // by offset, the first maxFaults of FaultCount
	Count  int     `json:"fault_count,omitempty"`
}

// maxFaults is how many faults of a file are kept in detail.
const maxFaults = 1000

// Fault is one thing that is wrong.
type Fault struct {
	Reason string `json:"reason"`           // in a few words, stable
	Member string `json:"member,omitempty"` // of a bundle
	Offset int64  `json:"offset"`           // in the file, or in the member; -1 when it is not a single place
	Block  int    `json:"block"`            // of a SIN; -1 when it is none
	Text   string `json:"text"`
}

// whole records that checks of the format itself prove the file whole.
func (r *Report) whole(text string) {
	if r.Whole == nil {
		r.Whole = &Integrity{State: StateWhole, Text: text}
	}
}

// unproven records that nothing is wrong and nothing is proven.
func (r *Report) unproven(text string) {
	if r.Whole == nil {
		r.Whole = &Integrity{State: StateUnproven, Text: text}
	}
}

// fault records that something is wrong, which outweighs all else.
func (r *Report) fault(f Fault) {
	if r.Whole == nil || r.Whole.State != StateDamaged {
		r.Whole = &Integrity{State: StateDamaged, Text: f.Text}
	}
	r.Whole.Count++
	if len(r.Whole.Faults) < maxFaults {
		r.Whole.Faults = append(r.Whole.Faults, f)
	}
}

// wrong is fault for what is not a block.
func (r *Report) wrong(reason string, offset int64, text string) {
	r.fault(Fault{Reason: reason, Offset: offset, Block: -1, Text: text})
}

// truncated records that a file ends before its end.
func (r *Report) truncated(want int64, text string) {
	r.wrong("truncated", r.Size, text)
	for i := range r.Layouts {
		r.Layouts[i].missing(r.Size, want)
	}
}

// short records that a file ends before the end that its format wants; false when it does not.
func (r *Report) short(want int64, format string) bool {
	if want <= r.Size {
		return false
	}
	r.truncated(want, fmt.Sprintf(format+", the file ends after %d", want, r.Size))
	return true
}

// failed records what a parser found wrong with the file; false when it found nothing.
func (r *Report) failed(err error) bool {
	if err == nil {
		return false
	}
	reason, offset := "malformed", int64(-1)
	var (
		text  *ftf.Error
		boot  *bootimg.Error
		chunk *sparse.Error
	)
	switch {
	case errors.As(err, &text):
		reason, offset = text.Reason.Error(), text.Offset
	case errors.As(err, &boot):
		offset = boot.Offset
	case errors.As(err, &chunk):
		offset = chunk.Offset
	}
	for cause, words := range causes {
		if errors.Is(err, cause) {
			reason = words
		}
	}
	r.wrong(reason, offset, err.Error())
	return true
}

// causes are the reasons of formats that have them as errors.
var causes = map[error]string{
	bootimg.ErrTruncated: "truncated", sparse.ErrTruncated: "truncated", sparse.ErrTrailing: "trailing data",
	sparse.ErrChecksum: "wrong checksum", sparse.ErrLZ4: "damaged chunk", sparse.ErrTooLarge: "too large",
}

// Damaged reports whether anything is wrong with the file.
func (r *Report) Damaged() bool { return r.Whole != nil && r.Whole.State == StateDamaged }

// Proof says how much is proven about who made a file.
type Proof string

// Proofs, from none to full.
const (
	ProofNone     Proof = "none"         // the signature is wrong
	ProofUnread   Proof = "not-verified" // there is a signature, it is unknown how to verify it
	ProofUnknown  Proof = "unknown-root" // signed; the root is one that nobody knows
	ProofNamed    Proof = "root-named"   // signed; the root is known by name only
	ProofCarried  Proof = "root-carried" // the chain ends at a root known by name, which the firmware carries
	ProofSupplied Proof = "root-given"   // the chain ends at a root that was given
	ProofSony     Proof = "sony-root"    // the chain ends at a root whose fingerprint is known
)

// Genuine says what is and what is not proven about who made a file.
type Genuine struct {
	Proof     Proof    `json:"proof"`
	Text      string   `json:"text"`
	Root      string   `json:"root,omitempty"`
	Proven    []string `json:"proven,omitempty"`
	NotProven []string `json:"not_proven,omitempty"`
}

// Match is a group of phones that a file is for, as far as one sign of it tells.
type Match struct {
	Family   string   `json:"family,omitempty"`
	Platform string   `json:"platform,omitempty"` // chip, or phones in words where no family is known
	Models   []string `json:"models,omitempty"`
	Because  string   `json:"because"`
}
