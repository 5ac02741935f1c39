package simphone

import (
	"bytes"
	"fmt"

	"xflash/internal/simphone/taimage"
)

// A BootMode is where a phone ends up after its power key was pressed.
type BootMode int

const (
	ModeAndroid BootMode = iota // it works
	ModeFlash                   // back in flash mode: a flash was not finished
	ModeStuck                   // boots but never gets to the end
	ModeRed                     // solid red light, no start; flash mode still works by its keys
	ModeDead                    // red blinking or nothing, not on USB
	ModeCorrupt                 // verified boot refuses what is there
	ModeNoModem                 // Android works, without a network: the modem has lost its identity
)

func (m BootMode) String() string {
	return [...]string{"android", "flash mode", "stuck", "no start", "dead", "corrupt", "no modem identity"}[m]
}

// A BootResult is what the person with the phone sees.
type BootResult struct {
	Mode   BootMode
	Screen string // what screen and light show
	Reason string // what the phone found
}

// Where the magic number of an ext4 file system lies.
const (
	ext4MagicAt = 0x438
	ext4Magic   = "\x53\xEF"
)

// PowerOn unplugs the phone, switches it off and presses its power key. With
// unit 10100 left at 1 it comes up in flash mode again, on a new cable (our model,
// usbproto/s1/PROTOCOL.md §10.1). Otherwise it looks at the disk the way a boot loader and
// then Android do, and tells how far it gets; the phone is then not on the bus.
// The states are those of internal/phone/PHONES.md §8.
func (p *Phone) PowerOn() BootResult {
	p.Unplug()
	if p.command != nil {
		return p.commandPowerOn()
	}
	p.disk.loadTable()
	if p.disk.table() == nil {
		return BootResult{ModeDead, "slow red blinking, nothing on USB", "the disk has no valid partition table"}
	}
	image, err := p.readTrimArea()
	if err != nil || !image.HasPartition(2) {
		return BootResult{ModeDead, "slow red blinking, nothing on USB", "the trim area is not valid"}
	}
	for _, label := range p.kind.chain {
		if part, err := p.InForce(label); err != nil || part.blank() {
			return BootResult{ModeDead, "black, no light, nothing on USB", "there is nothing in " + label}
		}
	}
	first := func(unit uint32) byte {
		u, _ := image.Unit(2, unit)
		return append(u.Data, 0)[0]
	}
	if first(unitFlashState) != 0 {
		p.FlashMode()
		return BootResult{ModeFlash, "black, green light", "unit 10100 says that a flash was not finished"}
	}
	if !p.startsWith("boot", "\x7fELF") && !p.startsWith("boot", "ANDROID!") {
		return BootResult{ModeRed, "black, solid red light", "there is no kernel in boot"}
	}
	if why := p.kernelHeader(image); why != "" {
		return BootResult{ModeRed, "black, solid red light", why}
	}
	if first(unitFOTA) != 0 {
		return BootResult{ModeStuck, "SONY logo, restarts over and over", "unit 2404 sends it into an update that is not there"}
	}
	if !p.ext4("system") {
		return BootResult{ModeStuck, "SONY logo, stays there", "there is no file system in system"}
	}
	if !p.ext4("userdata") && !p.blank("userdata") {
		return BootResult{ModeStuck, "asks for a password that nobody knows, then restarts", "userdata is encrypted with a key of another phone or ROM"}
	}
	return BootResult{ModeAndroid, "XPERIA logo, then the lock screen", "everything it needs is there"}
}

// kernelHeader looks at the SIN header that the loader keeps of the last kernel.
// Phones that never got one by flash mode have none.
func (p *Phone) kernelHeader(image *taimage.Image) string {
	u, ok := image.Unit(2, unitKernelHeader)
	if !ok {
		return ""
	}
	h, why := parseSINHeader(u.Data)
	if why != 0 {
		return fmt.Sprintf("the kernel's header in unit %d is damaged", unitKernelHeader)
	}
	if _, why := checkSignature(h); why != 0 && !p.options.TrustAny {
		return fmt.Sprintf("the kernel's header in unit %d has a wrong signature", unitKernelHeader)
	}
	return ""
}

// start reads the first bytes of a partition.
func (p *Phone) start(label string) []byte {
	partition, err := p.Partition(label)
	if err != nil {
		return nil
	}
	return partition.start()
}

func (p *Partition) start() []byte {
	b := make([]byte, 4096)
	if _, err := p.ReadAt(b, 0); err != nil {
		return nil
	}
	return b
}

// blank reports that there is nothing at the start of the partition.
func (p *Partition) blank() bool { return len(bytes.Trim(p.start(), "\x00")) == 0 }

func (p *Phone) startsWith(label, magic string) bool {
	return bytes.HasPrefix(p.start(label), []byte(magic))
}

func (p *Phone) ext4(label string) bool {
	b := p.start(label)
	return len(b) > ext4MagicAt && bytes.HasPrefix(b[ext4MagicAt:], []byte(ext4Magic))
}

// blank reports that the start of a partition is empty: Android makes a new file
// system there.
func (p *Phone) blank(label string) bool {
	b := p.start(label)
	return b != nil && len(bytes.Trim(b, "\x00")) == 0
}
