package fastboot

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
)

// Limits of an update: of android-info.txt in bytes, of the images in it together.
const (
	maxInfoFile  = 64 << 10
	maxUpdate    = 32 << 30
	maxUpdateZip = 1000 // files
)

// Requirement is a line of android-info.txt: what a phone must say of itself.
type Requirement struct {
	Product string   // only for this product; empty for all
	Name    string   // of a variable
	Values  []string // one of them must hold; a "*" at the end stands for anything
	Reject  bool     // none of them may hold
}

// Unmet is the error of a phone that an update is not for.
type Unmet struct {
	Requirement
	Has string // what the phone says
}

func (e *Unmet) Error() string {
	verb := "must be"
	if e.Reject {
		verb = "must not be"
	}
	return fmt.Sprintf("the update is not for this phone: %s %s %s, but the phone says %q", e.Name, verb, strings.Join(e.Values, " or "), e.Has)
}

// ParseRequirements reads android-info.txt. A line that cannot be understood is an error:
// it may be what keeps the update off the wrong phone.
func ParseRequirements(r io.Reader) (all []Requirement, err error) {
	err = eachLine("android-info.txt", r, func(line string) error {
		word, rest, ok := strings.Cut(line, " ")
		q := Requirement{Reject: word == "reject"}
		switch {
		case word == "require" || word == "reject":
		case strings.HasPrefix(word, "require-for-product:"):
			q.Product = strings.TrimPrefix(word, "require-for-product:")
		default:
			return fmt.Errorf("%.60q does not start with require, reject or require-for-product", line)
		}
		name, values, found := strings.Cut(rest, "=")
		if q.Name = strings.TrimSpace(name); !ok || !found || q.Name == "" {
			return fmt.Errorf("%.60q has no NAME=VALUE", line)
		}
		if q.Name == "board" { // as old files have it
			q.Name = "product"
		}
		for v := range strings.SplitSeq(values, "|") {
			q.Values = append(q.Values, strings.TrimSpace(v))
		}
		all = append(all, q)
		return nil
	})
	return all, err
}

// eachLine reads the lines of a file of an update but for empty ones and comments.
func eachLine(file string, r io.Reader, do func(line string) error) error {
	b, err := io.ReadAll(io.LimitReader(r, maxInfoFile+1))
	if err != nil {
		return err
	}
	if len(b) > maxInfoFile {
		return fmt.Errorf("%s is longer than %d bytes", file, maxInfoFile)
	}
	for n, line := range strings.Split(string(b), "\n") {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := do(line); err != nil {
			return fmt.Errorf("%s, line %d: %w", file, n+1, err)
		}
	}
	return nil
}

// Meets asks the phone whether it is what the requirements want. The error is an *Unmet,
// or that of asking.
func (c *Client) Meets(ctx context.Context, all []Requirement) error {
	product, err := c.variable(ctx, "product")
	if err != nil {
		return err
	}
	for _, q := range all {
		if q.Product != "" && q.Product != product {
			continue
		}
		if q.Name == "partition-exists" {
			for _, p := range q.Values {
				if size, err := c.PartitionSize(ctx, p); err != nil {
					return err
				} else if size == 0 {
					return &Unmet{q, "no partition " + p}
				}
			}
			continue
		}
		has, err := c.variable(ctx, q.Name)
		if err != nil {
			return err
		}
		if q.matches(has) == q.Reject {
			return &Unmet{q, has}
		}
	}
	return nil
}

func (q Requirement) matches(has string) bool {
	for _, v := range q.Values {
		if prefix, open := strings.CutSuffix(v, "*"); v == has || open && strings.HasPrefix(has, prefix) {
			return true
		}
	}
	return false
}

// updateImages are the partitions that an update may bring, in the order in which they are
// written: the system before what starts it would leave nothing to start, so boot and
// recovery come first.
var updateImages = []string{"boot", "init_boot", "dtbo", "recovery", "vendor_boot", "vbmeta", "super", "system", "system_ext", "product", "vendor", "odm", "cache", "userdata"}

// UpdateImage is an image of an update.
type UpdateImage struct {
	Partition, File string
	Size            int64 // bytes
}

