package simphone

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Generations of the boot loader that Options.Aboot names (fastboot/bootimg/FORMAT.md §2.3,
// §2.4).
const (
	Aboot2013 = "2013"
	Aboot2014 = "2014"
	Aboot2015 = "2015"
)

// abootDownload is MAX_DOWNLOAD of the simulated loader in bytes. What a Z3 Compact has is
// not known (fastboot/PROTOCOL.md §6); public loaders of its time have more.
const abootDownload = 64 << 20

// Aboot is the phone in fastboot mode: an LK boot loader with what Sony is known to have
// changed. It takes messages and answers with messages; how they travel is the business of
// the connections in abootconn.go. It is used by one connection at a time.
//
// Commands and answers follow fastboot/PROTOCOL.md §3, message for message.
type Aboot struct {
	phone      *Phone
	generation string
	locked     bool
	cable      *cable
	faults     []Fault

	answers [][]byte // to the present message
	want    int64    // bytes of the download that are still to come
	data    []byte   // downloaded
	heard   int      // commands so far
	gone    bool     // it left: a kernel was started, or the phone starts again
	silent  bool     // it hangs

	Started string  // what it left for: "boot", "continue", "reboot", "reboot-bootloader"
	Outcome Outcome // of "boot"
}

// Fastboot puts the phone into fastboot mode: off, volume up held, cable plugged. Phones of
// CommandNames have no fastboot mode here.
func (p *Phone) Fastboot() *Aboot {
	p.Unplug()
	p.disk.loadTable()
	a := &Aboot{phone: p, generation: p.options.Aboot, locked: p.settings.Locked, cable: newCable(), faults: p.options.Faults}
	if a.generation == "" {
		a.generation = Aboot2013
	}
	for _, f := range a.at(FaultStale) {
		a.cable.in = append(a.cable.in, transfer{[]byte(f.Arg), true})
	}
	p.fastboot = a
	return a
}

// answerLimit is how long a message of these loaders can be, in bytes.
const answerLimit = 64

func (a *Aboot) say(kind, text string) {
	message := kind + text
	a.answers = append(a.answers, []byte(message[:min(len(message), answerLimit)]))
}

// note tells the log what happens. The text must not hold the phone's identity.
func (a *Aboot) note(text string) {
	if log := a.phone.options.Log; log != nil {
		log(Event{Packet: a.heard, Note: "fastboot: " + text})
	}
}

func (a *Aboot) okay(text string) { a.say("OKAY", text) }
func (a *Aboot) fail(text string) { a.say("FAIL", text) }
func (a *Aboot) info(text string) { a.say("INFO", text) }

// message is one message of the host: data while a download is under way, else a command.
// It gives the phone's answers in the order in which they go out, and how long they take.
func (a *Aboot) message(b []byte) (answers [][]byte, delay time.Duration) {
	a.answers = nil
	switch {
	case a.silent:
	case a.want > 0:
		a.take(b)
	default:
		a.heard++
		if a.before() {
			a.command(string(b[:min(len(b), answerLimit)]))
		}
	}
	if a.silent {
		return nil, 0
	}
	return a.after()
}

// take is the data phase of a download. Bytes after its last one are lost.
func (a *Aboot) take(b []byte) {
	b = b[:min(int64(len(b)), a.want)]
	a.data = append(slices.Grow(a.data, int(min(a.want, 32<<20))), b...)
	a.want -= int64(len(b))
	switch {
	case a.dataFault():
	case a.want == 0:
		a.okay("")
	}
}

func (a *Aboot) command(command string) {
	for _, h := range abootCommands {
		if argument, ok := strings.CutPrefix(command, h.prefix); ok {
			a.note(h.prefix)
			h.run(a, argument)
			return
		}
	}
	a.note("a command it does not know")
	a.fail("unknown command")
}

// abootCommands are tried in this order; a prefix is enough, as in LK.
var abootCommands []struct {
	prefix string
	run    func(*Aboot, string)
}

func init() { // the table and getvar:all refer to each other
	abootCommands = []struct {
		prefix string
		run    func(*Aboot, string)
	}{
		{"getvar:", (*Aboot).getvar},
		{"download:", (*Aboot).download},
		{"flash:", (*Aboot).flash},
		{"erase:", (*Aboot).erase},
		{"boot", func(a *Aboot, _ string) { a.boot() }},
		{"continue", func(a *Aboot, _ string) { a.leave("continue") }},
		{"reboot-bootloader", func(a *Aboot, _ string) { a.leave("reboot-bootloader") }},
		{"reboot", func(a *Aboot, _ string) { a.leave("reboot") }},
		{"oem device-info", (*Aboot).deviceInfo},
		{"oem enable-charger-screen", func(a *Aboot, _ string) { a.okay("") }},
		{"oem disable-charger-screen", func(a *Aboot, _ string) { a.okay("") }},
		{"oem unlock", (*Aboot).unlock},
		{"preflash", func(a *Aboot, _ string) { a.okay("") }},
	}
}

// leave answers and is gone.
func (a *Aboot) leave(how string) {
	a.okay("")
	a.gone, a.Started = true, how
}

// download drops what was downloaded before, also when it refuses. No answer mentions a
// malformed number, so the command loop answers (fastboot/PROTOCOL.md §3.2).
func (a *Aboot) download(argument string) {
	a.data = a.data[:0]
	n, err := strconv.ParseUint(argument, 16, 32)
	switch {
	case err != nil:
		a.fail("unknown reason")
	case n > abootDownload:
		a.fail("data too large")
	default:
		a.want = int64(n)
		a.say("DATA", fmt.Sprintf("%08x", a.announced(n)))
		if n == 0 {
			a.okay("")
		}
	}
}

// variables in the order of getvar:all.
func (a *Aboot) variables() [][2]string {
	yes := func(b bool) string {
		if b {
			return "yes"
		}
		return "no"
	}
	list := [][2]string{
		{"version", "0.5"},
		{"version-bootloader", spaceID + "_" + a.phone.settings.BootVersion},
		{"version-baseband", softwareVersion},
		{"product", a.phone.settings.Model},
		{"serialno", a.phone.settings.Serial},
		{"kernel", "lk"},
		{"secure", yes(a.locked)},
		{"max-download-size", fmt.Sprintf("0x%08x", abootDownload)},
	}
	if a.generation == Aboot2015 {
		list = append(list, [2]string{"unlocked", yes(!a.locked)})
	}
	for _, name := range []string{"userdata", "system", "cache"} {
		if p, err := a.phone.Partition(name); err == nil {
			list = append(list, [2]string{"partition-type:" + name, "ext4"}, [2]string{"partition-size:" + name, fmt.Sprintf("0x%016x", p.Size())})
		}
	}
	return list
}

// getvar answers an unknown name with an empty value, as LK does.
func (a *Aboot) getvar(name string) {
	if name == "all" {
		for _, v := range a.variables() {
			a.info(v[0] + ":" + v[1])
		}
		a.okay("")
		return
	}
	for _, v := range a.variables() {
		if v[0] == name {
			a.okay(v[1])
			return
		}
	}
	a.okay("")
}

func (a *Aboot) deviceInfo(string) {
	a.info(fmt.Sprintf("\tDevice tampered: %t", false))
	a.info(fmt.Sprintf("\tDevice unlocked: %t", !a.locked))
	a.okay("")
}

// unlock accepts Sony's code: 0x and 16 hexadecimal digits (fastboot/PROTOCOL.md §5). Which
// code is right only Sony knows; here every one is. The code is kept in unit 2226, the
// device key and the owner's data are lost (internal/phone/PHONES.md §9.4).
func (a *Aboot) unlock(argument string) {
	digits, ok := strings.CutPrefix(strings.TrimSpace(argument), "0x")
	_, err := strconv.ParseUint(digits, 16, 64)
	switch {
	case !ok:
		a.fail(`Incorrect format for unlock data. Should be on the form "0x...`)
	case err != nil || len(digits) != 16:
		a.fail("Command did not succeed")
	case !a.locked:
		a.fail("Device already unlocked")
	case a.opened(digits) != nil:
		a.fail("Command did not succeed")
	default:
		a.locked = false
		a.okay("")
	}
}

// opened stores what unlocking changes.
func (a *Aboot) opened(digits string) error {
	p := a.phone
	if err := p.SetUnit(2, unitUnlockCode, []byte(strings.ToUpper(digits))); err != nil {
		return err
	}
	if err := p.SetUnit(2, unitDeviceKey, nil); err != nil {
		return err
	}
	if userdata, err := p.Partition("userdata"); err == nil {
		if err := userdata.fill(0, 0, uint64(userdata.Size())); err != nil {
			return err
		}
	}
	p.settings.Locked = false
	return p.saveSettings()
}

// flashNames are the names that Sony's loader accepts and the partitions they mean
// (internal/phone/PHONES.md §3.7).
var flashNames = map[string]string{
	"boot": "boot", "recovery": "FOTAKernel", "system": "system", "userdata": "userdata", "cache": "cache",
}

// target finds the partition of a flash or erase command; its refusal has been said when
// it is nil. A name that is in the partition table but not on the loader's list is not
// allowed (internal/phone/PHONES.md §3.7); which answer comes first for others is a model.
func (a *Aboot) target(name string) *Partition {
	label, listed := flashNames[name]
	if !listed {
		label = name
	}
	p, err := a.phone.Partition(label)
	switch {
	case a.locked:
		a.fail("Command not allowed")
	case err != nil:
		a.fail("Partition table doesn't exist\n")
	case !listed:
		a.fail("Command not allowed")
	default:
		return p
	}
	return nil
}

func (a *Aboot) erase(name string) {
	p := a.target(name)
	if p == nil {
		return
	}
	if err := p.fill(0, 0, uint64(p.Size())); err != nil {
		a.fail("failed to erase partition")
		return
	}
	a.okay("")
}
