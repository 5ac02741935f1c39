package restore

// Event is something that happened during a check or a restore: one of the types below. The
// program turns events into words, lines or JSON; this package never prints.
type Event any

// Checking reports how far the check of the bundle has come.
type Checking struct {
	Name        string // short name of the file
	Done, Total int64  // bytes over the whole bundle
}

// Unpacking reports how far a file is unpacked that is sent afterwards.
type Unpacking struct {
	Name        string // short name
	Done, Total int64  // bytes of the file
}

// StepStarted is sent before a step.
type StepStarted struct {
	Index int // from 0
	Step  Step
}

// Sending reports acknowledged bytes of the running image.
type Sending struct {
	Index       int
	Step        Step
	Sent, Size  int64 // this file
	Done, Total int64 // the whole plan
}

// StepDone is sent when the phone has acknowledged a step.
type StepDone struct {
	Index int
	Step  Step
}

// Stalled says that no byte has moved for a while, and that this is still within the deadline.
type Stalled struct{ Doing string }

// Finishing says that a stop was asked for and why it has to wait.
type Finishing struct{ Until string }

// JournalLeft says that the journal of a complete restore could not be removed.
type JournalLeft struct {
	Path string
	Err  error
}