// Update is an update.zip, or the folder that a build left: what it asks of a phone, and
// its images in the order in which they are written.
type Update struct {
	Requirements []Requirement
	Images       []UpdateImage
	LeftOut      []string // image files that are there and are not written
	files        fs.FS
}

// ErrNoUpdate is the error for files that are not updates.
var ErrNoUpdate = errors.New("not an update: android-info.txt and an image are missing")

// infoFile says, in updates of 2023 and later, which image goes where.
const infoFile = "fastboot-info.txt"

// OpenUpdate looks at the files of an update, a zip or a folder. Where the update says by
// fastboot-info.txt what is to be done, that counts, and a line that cannot be followed is an
// error; else each image goes to the partition of its name.
func OpenUpdate(files fs.FS) (*Update, error) {
	if z, ok := files.(*zip.Reader); ok && len(z.File) > maxUpdateZip {
		return nil, fmt.Errorf("an archive of %d files is not an update", len(z.File))
	}
	u := &Update{files: files}
	info, err := files.Open("android-info.txt")
	if err != nil {
		return nil, fmt.Errorf("%w (%w)", ErrNoUpdate, err)
	}
	u.Requirements, err = ParseRequirements(info)
	if err = errors.Join(err, info.Close()); err != nil {
		return nil, err
	}
	lines, err := files.Open(infoFile)
	switch {
	case err == nil:
		err = errors.Join(u.follow(lines), lines.Close())
	case errors.Is(err, fs.ErrNotExist):
		err = nil
		for _, p := range updateImages {
			if _, err := fs.Stat(files, p+".img"); !errors.Is(err, fs.ErrNotExist) {
				u.Images = append(u.Images, UpdateImage{Partition: p, File: p + ".img"})
			}
		}
	}
	if err != nil {
		return nil, err
	}
	if len(u.Images) == 0 {
		return nil, ErrNoUpdate
	}
	if err := u.measure(); err != nil {
		return nil, err
	}
	all, err := fs.Glob(files, "*.img")
	for _, name := range all {
		if !slices.ContainsFunc(u.Images, func(i UpdateImage) bool { return i.File == name }) {
			u.LeftOut = append(u.LeftOut, name)
		}
	}
	return u, err
}

// measure fills in the sizes.
func (u *Update) measure() error {
	total := int64(0)
	for i := range u.Images {
		image := &u.Images[i]
		st, err := fs.Stat(u.files, image.File)
		if err != nil {
			return err
		}
		image.Size = st.Size()
		if total += image.Size; image.Size < 0 || total > maxUpdate || total < 0 {
			return fmt.Errorf("%s: the images together exceed %d bytes", image.File, int64(maxUpdate))
		}
	}
	return nil
}

// follow reads fastboot-info.txt, version 1: "flash PARTITION [FILE]", and "if-wipe erase" of
// what -w wipes anyway. The other lines are for phones with slots or dynamic partitions.
func (u *Update) follow(r io.Reader) error {
	return eachLine(infoFile, r, func(line string) error {
		words := strings.Fields(line)
		switch {
		case len(words) == 2 && words[0] == "version" && words[1] == "1":
		case len(words) == 3 && words[0] == "if-wipe" && words[1] == "erase" && slices.Contains([]string{"userdata", "cache", "metadata"}, words[2]):
		case (len(words) == 2 || len(words) == 3) && words[0] == "flash" && !strings.HasPrefix(words[1], "-"):
			image := UpdateImage{Partition: words[1], File: words[1] + ".img"}
			if len(words) == 3 {
				image.File = words[2]
			}
			if !fs.ValidPath(image.File) {
				return fmt.Errorf("%.60q does not name a file of the update", line)
			}
			u.Images = append(u.Images, image)
		default:
			return fmt.Errorf("these phones do not support %.60q", line)
		}
		return nil
	})
}

// Copy writes an image of the update to w, which is not more than its size.
func (u *Update) Copy(w io.Writer, image UpdateImage) error {
	f, err := u.files.Open(image.File)
	if err != nil {
		return err
	}
	n, err := io.Copy(w, io.LimitReader(f, image.Size+1))
	if err == nil && n != image.Size {
		err = fmt.Errorf("%s does not have its announced size of %d bytes", image.File, image.Size)
	}
	return errors.Join(err, f.Close())
}
