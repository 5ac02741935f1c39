package simphone

import (
	"cmp"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"xflash/sin"
)

// loaderStart is the time between the last packet of a loader and its hello.
// A real one takes about a second (usbproto/s1/PROTOCOL.md §10.1); what matters to a host
// is that it is not at once.
const loaderStart = 20 * time.Millisecond

// A Phone is a simulated phone with its state directory. Its methods may be
// called from one goroutine at a time; connections are independent of that.
type Phone struct {
	options   Options
	kind      *phoneKind
	dir       string
	temporary bool
	settings  settings
	disk      *disk
	trim      trimCache
	roots     []*sin.Certificate // further roots
	hwRoot    *sin.Certificate   // of the hardware configuration

	command *commandPhone // of a phone of 2017 or later, which has no disk

	cable    *cable // nil: never in flash mode
	done     chan struct{}
	fastboot *Aboot // nil: never in fastboot mode
	run      *flashRun
}

// A flashRun is the state of one stay in flash mode.
type flashRun struct {
	packet int // number of the last host packet
	faults []Fault
	hello  string
}

// greets reports that a stage speaks first.
func (r *flashRun) greets(stage Stage) bool {
	switch r.hello {
	case HelloNone:
		return false
	case HelloNoBoot:
		return stage != StageBoot
	case HelloNoLoader:
		return stage != StageLoader
	}
	return true
}

// Open makes a healthy phone in the state directory, or takes the one that is
// there, applies the options, and puts it into flash mode as its owner would:
// off, volume down held, cable plugged. With InFastboot it stays off until Fastboot
// is called. Close it.
func Open(o Options) (*Phone, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	o.Faults = slices.Clone(o.Faults)
	for i := range o.Faults {
		if err := o.Faults[i].parseArg(); err != nil {
			return nil, err
		}
	}
	p := &Phone{options: o, dir: o.Dir, kind: phones[cmp.Or(o.Name, DefaultName)]}
	if p.dir == "" {
		dir, err := os.MkdirTemp("", "xflash-sim-")
		if err != nil {
			return nil, err
		}
		p.dir, p.temporary = dir, true
	}
	if err := p.load(); err != nil {
		p.Close()
		return nil, fmt.Errorf("simulated phone in %s: %w", p.dir, err)
	}
	if !o.InFastboot {
		p.FlashMode()
	}
	return p, nil
}

func (p *Phone) load() error {
	if err := os.MkdirAll(p.dir, 0o755); err != nil {
		return err
	}
	stored, err := p.storedName()
	if err != nil {
		return err
	}
	if stored != "" && p.options.Name != "" && p.options.Name != stored {
		return fmt.Errorf("this is a %s and cannot become a %s", stored, p.options.Name)
	}
	if kind := phones[stored]; kind != nil {
		p.kind = kind
	}
	for _, name := range p.options.RootFiles {
		root, err := readRoot(name)
		if err != nil {
			return err
		}
		p.roots = append(p.roots, root)
	}
	if p.kind.command != nil {
		return p.loadCommand()
	}
	if err := p.loadState(); err != nil {
		return err
	}
	if p.hwRoot, err = readRoot(p.path(hwRootFile)); err != nil {
		return err
	}
	p.disk, err = openDisk(p.EMMC())
	return err
}

// readRoot reads one certificate in PEM form.
func readRoot(name string) (*sin.Certificate, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, fmt.Errorf("%s: no certificate in PEM form", name)
	}
	root, err := sin.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return root, nil
}

func (p *Phone) path(name string) string { return filepath.Join(p.dir, name) }

// Dir is the state directory.
func (p *Phone) Dir() string { return p.dir }

// EMMC is the path of the disk image: sparse, with a real partition table.
func (p *Phone) EMMC() string { return p.path(emmcFile) }

// TrimArea is the path of the 2 MiB trim area image. The partition TA inside the
// disk image is not used.
func (p *Phone) TrimArea() string { return p.path(trimFile) }

// Serial is the phone's serial number.
func (p *Phone) Serial() string { return p.settings.Serial }

// Partition opens the partition with that label, as root on the phone would.
func (p *Phone) Partition(label string) (*Partition, error) {
	if p.command != nil {
		return p.command.partition(label)
	}
	if p.disk.table() == nil {
		return nil, errors.New("the phone's disk has no valid partition table")
	}
	e, ok := p.disk.table().ByName(label)
	if !ok {
		return nil, fmt.Errorf("the phone has no partition %s", label)
	}
	return &Partition{p.disk, e}, nil
}

// Unit reads a unit as it is stored in ta.img; false when it is not there.
func (p *Phone) Unit(partition int, unit uint32) ([]byte, bool, error) {
	image, err := p.readTrimArea()
	if err != nil {
		return nil, false, err
	}
	u, ok := image.Unit(partition, unit)
	return u.Data, ok, nil
}

