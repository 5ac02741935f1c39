package simphone

import (
	"encoding/binary"
	"fmt"
	"time"
)

// What a phone does after the reply to a command was sent.
type action int

const (
	actionNone action = iota
	actionPowerOff
	actionHang
	actionReboot
	actionStartLoader
)

// A session is one running program of the phone: the boot stage, or the loader.
type session struct {
	phone     *Phone
	cable     *cable
	stage     Stage
	maxPacket uint32
	info      func() []byte // text of command 1
	commands  map[uint32]command
	lastError lastError

	buffer []byte // receive buffer; keeps old bytes after the packet (command 13)
	config uint32 // bits of command 25
	trim   openTrim
	upload upload
	parts  partReply

	sec      *security // what the phone accepts
	loader   *loaderFacts
	model    *loaderModel    // zero in the boot stage
	bootDone map[string]bool // boot images written well in this run

	next action // to do after the reply
	dead bool   // crashed or waiting forever: no reply any more
	nak2 bool   // the refusal is sent twice
	lose bool   // the card does not store what this packet carries
}

// A command is a handler: it returns the data of the reply, or why not.
type command func(s *session, h packetHeader, data []byte) ([]byte, *refusal)

// Numbers of the commands, usbproto/s1/PROTOCOL.md §3.1.
const (
	cmdInfo      = 1
	cmdEnd       = 4
	cmdHeader    = 5
	cmdData      = 6
	cmdError     = 7
	cmdOpenTA    = 9
	cmdCloseTA   = 10
	cmdFormatTA  = 11
	cmdReadTA    = 12
	cmdWriteTA   = 13
	cmdReadRaw   = 14
	cmdSecurity  = 15
	cmdAuth      = 17
	cmdDumpTA    = 18
	cmdErase     = 20
	cmdLayout    = 21
	cmdConfig    = 25
	cmdDiagnose  = 27
	cmdStorageID = 28
)

// Bits of command 25 that change something here (usbproto/s1/PROTOCOL.md §3.2). Bits 1 and
// 4 are taken and do nothing: what they change was not studied.
const (
	configNoVerify = 0x01 // no read-back of what was written
	configZeroCRC  = 0x04 // replies carry 0 instead of the CRC
	configBigDumps = 0x08 // multi-part replies in parts of MAX_PKT_SZ
)

// roomBehind is how much of the receive buffer lies after the largest packet.
const roomBehind = 4096

// run answers packets until the program ends. It returns what comes then, or
// errUnplugged.
func (s *session) run() (action, error) {
	if s.phone.run.greets(s.stage) {
		if err := s.hello(); err != nil {
			return actionNone, err
		}
	}
	for {
		h, data, err := s.receive()
		if err != nil {
			return actionNone, err
		}
		if data == nil {
			continue
		}
		if err := s.answer(h, data); err != nil {
			return actionNone, err
		}
		if s.next != actionNone {
			return s.next, nil
		}
	}
}

// hello is the unsolicited command 1 packet at the start of a stage.
func (s *session) hello() error {
	return s.reply(packetHeader{command: cmdInfo}, flagAccepted, s.info())
}

// receive reads one packet. It returns nil data for bytes that get no reply.
func (s *session) receive() (h packetHeader, data []byte, err error) {
	var raw [headerSize]byte
	if err := s.cable.read(raw[:]); err != nil {
		return h, nil, err
	}
	h = parseHeader(&raw)
	s.phone.countPacket()
	e := Event{FromHost: true, Command: h.command, Flags: h.flags, BadSum: h.sum != headerSum(raw[:12])}
	if h.length > s.maxPacket {
		// No reply, and the announced data are not skipped: what follows is
		// read as headers (usbproto/s1/PROTOCOL.md §11.6).
		s.log(e)
		s.note(fmt.Sprintf("announced %d bytes, more than MAX_PKT_SZ", h.length))
		s.drop()
		s.lastError.record(gaveUp(statusPacketTooLong))
		return h, nil, s.lost()
	}
	if e.BadSum && s.checksHeader() {
		s.log(e)
		return h, nil, s.lost()
	}
	data = s.buffer[:h.length]
	if err := s.cable.read(data); err != nil {
		return h, nil, err
	}
	var crc [trailerSize]byte
	if err := s.cable.read(crc[:]); err != nil {
		return h, nil, err
	}
	e.Data = data
	if s.stage == StageBoot || s.phone.options.Log != nil { // the loader does not look
		e.BadCRC = binary.BigEndian.Uint32(crc[:]) != dataCRC(data)
	}
	s.log(e)
	if s.stage == StageBoot && (e.BadSum || e.BadCRC) {
		s.drop()
		s.lastError.record(gaveUp(statusPacketCRC))
		return h, nil, nil
	}
	return h, data, nil
}

// checksHeader reports that this is a loader that looks at header checksums.
func (s *session) checksHeader() bool { return s.stage == StageLoader && s.model.checksHeader }

