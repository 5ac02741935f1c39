package simphone

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"xflash/internal/simphone/taimage"
)

// A commandPhone is what a phone of 2017 or later has. Its state directory holds lunN.img
// for each unit of UFS, or emmc.img, with the phone's block size; ta.img and phone.json as
// other phones; and journal.jsonl, a line for every change.
type commandPhone struct {
	model *commandModel
	luns  []*disk
	state commandState

	replugged bool // this is not its first stay on the bus
}

// commandState is its phone.json.
type commandState struct {
	Name, Product, Storage, Serial string

	Slot   string                `json:",omitempty"` // in use
	Super  string                `json:",omitempty"` // slots that super has a system for
	Images map[string]imageState // by label
	// Rollback is the lowest rollback index of vbmeta that still starts.
	Rollback uint64
}

// imageState says what is in a partition.
type imageState struct {
	Build string // version of the firmware it came from
	Part  bool   // chunks are missing
}

// factoryBuild is the firmware of a new phone.
const factoryBuild = "factory"

const journalFile = "journal.jsonl"

// storedName is the name of the phone in the state directory, "" when there is none.
func (p *Phone) storedName() (string, error) {
	text, err := os.ReadFile(p.path(settingsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	var stored struct{ Name string }
	if err := json.Unmarshal(text, &stored); err != nil {
		return "", fmt.Errorf("%s: %w", settingsFile, err)
	}
	return stored.Name, nil
}

// loadCommand makes the phone if there is none, and opens it.
func (p *Phone) loadCommand() error {
	o := &p.options
	c := &commandPhone{state: commandState{Name: p.kind.name, Product: o.Model, Storage: o.Storage, Serial: "QV7SIM0001"}}
	text, err := os.ReadFile(p.path(settingsFile))
	isNew := errors.Is(err, fs.ErrNotExist)
	switch {
	case isNew:
	case err != nil:
		return err
	default:
		if err := json.Unmarshal(text, &c.state); err != nil {
			return fmt.Errorf("%s: %w", settingsFile, err)
		}
		if o.Storage != "" && o.Storage != c.state.Storage {
			return fmt.Errorf("this phone has %s and cannot get %s", c.state.Storage, o.Storage)
		}
	}
	if o.Model != "" {
		c.state.Product = o.Model
	}
	if o.Serial != "" {
		c.state.Serial = o.Serial
	}
	if c.state.Storage == "" {
		c.state.Storage = StorageUFS
	}
	c.model = commandModelOf(c.state.Name, c.state.Storage, c.state.Product)
	if c.state.Product == "" {
		c.state.Product = c.model.product
	}
	p.command = c
	p.settings.Serial = c.state.Serial
	if isNew {
		if err := p.makeCommand(); err != nil {
			return err
		}
	} else if o.Slot != "" && c.model.slots {
		c.state.Slot = o.Slot
	}
	for i := range c.model.luns {
		d, err := openLUN(p.path(c.lunFile(i)), c.model.block())
		if err != nil {
			return err
		}
		c.luns = append(c.luns, d)
	}
	return p.saveCommand()
}

// lunFile is the name of the file of a logical unit.
func (c *commandPhone) lunFile(lun int) string {
	if c.model.emmc {
		return emmcFile
	}
	return fmt.Sprintf("lun%d.img", lun)
}

func openLUN(path string, block int64) (*disk, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	d := &disk{file: f, size: info.Size()}
	d.loadLUN(block)
	return d, nil
}

// loadLUN reads the first copy of the table; a unit without a valid one has no partitions.
func (d *disk) loadLUN(block int64) {
	d.known.Store(nil)
	b := make([]byte, tableBytes(block))
	if _, err := d.file.ReadAt(b, 0); err != nil {
		return
	}
	if t, err := parseLUNTable(b, block); err == nil && int64(t.last) < d.size/block {
		d.known.Store(t.inSectors())
	}
}

func (p *Phone) saveCommand() error {
	text, err := json.MarshalIndent(p.command.state, "", "  ")
	if err != nil {
		return err
	}
	return replaceFile(p.path(settingsFile), append(text, '\n'))
}

// makeCommand builds a healthy phone's files. One that runs on slot b got there by an
// update: then both slots are filled.
func (p *Phone) makeCommand() error {
	c := p.command
	c.state.Images = map[string]imageState{}
	filled := []string{""}
	if c.model.slots {
		c.state.Slot = "a"
		filled = append(filled, "_a")
	}
	if p.options.Slot == "b" {
		c.state.Slot = "b"
		filled = append(filled, "_b")
	}
	if c.model.super {
		c.state.Super = "a"
		if p.options.Slot == "b" {
			c.state.Super = "ab"
		}
	}
	for lun, kib := range c.model.luns {
		size := kib << 10
		if lun == 0 && p.options.Disk != 0 {
			size = p.options.Disk
		}
		if size%c.model.block() != 0 {
			return fmt.Errorf("a unit of %d bytes: need a multiple of %d", size, c.model.block())
		}
		if err := c.makeLUN(p.path(c.lunFile(lun)), lun, size, filled); err != nil {
			return err
		}
	}
	trim, err := c.factoryTrim()
	if err != nil {
		return err
	}
	return replaceFile(p.TrimArea(), trim)
}

// factoryTrim is the trim area of a new phone; those made so far are kept with other
// phones', by what differs in them.
func (c *commandPhone) factoryTrim() ([]byte, error) {
	key := c.model.kind + " " + c.model.baseband + " " + c.state.Product + " " + c.state.Serial
	if made, ok := factoryTrims.Load(key); ok {
		return made.([]byte), nil
	}
	image := taimage.New()
	for _, u := range c.factoryUnits() {
		if err := image.Set(u.partition, u.unit, u.data); err != nil {
			return nil, err
		}
	}
	trim := image.Encode()
	factoryTrims.Store(key, trim)
	return trim, nil
}

func (c *commandPhone) makeLUN(path string, lun int, size int64, filled []string) error {
	t, err := c.model.table(lun, size)
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
	if err := t.write(f, size); err != nil {
		return err
	}
	for _, e := range t.inSectors().Entries {
		slot := e.Name[len(bareName(e.Name)):]
		if !slices.Contains(filled, slot) {
			continue
		}
		content := invented(e.Name, 8192)
		if e.Name == "userdata" {
			content = ext4Stub(e.Size())
		}
		if _, err := f.WriteAt(content, e.Offset()); err != nil {
			return err
		}
		c.state.Images[e.Name] = imageState{Build: factoryBuild}
	}
	return f.Close()
}

// factoryUnits is the trim area of a new phone: what Sony's own tool asks for, and what
// must never change. Its contents are invented.
func (c *commandPhone) factoryUnits() []factoryUnit {
	return []factoryUnit{
		{1, 1877, invented("band calibration", 600)},
		{2, unitHWConf, invented("hardware configuration", 900)},
		{2, unitSIMLock, invented("simlock", 600)},
		{2, 2021, []byte{1}},
		{2, unitSIMLockSign, invented("simlock signature", 128)},
		{2, 2171, []byte("c001526")},
		{2, unitSoftware, cString(c.model.baseband)},
		{2, unitCustom, cString("1310-4371_R3C")},
		{2, unitBuildType, cString("user")},
		{2, unitModel, cString(c.state.Product)},
		{2, unitFOTA, []byte{0}},
		{2, 2475, []byte("2018-03-01 factory\n")},
		{2, 2560, invented("wlan", 6)},
		{2, 2568, invented("bluetooth", 6)},
		{2, unitSerial, cString(c.state.Serial)},
		{2, unitFlashState, []byte{0}},
		{2, unitDeviceKey, invented("device key", 16)},
	}
}

// A Written is one line of the journal: something that was asked to change the phone.
type Written struct {
	Command string `json:"command"`           // its word: flash, erase, Repartition, Write-TA, signature, set_active, Sync, powerdown…
	Target  string `json:"target,omitempty"`  // partition, unit as 2:10100, logical unit, slot, or the signed name
	Bytes   int64  `json:"bytes,omitempty"`   // of what came with it
	SHA256  string `json:"sha256,omitempty"`  // of the same
	Flag    byte   `json:"flag"`              // unit 10100 before it
	Refused string `json:"refused,omitempty"` // why nothing was done
}

// Journal lists what hosts have asked to change since the phone was made.
func (p *Phone) Journal() (list []Written, err error) {
	f, err := os.Open(p.path(journalFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for d := json.NewDecoder(f); d.More(); {
		var w Written
		if err := d.Decode(&w); err != nil {
			return list, err
		}
		list = append(list, w)
	}
	return list, nil
}

// record appends to the journal.
func (p *Phone) record(w Written) error {
	text, err := json.Marshal(w)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(p.path(journalFile), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	return errors.Join(err, f.Close())
}
