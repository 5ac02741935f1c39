package command

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
)

// LUN is a logical unit of UFS; an eMMC counts as one.
type LUN struct {
	Number    int
	Enabled   bool
	BlockSize int64 // bytes
	Blocks    int64
}

// Size is in bytes.
func (l LUN) Size() int64 { return l.BlockSize * l.Blocks }

// maxStorageInfo bounds the descriptors in bytes: a device and 32 units have less than 2 KiB.
const maxStorageInfo = 64 << 10

// Storage asks for the logical units of UFS and, when the phone refuses that, for the eMMC.
func (s *Session) Storage(ctx context.Context) (kind string, units []LUN, err error) {
	if units, err = s.UFSInfo(ctx); !errors.As(err, new(*Refusal)) {
		return "ufs", units, err
	}
	units, err = s.EMMCInfo(ctx)
	return "emmc", units, err
}

// UFSInfo asks for the logical units, in their order. A phone with eMMC refuses.
func (s *Session) UFSInfo(ctx context.Context) ([]LUN, error) {
	raw, err := s.fetchAll(ctx, "Get-ufs-info", maxStorageInfo)
	if err != nil {
		return nil, err
	}
	return ParseUFS(raw)
}

// ParseUFS takes the descriptors apart: that of the device, whose first byte is its length and byte 6 the number of units,
// then one for each unit, of the length its first byte says (PROTOCOL.md §5.3).
func ParseUFS(raw []byte) (units []LUN, err error) {
	const minDevice, minUnit = 7, 0x13
	if len(raw) < minDevice || int(raw[0]) < minDevice || int(raw[0]) > len(raw) {
		return nil, fmt.Errorf("the UFS description of %d bytes has no device descriptor", len(raw))
	}
	count := int(raw[6])
	seen := map[int]bool{}
	for at := int(raw[0]); len(units) < count; {
		rest := raw[at:]
		if len(rest) < minUnit || int(rest[0]) < minUnit || int(rest[0]) > len(rest) {
			return nil, fmt.Errorf("the UFS description ends at byte %d, in unit %d of %d", at, len(units)+1, count)
		}
		shift, blocks := rest[10], binary.BigEndian.Uint64(rest[11:])
		if shift > 20 || bits.Len64(blocks)+int(shift) > 62 {
			return nil, fmt.Errorf("the UFS unit at byte %d has %d blocks of 2^%d bytes", at, blocks, shift)
		}
		lun := LUN{Number: int(rest[2]), Enabled: rest[3] != 0, BlockSize: 1 << shift, Blocks: int64(blocks)}
		if seen[lun.Number] {
			return nil, fmt.Errorf("the UFS description has unit %d twice", lun.Number)
		}
		seen[lun.Number] = true
		units = append(units, lun)
		at += int(rest[0])
	}
	return units, nil
}

// EMMCInfo asks for the size of the eMMC. A phone with UFS refuses.
func (s *Session) EMMCInfo(ctx context.Context) ([]LUN, error) {
	raw, err := s.fetchAll(ctx, "Get-emmc-info", maxStorageInfo)
	if err != nil {
		return nil, err
	}
	return ParseEMMC(raw)
}

// ParseEMMC reads EXT_CSD: the number of sectors is 4 bytes little-endian at 0xd4 (PROTOCOL.md §5.3).
func ParseEMMC(raw []byte) ([]LUN, error) {
	const size, at, sector = 512, 0xd4, 512
	if len(raw) != size {
		return nil, fmt.Errorf("the eMMC description has %d bytes, not %d", len(raw), size)
	}
	return []LUN{{Enabled: true, BlockSize: sector, Blocks: int64(binary.LittleEndian.Uint32(raw[at:]))}}, nil
}
