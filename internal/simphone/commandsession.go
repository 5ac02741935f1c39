package simphone

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"strconv"
	"strings"

	"xflash/internal/simphone/taimage"
	"xflash/internal/simphone/testcms"
)

// commandLimit is the longest command in bytes.
const commandLimit = 64

// refusedBySim starts every refusal whose real words nobody knows, so that no test takes
// them for Sony's.
const refusedBySim = "sim:"

// The refusals of real phones (usbproto/command/PROTOCOL.md §2.3).
const (
	refusedSignature = "Failed to verify cms"
	refusedVariable  = "%s not supported"
	refusedUnit      = "Unable to read TA unit %d, error=-22"
)

// A commandSession is one stay on the bus. Which order of commands is right is a model
// (usbproto/command/PROTOCOL.md §8): the signature before anything it covers, erase before the
// first chunk, one new download for each chunk. Sony's own tool and public ones follow it.
type commandSession struct {
	phone *Phone
	cable *cable
	model *commandModel

	heard int            // commands so far
	words map[string]int // how often each was heard
	word  string         // the present one

	trim   *taimage.Image
	buffer *download // nil: nothing was downloaded since it was used
	signed *testcms.Signed
	next   int             // chunk of the signed image
	erased map[string]bool // labels erased since the signature
	leaves bool
}

// A download is what the phone keeps of one: in a file without a name, because it may be
// larger than what tests want in memory.
type download struct {
	file *os.File
	size int64
	sum  hash.Hash
}

func (d *download) digest() string { return hex.EncodeToString(d.sum.Sum(nil)) }

func (d *download) reader() *io.SectionReader { return io.NewSectionReader(d.file, 0, d.size) }

// bytes is the download, when it is no longer than limit.
func (d *download) bytes(limit int64) ([]byte, error) {
	if d.size > limit {
		return nil, fmt.Errorf("%d bytes", d.size)
	}
	return io.ReadAll(d.reader())
}

// drop forgets the download.
func (s *commandSession) drop() {
	if s.buffer != nil {
		s.buffer.file.Close()
		s.buffer = nil
	}
}

// commandProgram is the phone in flash mode until it leaves the bus.
func (p *Phone) commandProgram(c *cable, done chan struct{}) {
	defer close(done)
	defer c.unplug()
	s := &commandSession{phone: p, cable: c, model: p.command.model, words: map[string]int{}}
	defer s.drop()
	defer func() { p.command.replugged = true }()
	err := s.start()
	for err == nil && !s.leaves {
		var message []byte
		if message, err = c.message(commandLimit + 1); err == nil {
			err = s.hear(message)
		}
	}
	if err == nil {
		c.leave(actionPowerOff)
	} else if !errors.Is(err, errUnplugged) {
		s.note("broken: " + err.Error())
		_ = c.hang() // a phone whose storage is broken
	}
}

// note tells the log what happens.
func (s *commandSession) note(text string) {
	if log := s.phone.options.Log; log != nil {
		log(Event{Packet: s.heard, Note: "command: " + text})
	}
}

// hear carries out one command.
func (s *commandSession) hear(message []byte) error {
	s.heard++
	text := string(message)
	word, arg, has := strings.Cut(text, ":")
	s.word = word
	s.words[word]++
	if len(message) > commandLimit || !printableASCII(text) {
		s.note("a command that is too long or not printable")
		return s.fail(refusedBySim + "command too long or not printable")
	}
	s.note(text)
	if done, err := s.before(arg); done || err != nil {
		return err
	}
	for _, c := range commandList {
		if c.word == word && c.argument == has && (c.only == nil || c.only(s.model)) {
			return c.run(s, arg)
		}
	}
	return s.fail(refusedBySim + "unknown command")
}

func printableASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

// A commandEntry is a command that a phone knows.
type commandEntry struct {
	word     string
	argument bool // follows after a colon
	run      func(*commandSession, string) error
	only     func(*commandModel) bool
}