// SetUnit changes a unit in ta.img behind the phone's back; nil deletes it. The
// phone must not be on the bus with its trim area open.
func (p *Phone) SetUnit(partition int, unit uint32, data []byte) error {
	image, err := p.readTrimArea()
	if err != nil {
		return err
	}
	if data == nil {
		image.Delete(partition, unit)
	} else if err := image.Set(partition, unit, data); err != nil {
		return err
	}
	return p.storeTrimArea(image)
}

// FlashMode switches the phone off and on again into flash mode, with the cable
// plugged. Connections from before are dead. Faults count their packets again.
func (p *Phone) FlashMode() {
	p.Unplug()
	p.cable = newCable()
	p.done = make(chan struct{})
	p.run = &flashRun{faults: p.options.Faults, hello: p.options.Hello}
	if p.command != nil {
		go p.commandProgram(p.cable, p.done)
		return
	}
	p.disk.loadTable()
	go p.flashProgram(p.cable, p.done)
}

// Unplug pulls the cable and lets the phone lose its power: trim area writes
// that were not stored by closing it are lost.
func (p *Phone) Unplug() {
	if p.fastboot != nil {
		p.fastboot.cable.unplug()
	}
	if p.cable != nil {
		p.cable.unplug()
		<-p.done
	}
}

// OnBus reports that the phone can be seen on the bus in flash mode.
func (p *Phone) OnBus() bool { return p.cable != nil && p.cable.onBus() }

// Close unplugs the phone and removes a temporary state directory.
func (p *Phone) Close() error {
	p.Unplug()
	var err error
	if p.disk != nil {
		err = p.disk.file.Close()
		p.disk = nil
	}
	if p.command != nil {
		for _, d := range p.command.luns {
			err = errors.Join(err, d.file.Close())
		}
		p.command.luns = nil
	}
	if p.temporary {
		err = errors.Join(err, os.RemoveAll(p.dir))
	}
	return err
}

// countPacket is called by the running program for each host packet.
func (p *Phone) countPacket() { p.run.packet++ }

// flashProgram is the phone in flash mode: boot stage, then the loader if one
// comes, until it leaves the bus.
func (p *Phone) flashProgram(c *cable, done chan struct{}) {
	defer close(done)
	defer c.unplug()
	boot := p.bootSession(c)
	next, err := boot.run()
	if err == nil && next == actionStartLoader {
		if err = c.pause(loaderStart); err != nil {
			return
		}
		if loader := p.loaderSession(c, boot.loader); loader != nil {
			next, err = loader.run()
		} else {
			next = actionHang
		}
	}
	if err == nil {
		c.leave(next)
	}
}

// bootSession starts the boot stage.
func (p *Phone) bootSession(c *cable) *session {
	s := p.session(c, StageBoot, p.options.BootMaxPacket, bootCommands)
	s.info = s.bootInfo
	s.sec.addRoots(p.roots)
	s.sec.conf = p.storedHWConf(s.sec)
	return s
}

// loaderSession starts the loader; nil when it hangs before its hello because it
// is itself too old for this phone (usbproto/s1/PROTOCOL.md §11.16).
func (p *Phone) loaderSession(c *cable, facts *loaderFacts) *session {
	model := p.kind.modelOf(facts.version)
	s := p.session(c, StageLoader, cmp.Or(p.options.LoaderMaxPacket, model.maxPacket), loaderCommands)
	s.info = s.loaderInfo
	s.loader, s.model = facts, model
	s.sec.live, s.sec.test = facts.live, facts.test
	s.sec.addRoots(p.roots)
	s.sec.conf = p.storedHWConf(s.sec)
	minimum := s.sec.fuseAID
	if s.sec.conf != nil {
		if r, ok := roleOf(s.sec.conf, roleLoader); ok {
			minimum = max(minimum, uint64(r.MinAID))
		}
	}
	if facts.aid < minimum {
		s.note("loader is too old for this phone and hangs")
		return nil
	}
	return s
}

// session is what both stages have.
func (p *Phone) session(c *cable, stage Stage, maxPacket uint32, commands map[uint32]command) *session {
	if maxPacket == 0 {
		maxPacket = defaultPacket
	}
	s := &session{
		phone: p, cable: c, stage: stage, maxPacket: maxPacket, commands: commands,
		model:  &loaderModel{}, // of the boot stage no such thing is known
		buffer: make([]byte, maxPacket+roomBehind),
		sec: &security{
			hwRoot:   p.hwRoot,
			trustAny: p.options.TrustAny,
			fused:    p.settings.OTPLock != "UNLOCKED",
			fuseAID:  max(p.options.FuseAID, 1),
		},
	}
	s.sec.uniqueID, _ = hex.DecodeString(p.settings.UniqueID)
	return s
}
