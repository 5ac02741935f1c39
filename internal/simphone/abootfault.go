package simphone

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Faults of a phone in fastboot mode. Fault.At counts commands, 1 is the first; the data
// of a download belong to its command. FaultSilence, FaultUnplug, FaultShort, FaultSplit,
// FaultJoined, FaultLate, FaultKill and FaultCard are as in flash mode.
const (
	FaultFail      = "fail"       // FAIL with TEXT without carrying it out: fail=unknown command@1 is Sony's first answer to some clients
	FaultStale     = "stale"      // an answer TEXT of an earlier session waits before the first command
	FaultDataFail  = "data-fail"  // FAIL after the first data of the download
	FaultDataSize  = "data-size"  // DATA tells a size that is N bytes more or less than asked for
	FaultEarlyOkay = "early-okay" // OKAY before the data of the download are all there
	FaultInfo      = "info"       // N lines of INFO before the answer
	FaultText      = "text"       // TEXT without a line end before the answer
	FaultLong      = "long"       // INFO of 300 bytes before the answer
	FaultGarbage   = "garbage"    // bytes that are not answer instead of it
	FaultEmpty     = "empty"      // an empty message before the answer
)

// longAnswer is more than any client makes room for (fastboot/PROTOCOL.md §1).
const longAnswer = 300

// at are the faults of that name at the present command.
func (a *Aboot) at(name string) (found []Fault) {
	for _, f := range a.faults {
		if f.Name == name && (f.At == a.heard || f.At == everyPacket) {
			found = append(found, f)
		}
	}
	return found
}

func (a *Aboot) fault(name string) bool { return len(a.at(name)) > 0 }

// before causes the faults due when a command has arrived; false when it is not carried out.
func (a *Aboot) before() bool {
	switch fails := a.at(FaultFail); {
	case a.fault(FaultUnplug):
		a.note("fault: unplugged")
		a.gone = true
		return false
	case a.fault(FaultSilence):
		a.note("fault: silent from now on")
		a.silent = true
		return false
	case len(fails) > 0:
		a.fail(fails[0].Arg)
		return false
	}
	return true
}

// dataFault answers in the middle of a download; it reports that it did.
func (a *Aboot) dataFault() bool {
	switch {
	case a.fault(FaultDataFail):
		a.want = 0
		a.fail("download failed")
	case a.fault(FaultEarlyOkay):
		a.want = 0
		a.okay("")
	default:
		return false
	}
	return true
}

// announced is the size that DATA tells.
func (a *Aboot) announced(n uint64) uint64 {
	for _, f := range a.at(FaultDataSize) {
		more, _ := strconv.ParseInt(f.Arg, 10, 32) // checked by parseArg
		n = uint64(max(int64(n)+more, 0)) & 0xFFFFFFFF
		a.want = int64(n)
	}
	return n
}

// dropsData reports that the storage chip does not keep what it is given.
func (a *Aboot) dropsData() bool { return a.fault(FaultCard) }

// after returns the answers as a faulty phone sends them. Nothing is added to data that are
// only a part.
func (a *Aboot) after() ([][]byte, time.Duration) {
	if a.fault(FaultKill) && a.phone.options.OnKill != nil {
		a.note("fault: power cut")
		a.phone.options.OnKill()
	}
	if len(a.answers) == 0 {
		return nil, 0
	}
	var first [][]byte
	for _, f := range a.at(FaultInfo) {
		n, _ := strconv.Atoi(f.Arg) // checked by parseArg
		for i := range n {
			first = append(first, fmt.Appendf(nil, "INFOline %d", i+1))
		}
	}
	if a.fault(FaultText) {
		first = append(first, []byte("TEXThalf a "), []byte("TEXTline"))
	}
	if a.fault(FaultLong) {
		first = append(first, []byte("INFO"+strings.Repeat("x", longAnswer-4)))
	}
	if a.fault(FaultEmpty) {
		first = append(first, []byte{})
	}
	all := slices.Concat(first, a.answers)
	if a.fault(FaultGarbage) {
		all = [][]byte{{0xFF, 0xFE, 'O', 'K', 0x80, 0}}
	}
	joined := bytes.Join(all, nil)
	switch {
	case a.fault(FaultShort):
		all = [][]byte{joined[:min(len(joined), shortReply)]}
	case a.fault(FaultSplit):
		all = slices.Collect(slices.Chunk(joined, 1))
	case a.fault(FaultJoined):
		all = [][]byte{joined}
	}
	var delay time.Duration
	for _, f := range a.at(FaultLate) {
		delay = f.delay
	}
	return all, delay
}
