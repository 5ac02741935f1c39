package simphone

import "fmt"

// severity of a recorded error, internal/explain/ERRORS.md §1.4.
type severity int

const (
	sevNone severity = iota
	sevMinor
	sevMajor
)

func (s severity) String() string { return [...]string{"NONE", "MINOR", "MAJOR"}[s] }

// ERR_CODE values of the Z3 Compact loader, internal/explain/ERRORS.md §2.1.
const (
	codeNone       = 0x0000
	codeLimited    = 0x0010 // refused because of an earlier MAJOR error
	codeTANotOpen  = 0x0015 // dump without an open trim area
	codeTAInvalid  = 0x0016 // no valid trim area found
	codeSubsystem  = 0x0017 // ERR_DYNAMIC holds the status of the failing part
	codeOpenTA     = 0x001D
	codeCloseTA    = 0x001F
	codeFormatTA   = 0x0024
	codeReadTA     = 0x0025
	codeWriteTA    = 0x0026
	codeUnexpected = 0x005C // unknown command, or not accepted now
	codeLayout     = 0x0076 // reading the partition layout failed
)

// A status is the 32-bit result of a part of the loader: bit 31 set, facility in
// bits 16..26, error number below (internal/explain/ERRORS.md §1.3).
type status uint32

const (
	statusPastPartitionZ status = 0x80000002 // of the loader of C650X and its like

	statusHWConfGarbage status = 0x80010003

	statusPacketTooLong status = 0x80030004
	statusPacketCRC     status = 0x80030009

	statusSINMemory     status = 0x80060001
	statusSINShort      status = 0x80060002 // fewer than 28 bytes
	statusSINType       status = 0x8006000B
	statusSINMagic      status = 0x8006000C
	statusSINHashType   status = 0x8006000D
	statusSINHeaderSize status = 0x8006000E
	statusSINBlockList  status = 0x8006000F
	statusSINBufferSize status = 0x80060010
	statusSINVersion    status = 0x80060011
	statusHWConfFormat  status = 0x80080003 // in its device ids
	statusRootType      status = 0x80080021
	statusAID           status = 0x80080022
	statusUsage         status = 0x80080023
	statusNotAllowed    status = 0x80080028
	statusDieID         status = 0x80080040
	statusBlockHashOld  status = 0x80080012 // what loaders without LZ4A say instead
	statusBlockHash     status = 0x80080053
	statusNoMemory      status = 0x80090001
	statusMapValue      status = 0x80090002
	statusMapFormat     status = 0x80090003
	statusSpecialBuffer status = 0x80090004
	statusReadBack      status = 0x80090012
	statusHWConfStore   status = 0x8009001B
	statusDataState     status = 0x8009001C
	statusPayloadType   status = 0x8009001F
	statusFillReadBack  status = 0x80090042

	statusUnsupportedHash status = 0x800A0014
	statusSignature       status = 0x800A0017
	statusRSA             status = 0x800A0018
	statusCertFormat      status = 0x800F0003

	statusCmdMemory  status = 0x80110001
	statusCmdParam   status = 0x80110002
	statusCmdFormat  status = 0x80110003
	statusCmdState   status = 0x8011001C
	statusCmdVersion status = 0x8011001F
	statusCmdMissing status = 0x8011FFFF

	statusContainerEmpty   status = 0x80130002
	statusContainerFormat  status = 0x80130003
	statusContainerVersion status = 0x80130025
	statusSelfSigned       status = 0x80170030
	statusTrimAreaIO       status = 0x8018001B
	statusTrimAreaAuth     status = 0x80180028

	statusLayoutFormat   status = 0x801C0003
	statusNoPartition    status = 0x801C003B
	statusNoDevice       status = 0x801C003C
	statusNoLayout       status = 0x801C003D
	statusSecurityProps  status = 0x801D0000
	statusPastPartition  status = 0x801E0002
	statusCardTimeout    status = 0x801E003F
	statusAuthParam      status = 0x80230002
	statusNotAuthorised  status = 0x80230028
	statusAuthWrongOrder status = 0x80230029
)

// Error makes a status usable as the error of a subsystem.
func (s status) Error() string { return fmt.Sprintf("status %08X", uint32(s)) }

// A refusal is why a command was not carried out: what command 7 will tell.
type refusal struct {
	severity severity
	code     uint16
	dynamic  status
	words    string // instead, where loaders of dynamicWords have no status
}

func (r *refusal) Error() string {
	return fmt.Sprintf("%v %04X/%08X", r.severity, r.code, uint32(r.dynamic))
}

// wordsTA are what loaders of dynamicWords say of the trim area (usbproto/s1/PROTOCOL.md §14.7).
const (
	wordsWrong      = "Wrong parameters" // also: no such unit
	wordsUnexpected = "Unexpected parameter"
	wordsOpen       = "Open TA failed"
	wordsAuth       = "Not authenticated"
	wordsWrite      = "Write TA failed."
	wordsNotOpen    = "No open TA partition found."
)

// trimError is a refusal about the trim area, which has no status.
func trimError(code uint16, words string) *refusal { return &refusal{sevMinor, code, 0, words} }

func minor(code uint16, dynamic status) *refusal { return &refusal{sevMinor, code, dynamic, ""} }

// failed is the refusal of a part of the loader that reports its own status.
func failed(s status) *refusal { return &refusal{sevMinor, codeSubsystem, s, ""} }

// gaveUp is a command handler that failed without its own refusal: MAJOR,
// after which the session is limited (usbproto/s1/PROTOCOL.md §3.3).
func gaveUp(s status) *refusal { return &refusal{sevMajor, codeSubsystem, s, ""} }

// lastError is the error store behind command 7.
type lastError struct {
	severity severity // of what is stored; with the other loaders kept when the text is fetched
	major    bool     // there was a MAJOR error
	stored   *refusal // nil: nothing to tell
}

// record keeps r unless something more severe is stored: the first MAJOR error
// and the last of several MINOR ones are reported (internal/explain/ERRORS.md §1.4).
func (e *lastError) record(r *refusal) {
	if r.severity >= e.severity {
		e.severity, e.stored = r.severity, r
	}
	e.major = e.major || r.severity == sevMajor
}

// fetch returns the text of command 7 with its final NUL, and forgets the code
// and text but not the severity (usbproto/s1/PROTOCOL.md §3.2).
func (e *lastError) fetch(form dynamicForm) []byte {
	r := e.stored
	e.stored = nil
	if r == nil {
		return []byte("ERR_SEVERITY=\"NONE\";ERR_CODE=\"0000\";ERR_DYNAMIC=\"\";\x00")
	}
	dynamic := fmt.Sprintf("%08X", uint32(r.dynamic))
	switch {
	case form == dynamicWords && r.words != "":
		dynamic = r.words
	case form == dynamicWords:
		dynamic = "0x" + dynamic + " "
	}
	return fmt.Appendf(nil, "ERR_SEVERITY=\"%v\";ERR_CODE=\"%04X\";ERR_DYNAMIC=\"%s\";\x00", r.severity, r.code, dynamic)
}

// limited reports that only commands 1, 4 and 7 are left.
func (e *lastError) limited() bool { return e.major }
