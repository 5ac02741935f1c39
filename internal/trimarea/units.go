package trimarea

import (
	_ "embed"
	"encoding/json"
	"slices"
	"sync"
)

// Danger tells what writing a unit can do.
type Danger string

// The danger classes, from the column of FORMAT.md §3.
const (
	DangerNever  Danger = "never"  // belongs to this one phone: loss cannot be repaired
	DangerVendor Danger = "vendor" // only from Sony's file and on purpose
	DangerNormal Danger = "normal" // harmless, or normal in a restore
)

// Meaning holds the known facts about a unit.
type Meaning struct {
	Partition int    `json:"partition"`
	Number    uint32 `json:"unit"`
	Last      uint32 `json:"last"`   // of a row for several units
	Name      string `json:"name"`   // upper case with underscores
	Danger    Danger `json:"danger"` // what writing it can do
	Secret    bool   `json:"secret"` // contents are masked unless the owner asks for them
	Text      string `json:"text"`   // for a person
}

// units.json follows the tables of FORMAT.md §3.
//
//go:embed units.json
var unitsFile []byte

// meanings are the rows. They are part of the program and a test reads them all.
var meanings = sync.OnceValue(func() (rows []Meaning) {
	if err := json.Unmarshal(unitsFile, &rows); err != nil {
		panic(err)
	}
	return rows
})

// Describe tells what a unit is. ok is false for an unknown unit: it is then
// never to be written, and masked, because it is unclear what it holds.
func Describe(partition int, number uint32) (m Meaning, ok bool) {
	for _, m := range meanings() {
		if m.Partition == partition && m.Number <= number && number <= max(m.Number, m.Last) {
			m.Number, m.Last = number, 0
			return m, true
		}
	}
	return Meaning{Partition: partition, Number: number, Text: "not known", Danger: DangerNever, Secret: true}, false
}

// Named lists the units of a partition that are known by name, in ascending order.
func Named(partition int) []uint32 {
	var numbers []uint32
	for _, m := range meanings() {
		for n := m.Number; m.Partition == partition && n <= max(m.Number, m.Last); n++ {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers
}
