package simphone

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"

	"xflash/internal/simphone/mkimage"
	"xflash/internal/simphone/taimage"
)

// Files of the state directory. phone.json is written last, so a directory
// without it holds no phone yet.
const (
	settingsFile = "phone.json"
	emmcFile     = "emmc.img"
	trimFile     = "ta.img"
	hwRootFile   = "hwconf-root.pem" // root of this phone's hardware configuration
)

// settings are the facts of one phone that are neither on its disk nor in its
// trim area, and those that must agree with the trim area.
type settings struct {
	Name         string `json:",omitempty"` // of the kind of phone; empty is z3c
	Model        string
	Serial       string
	BootVersion  string
	OTPLock      string
	OTPData      string
	IDCode       string
	PlatformRoot string
	UniqueID     string
	IMEI         string
	HWConf       string
	Locked       bool // the boot loader is
}

// spaceID is the product id in version texts of the boot delivery; unit 2207 has
// it in front of the boot version (ftf/FORMAT.md §5).
const spaceID = "1281-2190"

// healthy is a phone as it leaves the factory. All numbers are invented; the
// IMEI starts with the code for test equipment.
func healthy(k *phoneKind) settings {
	root := sha256.Sum256([]byte("simulated platform root"))
	return settings{
		Name:         k.name,
		Model:        k.model,
		Serial:       "CB5A25SIM1",
		BootVersion:  k.bootVersion,
		OTPLock:      "LOCKED",
		OTPData:      "01000400",
		IDCode:       k.idCode,
		PlatformRoot: fmt.Sprintf("%X", root),
		UniqueID:     "0011223344556677",
		IMEI:         "00499901064000",
		HWConf:       HWConfGood,
	}
}

// loadState makes the phone if there is none, and applies the options to it.
func (p *Phone) loadState() error {
	old := healthy(p.kind)
	text, err := os.ReadFile(p.path(settingsFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := p.make(); err != nil {
			return err
		}
	case err != nil:
		return err
	default:
		if err := json.Unmarshal(text, &old); err != nil {
			return fmt.Errorf("%s: %w", settingsFile, err)
		}
		old.Name = cmp.Or(old.Name, DefaultName)
		if p.kind = phones[old.Name]; p.kind == nil {
			return unknownPhone(old.Name)
		}
		if info, err := os.Stat(p.EMMC()); err != nil {
			return err
		} else if p.options.Disk != 0 && p.options.Disk != info.Size() {
			return fmt.Errorf("the disk has %d bytes and cannot become one of %d", info.Size(), p.options.Disk)
		}
	}
	p.settings = old
	o := &p.options
	for _, change := range []struct {
		to   *string
		from string
	}{
		{&p.settings.Model, o.Model}, {&p.settings.Serial, o.Serial}, {&p.settings.BootVersion, o.BootVersion},
		{&p.settings.OTPLock, o.OTPLock}, {&p.settings.OTPData, o.OTPData}, {&p.settings.HWConf, o.HWConf},
	} {
		if change.from != "" {
			*change.to = change.from
		}
	}
	p.settings.Locked = p.settings.Locked || o.Locked
	if err := p.applySettings(old); err != nil {
		return err
	}
	return p.saveSettings()
}

// make builds a healthy phone's files.
func (p *Phone) make() error {
	size := p.options.Disk
	if size == 0 {
		size = DiskSize
	}
	if err := makeDisk(p.EMMC(), p.kind.name, size); err != nil {
		return err
	}
	trim, root, err := factoryTrimArea(p.kind)
	if err != nil {
		return err
	}
	if err := replaceFile(p.path(hwRootFile), root); err != nil {
		return err
	}
	return replaceFile(p.TrimArea(), trim)
}

// applySettings changes the units that tell what the settings tell.
func (p *Phone) applySettings(old settings) error {
	s := p.settings
	image, err := p.readTrimArea()
	if err != nil {
		return err
	}
	var changed bool
	for _, c := range []struct {
		unit  uint32
		value []byte
		apply bool
	}{
		{unitModel, cString(s.Model), s.Model != old.Model},
		{unitModel, []byte(unknownModel), p.options.Unknown2210},
		{unitSerial, cString(s.Serial), s.Serial != old.Serial},
		{unitBootVersion, cString(spaceID + "_" + s.BootVersion), s.BootVersion != old.BootVersion},
	} {
		if !c.apply {
			continue
		}
		if err := image.Set(2, c.unit, c.value); err != nil {
			return err
		}
		changed = true
	}
	if changed {
		if err := p.storeTrimArea(image); err != nil {
			return err
		}
	}
	if s.HWConf != old.HWConf {
		return p.installHWConf(s)
	}
	return nil
}

func (p *Phone) saveSettings() error {
	text, err := json.MarshalIndent(p.settings, "", "  ")
	if err != nil {
		return err
	}
	return replaceFile(p.path(settingsFile), append(text, '\n'))
}

// trimCache is the trim area as it was last read, for as long as the file stays the same
// one: every change of this program replaces it.
type trimCache struct {
	sync.Mutex
	file os.FileInfo
	raw  []byte
}

// readTrimArea reads the trim area as it is stored.
func (p *Phone) readTrimArea() (*taimage.Image, error) {
	c := &p.trim
	c.Lock()
	defer c.Unlock()
	now, err := os.Stat(p.TrimArea())
	if err != nil {
		return nil, err
	}
	if c.file == nil || !os.SameFile(c.file, now) || !c.file.ModTime().Equal(now.ModTime()) {
		c.file = nil
		if c.raw, err = os.ReadFile(p.TrimArea()); err != nil {
			return nil, err
		}
		c.file = now
	}
	return taimage.Parse(c.raw)
}

// storeTrimArea stores the whole trim area in one step: whoever is killed at
// any time leaves the old or the new one.
func (p *Phone) storeTrimArea(image *taimage.Image) error {
	return replaceFile(p.TrimArea(), image.Encode())
}

// replaceFile gives a file new content in one step.
func replaceFile(name string, content []byte) error {
	next := name + ".new"
	if err := os.WriteFile(next, content, 0o644); err != nil {
		return err
	}
	return os.Rename(next, name)
}

// makeDisk makes a sparse disk with the partition table and what a healthy phone
// has at the start of its partitions.
func makeDisk(path, kind string, size int64) error {
	table, err := Layout(kind, size)
	if err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		return err
	}
	if err := mkimage.WriteGPT(f, table); err != nil {
		return err
	}
	for _, e := range table.Entries {
		if content := specOf(e.Name).fill.content(e.Name, e.Size()); content != nil {
			if _, err := f.WriteAt(content, e.Offset()); err != nil {
				return err
			}
		}
	}
	return f.Close()
}

// installHWConf writes unit 2003 as the settings want it, and the root it is
// signed with.
func (p *Phone) installHWConf(s settings) error {
	authority, err := hwAuthority()
	if err != nil {
		return err
	}
	if err := replaceFile(p.path(hwRootFile), authority.RootPEM()); err != nil {
		return err
	}
	if s.HWConf == HWConfMissing {
		return p.SetUnit(2, unitHWConf, nil)
	}
	raw, err := signedHWConf(authority, s)
	if err != nil {
		return err
	}
	return p.SetUnit(2, unitHWConf, raw)
}
