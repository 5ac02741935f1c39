package s1

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"xflash/sin/gpt"
)

// maxEntries bounds the partition table that a phone may send: eight times the usual
// 128 entries.
const maxEntries = 1024

// ErrTable is the cause when what a phone sent is not a partition table.
var ErrTable = errors.New("the phone's partition table is inconsistent")

// ReadTable asks the running loader for the partition table of the phone's storage
// (command 21), which needs no rights and writes nothing. The entries have the order of
// the table; ranges and overlaps have been checked. An answer that does not hold
// together is ErrTable and leaves the session usable.
//
// The answer: u32 5, u32 count, then count GPT entries of 128 bytes, little-endian
// (PROTOCOL.md §11.10). Older loaders send it in parts. The boot stage is not asked,
// because it is unknown what it answers.
func (s *Session) ReadTable(ctx context.Context) ([]gpt.Entry, error) {
	if s.Stage() != StageLoader {
		return nil, fmt.Errorf("%w: only a loader shows the partition table", ErrState)
	}
	at := At{Command: CmdReadTable, Doing: "reading the partition table"}
	data, err := s.fetch(ctx, at, nil, 8+maxEntries*gpt.EntrySize)
	if err != nil {
		return nil, err
	}
	entries, err := parseTable(data)
	if err != nil {
		return nil, s.failed(at, fmt.Errorf("%w: %w", ErrTable, err))
	}
	return entries, nil
}

func parseTable(data []byte) ([]gpt.Entry, error) {
	le := binary.LittleEndian
	if len(data) < 8 || le.Uint32(data) != 5 {
		return nil, fmt.Errorf("an answer of %d bytes", len(data))
	}
	// The count is compared with what came before it is used.
	if count := int64(le.Uint32(data[4:])); 8+count*gpt.EntrySize != int64(len(data)) {
		return nil, fmt.Errorf("%d partitions announced in %d bytes", count, len(data))
	}
	var entries []gpt.Entry
	for rest := data[8:]; len(rest) > 0; rest = rest[gpt.EntrySize:] {
		e, err := gpt.ParseEntry(rest)
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return entries, gpt.CheckEntries(entries)
}

// Sectors is the size of the phone's storage in sectors of 512 bytes, 0 when the phone
// did not tell it. MEMDEVS describes each device in colon-separated hexadecimal fields,
// the sixth the number of blocks, the eighth their size in bytes; that is read from one
// loader's answer. A phone with other fields, or more than one device, counts as one
// that did not tell.
func (i *Info) Sectors() uint64 {
	f := strings.Split(i.values["MEMDEVS"], ":")
	if len(f) != 8 {
		return 0
	}
	blocks, err := strconv.ParseUint(f[5], 16, 48)
	size, err2 := strconv.ParseUint(f[7], 16, 16)
	if err != nil || err2 != nil || size != gpt.SectorSize {
		return 0
	}
	return blocks
}
