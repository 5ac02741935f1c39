package simphone

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Generations of the boot loader that Options.Aboot names (boot-fastboot.md §2.3, §2.4).
const (
	Aboot2013 = "2013"
	Aboot2014 = "2014"
	Aboot2015 = "2015"
)

// abootDownload is MAX_DOWNLOAD of the simulated loader in bytes. What a Z3 Compact has is
// not known (boot-fastboot.md §11); public loaders of its time have more.
const abootDownload = 64 << 20

// Aboot is the phone in fastboot mode: an LK boot loader with what Sony is known to have
// changed. It takes messages and answers with messages; how they travel is the business of
// the connections in abootconn.go. It is used by one connection at a time.
//
// Commands and answers follow boot-fastboot.md §3, message for message.
type Aboot struct {
	phone      *Phone
	generation string
	locked     bool

	reply   func(string)
	want    int64  // bytes of the download that are still to come
	data    []byte // downloaded
	heard   int    // commands so far
	gone    bool   // it left: a kernel was started, or the phone starts again
	Started string // what it left for: "boot", "continue", "reboot", "reboot-bootloader", "powerdown"
}

// Fastboot puts the phone into fastboot mode: off, volume up held, cable plugged.
func (p *Phone) Fastboot() *Aboot {
	p.Unplug()
	p.disk.loadTable()
	a := &Aboot{phone: p, generation: p.options.Aboot, locked: p.options.Locked}
	if a.generation == "" {
		a.generation = Aboot2013
	}
	return a
}

// answerLimit is how long a message of these loaders can be, in bytes.
const answerLimit = 64

func (a *Aboot) say(kind, text string) {
	message := kind + text
	a.reply(message[:min(len(message), answerLimit)])
}

func (a *Aboot) okay(text string) { a.say("OKAY", text) }
func (a *Aboot) fail(text string) { a.say("FAIL", text) }
func (a *Aboot) info(text string) { a.say("INFO", text) }

// message is one message of the host: data while a download is under way, else a command.
func (a *Aboot) message(b []byte, reply func(string)) {
	a.reply = reply
	if a.want > 0 {
		b = b[:min(int64(len(b)), a.want)]
		a.data = append(a.data, b...)
		if a.want -= int64(len(b)); a.want == 0 {
			a.okay("")
		}
		return
	}
	command := string(b)
	if len(command) > answerLimit {
		command = command[:answerLimit]
	}
	a.heard++
	for _, h := range abootCommands {
		if argument, ok := strings.CutPrefix(command, h.prefix); ok {
			h.run(a, argument)
			return
		}
	}
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
		{"powerdown", func(a *Aboot, _ string) { a.leave("powerdown") }},
		{"oem device-info", (*Aboot).deviceInfo},
		{"oem unlock", (*Aboot).unlock},
	}
}

// leave answers and is gone.
func (a *Aboot) leave(how string) {
	a.okay("")
	a.gone, a.Started = true, how
}

func (a *Aboot) download(argument string) {
	n, err := strconv.ParseUint(argument, 16, 32)
	switch {
	case err != nil:
		a.fail("unknown reason")
	case n > abootDownload:
		a.fail("data too large")
	default:
		a.data, a.want = a.data[:0], int64(n)
		a.say("DATA", fmt.Sprintf("%08x", n))
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
		{"version-bootloader", "1281-2190_" + a.phone.settings.BootVersion},
		{"version-baseband", ""},
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
			a.info(v[0] + ": " + v[1])
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

// unlock takes Sony's code: 0x and 16 hexadecimal digits (boot-fastboot.md §8.4). Which
// code is right only Sony knows; here every one is. The keys of the trim area are lost.
func (a *Aboot) unlock(argument string) {
	code, ok := strings.CutPrefix(strings.TrimSpace(argument), "0x")
	if _, err := strconv.ParseUint(code, 16, 64); !ok || err != nil || len(code) != 16 {
		a.fail("Command did not succeed")
		return
	}
	a.locked = false
	if err := a.phone.SetUnit(2, 66667, nil); err != nil {
		a.fail("Command did not succeed")
		return
	}
	a.okay("")
}

// neverFlashed are partitions that Sony's loader refuses by name.
var neverFlashed = []string{"TA", "modemst1", "modemst2", "fsg", "DDR"}

// target finds the partition of a flash or erase command; its refusal has been said when
// it is nil. recovery is Sony's FOTAKernel (boot-fastboot.md §8.4).
func (a *Aboot) target(name string) *Partition {
	if a.locked || slices.Contains(neverFlashed, name) {
		a.fail("Command not allowed")
		return nil
	}
	if name == "recovery" {
		name = "FOTAKernel"
	}
	p, err := a.phone.Partition(name)
	if err != nil {
		a.fail("Partition table doesn't exist\n")
		return nil
	}
	return p
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
