package simphone

import (
	"encoding/binary"
	"slices"

	"xflash/internal/trimarea"
)

// Bits of trimarea.HWConfRole.Flags with a known meaning (internal/explain/ERRORS.md §3.2).
const (
	hwEnforced   = 0x0001 // signature rules are enforced
	hwLiveRoot   = 0x0002 // signatures under the live root are accepted
	hwTestRoot   = 0x0004 // signatures under the test root are accepted
	hwPartitions = 0x0010 // may write partitions and the partition layout
	hwSIMLock    = 0x0040 // may carry SIM lock data
)

// roleOf finds the entry of a signer's name.
func roleOf(h *trimarea.HWConf, name string) (trimarea.HWConfRole, bool) {
	if i := slices.IndexFunc(h.Roles, func(r trimarea.HWConfRole) bool { return r.Name == name }); i >= 0 {
		return h.Roles[i], true
	}
	return trimarea.HWConfRole{}, false
}

// hwWriter builds a record (internal/trimarea/FORMAT.md §4).
type hwWriter []byte

func (w *hwWriter) u16(values ...uint16) {
	for _, v := range values {
		*w = binary.BigEndian.AppendUint16(*w, v)
	}
}

// sized appends data with its 16-bit length in front. No list of a simulated phone is longer.
func (w *hwWriter) sized(data []byte) {
	w.u16(uint16(len(data)))
	*w = append(*w, data...)
}

func (w *hwWriter) items(items []trimarea.HWConfItem) {
	var list hwWriter
	for _, it := range items {
		list = append(list, it.Type)
		list.sized(it.Data)
	}
	w.sized(list)
}

// encodeHWConf is the payload of a hardware configuration record.
func encodeHWConf(h *trimarea.HWConf) []byte {
	var w, roles, ids hwWriter
	w.u16(6, h.Word1, h.ProductID)
	w.items(h.ListA)
	w.items(h.IDs)
	w.u16(h.Flags)
	for _, role := range h.Roles {
		roles.u16(role.Word)
		roles.sized([]byte(role.Name))
		roles.u16(role.MinAID, role.Flags)
		var partitions hwWriter
		for _, g := range role.Partitions {
			partitions = append(append(partitions, byte(len(g))), g[:]...)
		}
		roles.sized(partitions)
	}
	w.sized(roles)
	for _, id := range h.DeviceIDs {
		ids.sized(id)
	}
	w.sized(ids)
	w.sized([]byte(h.Attributes))
	return w
}