// commandList is usbproto/command/PROTOCOL.md §2.2; where a command is only known of some
// phones, the others refuse it.
var commandList = []commandEntry{
	{"getvar", true, (*commandSession).getvar, nil},
	{"Get-root-key-hash", false, (*commandSession).rootKeyHash, nil},
	{"Get-ufs-info", false, (*commandSession).ufsInfo, func(m *commandModel) bool { return !m.emmc }},
	{"Get-emmc-info", false, (*commandSession).emmcInfo, func(m *commandModel) bool { return m.emmc }},
	{"Get-gpt-info", true, (*commandSession).gptInfo, nil},
	{"Read-TA", true, (*commandSession).readUnit, nil},
	{"Read-all-TA", true, (*commandSession).readUnits, nil},
	{"Read-partition", true, (*commandSession).readPartition, nil},
	{"Getlog", false, (*commandSession).getLog, nil},
	{"download", true, (*commandSession).download, nil},
	{"signature", true, (*commandSession).signatureData, func(m *commandModel) bool { return !m.signs }},
	{"signature", false, (*commandSession).signature, func(m *commandModel) bool { return m.signs }},
	{"erase", true, (*commandSession).erase, nil},
	{"flash", true, (*commandSession).flash, nil},
	{"Repartition", true, (*commandSession).repartition, nil},
	{"Write-TA", true, (*commandSession).writeUnit, nil},
	{"set_active", true, (*commandSession).setActive, func(m *commandModel) bool { return m.slots }},
	{"Sync", false, (*commandSession).sync, nil},
	{"powerdown", false, (*commandSession).leave, nil},
	{"continue", false, (*commandSession).leave, nil},
	{"reboot", false, (*commandSession).leave, nil},
	{"Reboot-bootloader", false, (*commandSession).leave, func(m *commandModel) bool { return !m.slots || m.emmc && !m.super }},
	{"reboot-bootloader", false, (*commandSession).leave, func(m *commandModel) bool { return m.slots && (!m.emmc || m.super) }},
	{"reboot-fastboot", false, (*commandSession).leave, func(m *commandModel) bool { return m.super }},
	{"reboot-recovery", false, (*commandSession).leave, func(m *commandModel) bool { return m.super }},
}

// okay, fail and data answer. After OKAY and data nothing follows but OKAY.
func (s *commandSession) okay(text string) error { return s.answer([]byte("OKAY" + text)) }

func (s *commandSession) fail(text string) error { return s.answer([]byte("FAIL" + text)) }

// download announces data of the host with the digits that it used, and takes them.
func (s *commandSession) download(digits string) error {
	n, ok := hexSize(digits)
	switch {
	case !ok:
		return s.fail(refusedBySim + "not 8 hexadecimal digits")
	case n > s.maxDownload():
		return s.fail(refusedBySim + "download too large")
	}
	if err := s.collect(digits, n); err != nil {
		return err
	}
	if s.at(FaultDataFail) != nil {
		s.drop()
		return s.fail(refusedBySim + "download failed")
	}
	return s.okay("")
}

// maxDownload is the limit that the phone tells.
func (s *commandSession) maxDownload() int64 {
	if f := s.atVariable("max-download-size"); f != nil && f.Name == FaultVar {
		if n, err := strconv.ParseInt(f.Arg[len("max-download-size:"):], 0, 64); err == nil {
			return n
		}
	}
	return s.model.maxDownload
}

// hexSize reads the byte count of a command.
func hexSize(digits string) (int64, bool) {
	n, err := strconv.ParseUint(digits, 16, 32)
	return int64(n), err == nil && len(digits) == 8
}

// collectPiece is how much of a download is read at a time.
const collectPiece = 256 << 10

// collect takes exactly n bytes into the buffer. Nothing is answered before the last of them.
func (s *commandSession) collect(digits string, n int64) error {
	if err := s.announce(digits); err != nil {
		return err
	}
	return s.take(n)
}

// take is the part of collect after the answer.
func (s *commandSession) take(n int64) error {
	s.drop()
	f, err := os.CreateTemp(s.phone.dir, "download-")
	if err != nil {
		return err
	}
	d := &download{file: f, size: n, sum: sha256.New()}
	s.buffer = d
	if err := os.Remove(f.Name()); err != nil {
		return err
	}
	piece := make([]byte, min(n, collectPiece))
	for at := int64(0); ; {
		if err := s.inData(at); err != nil || at == n {
			return err
		}
		next := min(n-at, collectPiece)
		if stop, ok := s.stopsInData(at, next); ok {
			next = stop - at
		}
		if err := s.cable.collect(piece[:next]); err != nil {
			return err
		}
		if _, err := f.Write(piece[:next]); err != nil {
			return err
		}
		d.sum.Write(piece[:next])
		at += next
	}
}

// written is a journal line about the present command and the download that it uses.
func (s *commandSession) written(target, refused string) error {
	w := Written{Command: s.word, Target: target, Refused: refused}
	if s.buffer != nil {
		w.Bytes, w.SHA256 = s.buffer.size, s.buffer.digest()
	}
	if flag, ok := s.trim.Unit(2, unitFlashState); ok && len(flag.Data) > 0 {
		w.Flag = flag.Data[0]
	}
	return s.phone.record(w)
}

// refuse says why something was not done; the buffer is used up anyway.
func (s *commandSession) refuse(target, why string) error {
	err := s.written(target, why)
	if s.word != "erase" {
		s.drop()
	}
	if err != nil {
		return err
	}
	return s.fail(why)
}
