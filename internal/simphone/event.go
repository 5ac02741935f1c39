package simphone

import "fmt"

// A Stage is the program that answers on the bus (usbproto/s1/PROTOCOL.md §4.1).
type Stage int

const (
	StageBoot   Stage = iota // s1boot inside the phone
	StageLoader              // the uploaded loader
)

func (s Stage) String() string { return [...]string{"boot", "loader"}[s] }

// An Event is one line of the phone's packet log: a packet as it was on the
// wire, or a note about what the phone did.
type Event struct {
	Packet   int // number of the last host packet since flash mode began; 0 before the first
	Stage    Stage
	FromHost bool
	Command  uint32
	Flags    uint32
	Data     []byte // payload, valid only during the call; may hold the phone's identity
	BadSum   bool   // the host's header checksum was wrong
	BadCRC   bool   // the host's data CRC was wrong
	Note     string // set: not a packet
}

// String is one log line without the payload.
func (e Event) String() string {
	if e.Note != "" {
		return fmt.Sprintf("%5d %-6v note  %s", e.Packet, e.Stage, e.Note)
	}
	from := "phone"
	if e.FromHost {
		from = "host "
	}
	s := fmt.Sprintf("%5d %-6v %s cmd %d flags %d length %d", e.Packet, e.Stage, from, e.Command, e.Flags, len(e.Data))
	if e.BadSum {
		s += ", header checksum wrong"
	}
	if e.BadCRC {
		s += ", data CRC wrong"
	}
	return s
}
