package gpt_test

import (
	"bytes"
	"fmt"

	"xflash/internal/simphone/mkimage"
	"xflash/sin/gpt"
)

// memory is a disk in memory.
type memory []byte

func (d memory) WriteAt(p []byte, at int64) (int, error) { return copy(d[at:], p), nil }

// Read finds the partitions of a disk dump and checks both copies of the table.
func ExampleRead() {
	d := make(memory, 1<<20)
	table := &gpt.Table{DiskGUID: gpt.GUID{1}, Sectors: uint64(len(d) / gpt.SectorSize), Entries: []gpt.Entry{
		{Type: gpt.GUID{2}, Unique: gpt.GUID{3}, First: 64, Last: 127, Name: "boot"}}}
	if err := mkimage.WriteGPT(d, table); err != nil {
		panic(err)
	}
	found, err := gpt.Read(bytes.NewReader(d), int64(len(d)))
	if err != nil {
		panic(err)
	}
	e, ok := found.ByName("boot")
	fmt.Println(ok, e.Offset(), e.Size())
	// Output: true 32768 32768
}