// lost is what a loader that checks headers does after a packet that it did not
// accept: it never finds a header again, whatever comes (usbproto/s1/PROTOCOL.md §14.7).
func (s *session) lost() error {
	if !s.checksHeader() {
		return nil
	}
	s.note("lost: takes no header any more")
	for b := make([]byte, usbPacket); ; {
		if err := s.cable.read(b[:1]); err != nil {
			return err
		}
	}
}

// answer carries one command out and sends the reply, with the faults that were
// asked for at this packet.
func (s *session) answer(h packetHeader, data []byte) error {
	if err := s.before(); err != nil {
		return err
	}
	reply, why := s.dispatch(h, data)
	if s.dead {
		s.note("stopped answering")
		return s.cable.hang()
	}
	if err := s.after(); err != nil {
		return err
	}
	if why == nil {
		flags := uint32(flagAccepted)
		if s.parts.more() {
			flags |= flagMore
		}
		return s.reply(h, flags, reply)
	}
	s.note("refused: " + why.Error())
	s.lastError.record(why)
	if s.nak2 {
		s.nak2 = false
		if err := s.reply(h, 0, nil); err != nil {
			return err
		}
	}
	return s.reply(h, 0, nil)
}

// dispatch decides whether the command may come now, and calls its handler.
func (s *session) dispatch(h packetHeader, data []byte) ([]byte, *refusal) {
	if f := s.fault(FaultRefuse); f != nil {
		s.drop()
		return nil, f.refusal
	}
	if s.lastError.limited() && h.command != cmdInfo && h.command != cmdEnd && h.command != cmdError {
		return nil, minor(codeLimited, statusCmdParam)
	}
	if p := s.parts.command; p != 0 && p != h.command {
		s.drop()
		return nil, minor(codeUnexpected, statusCmdParam)
	}
	if due := s.due(); due != 0 && h.command != due {
		s.drop()
		return nil, minor(codeUnexpected, statusCmdParam)
	}
	handler := s.commands[h.command]
	if handler == nil {
		return nil, minor(codeUnexpected, statusCmdParam)
	}
	return handler(s, h, data)
}

// due is the only command that may come now, or 0: once something with several
// parts has started, everything else cancels it (usbproto/s1/PROTOCOL.md §3.2, command 5).
func (s *session) due() uint32 {
	switch {
	case s.upload.header != nil:
		return cmdHeader
	case s.upload.image != nil:
		return cmdData
	}
	return 0
}

// drop cancels whatever has several parts.
func (s *session) drop() {
	s.upload = upload{}
	s.parts = partReply{}
}

// reply sends one packet to the host: header, data if any, CRC, each as a
// transfer of its own (usbproto/s1/PROTOCOL.md §1.5).
func (s *session) reply(h packetHeader, flags uint32, data []byte) error {
	s.log(Event{Command: h.command, Flags: flags, Data: data})
	crc := dataCRC(data)
	if s.config&configZeroCRC != 0 {
		crc = 0
	}
	transfers := [][]byte{appendHeader(nil, h.command, flags, uint32(len(data)))}
	if len(data) > 0 {
		transfers = append(transfers, data)
	}
	transfers = append(transfers, binary.BigEndian.AppendUint32(nil, crc))
	for _, t := range s.shape(transfers) {
		if err := s.cable.send(t); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) log(e Event) {
	if log := s.phone.options.Log; log != nil {
		e.Packet, e.Stage = s.phone.run.packet, s.stage
		log(e)
	}
}

func (s *session) note(text string) { s.log(Event{Note: text}) }

// info1 answers command 1.
func info1(s *session, _ packetHeader, data []byte) ([]byte, *refusal) {
	if len(data) != 0 {
		return nil, s.wrongSize()
	}
	return s.info(), nil
}

// error7 answers command 7.
func error7(s *session, _ packetHeader, data []byte) ([]byte, *refusal) {
	if len(data) != 0 {
		return nil, s.wrongSize()
	}
	text := s.lastError.fetch(s.model.dynamic)
	if s.model.majorAgain {
		s.lastError.severity = sevNone // what comes next is reported again
	}
	return text, nil
}

// wrongSize is the refusal of a payload of wrong size where it ends the session, except
// with some loaders (usbproto/s1/PROTOCOL.md §14.7).
func (s *session) wrongSize() *refusal {
	if s.model.sizesMinor {
		return failed(statusCmdParam)
	}
	return gaveUp(statusCmdParam)
}

// end4 answers command 4. The loader decides what happens after the reply
// by one byte, usbproto/s1/PROTOCOL.md §3.2.
func end4(s *session, _ packetHeader, data []byte) ([]byte, *refusal) {
	if len(data) > 1 {
		return nil, failed(statusCmdParam)
	}
	s.next = actionPowerOff
	if len(data) == 1 {
		switch data[0] {
		case 1:
			s.next = actionHang
		case 3:
			s.next = actionReboot
		}
	}
	return nil, nil
}

// leaveDelay is how long the loader waits before it drops the power, so that the
// acknowledgement reaches the host (usbproto/s1/PROTOCOL.md §3.2, command 4).
const leaveDelay = 500 * time.Millisecond
