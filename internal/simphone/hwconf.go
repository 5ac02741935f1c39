package simphone

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"xflash/internal/gpt"
)

// Permission bits of a role in the hardware configuration, error-codes.md §3.2.
const (
	permitEnforced = 0x0001 // signature rules are enforced for this role
	permitLive     = 0x0002 // the live root is accepted
	permitTest     = 0x0004 // the test root is accepted
	permitWrite    = 0x0010 // may write partitions and the partition layout
	permitSIMLock  = 0x0040 // may carry SIM-lock data
)

// Bits of the flags word, told as GLOB_SEC.
const (
	globalPrivateUnits = 0x4000 // units >= 0x10000 of trim area 2 may be used
	globalUnsecured    = 0x8000 // no security checks (loader-behaviour.md, correction 4)
)

// A hwConf is the hardware configuration of a phone, version 6: the payload of
// the SIN in unit 2003 (sin-ftf-format.md §12.4, with the order of the role's
// fields from loader-behaviour.md, correction 2). Integers are big-endian.
type hwConf struct {
	prodID     uint16
	imei       string // 14 digits
	flags      uint16 // GLOB_SEC
	roles      []hwRole
	devices    [][]byte // unique chip ids that this record is for
	attributes string   // OP_ID="...";REV="...";...
}

// A hwRole is what one kind of signer may do.
type hwRole struct {
	name       string
	minAID     uint16
	flags      uint16
	partitions []gpt.GUID // the role may write these and no others
}

const (
	hwConfVersion = 6
	idIMEI        = 0 // type of an identity entry
	imeiBytes     = 7
)

var errHWConf = errors.New("hardware configuration is malformed")

// role returns the entry of that name, or nil.
func (c *hwConf) role(name string) *hwRole {
	i := slices.IndexFunc(c.roles, func(r hwRole) bool { return r.name == name })
	if i < 0 {
		return nil
	}
	return &c.roles[i]
}

// encode builds the record.
func (c *hwConf) encode() []byte {
	b := binary.BigEndian.AppendUint16(nil, hwConfVersion)
	b = binary.BigEndian.AppendUint16(b, 0)
	b = binary.BigEndian.AppendUint16(b, c.prodID)
	b = appendSized(b, nil)
	imei, err := hex.DecodeString(c.imei)
	if err != nil || len(imei) != imeiBytes {
		panic("simphone: an IMEI here has 14 digits")
	}
	b = appendSized(b, appendSized([]byte{idIMEI}, imei))
	b = binary.BigEndian.AppendUint16(b, c.flags)
	var list []byte
	for _, r := range c.roles {
		list = binary.BigEndian.AppendUint16(list, 0)
		list = appendSized(list, []byte(r.name))
		list = binary.BigEndian.AppendUint16(list, r.minAID)
		list = binary.BigEndian.AppendUint16(list, r.flags)
		var guids []byte
		for _, g := range r.partitions {
			guids = append(guids, byte(len(g)))
			guids = append(guids, g[:]...)
		}
		list = appendSized(list, guids)
	}
	b = appendSized(b, list)
	list = nil
	for _, d := range c.devices {
		list = appendSized(list, d)
	}
	b = appendSized(b, list)
	return appendSized(b, []byte(c.attributes))
}

func appendSized(b, data []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(data)))
	return append(b, data...)
}

// fields takes a record apart; the first read past its end sets short.
type fields struct {
	b     []byte
	short bool
}

func (f *fields) take(n int) []byte {
	if n > len(f.b) {
		f.short, f.b = true, nil
		return make([]byte, n)
	}
	v := f.b[:n]
	f.b = f.b[n:]
	return v
}

func (f *fields) u8() int       { return int(f.take(1)[0]) }
func (f *fields) u16() uint16   { return binary.BigEndian.Uint16(f.take(2)) }
func (f *fields) sized() []byte { return f.take(int(f.u16())) }

// parseHWConf reads a record.
func parseHWConf(b []byte) (*hwConf, error) {
	f := &fields{b: b}
	if v := f.u16(); v != hwConfVersion {
		return nil, fmt.Errorf("%w: version %d", errHWConf, v)
	}
	f.u16()
	c := &hwConf{prodID: f.u16()}
	f.sized()
	ids := &fields{b: f.sized()}
	for len(ids.b) > 0 {
		kind, data := ids.u8(), ids.sized()
		if kind == idIMEI && len(data) == imeiBytes && c.imei == "" {
			c.imei = hex.EncodeToString(data)
		}
	}
	c.flags = f.u16()
	list := &fields{b: f.sized()}
	for len(list.b) > 0 {
		list.u16()
		r := hwRole{name: string(list.sized()), minAID: list.u16(), flags: list.u16()}
		guids := &fields{b: list.sized()}
		for len(guids.b) > 0 {
			var g gpt.GUID
			if n := guids.u8(); copy(g[:], guids.take(n)) != len(g) || n != len(g) {
				return nil, fmt.Errorf("%w: a partition id of %d bytes", errHWConf, n)
			}
			r.partitions = append(r.partitions, g)
		}
		list.short = list.short || guids.short
		c.roles = append(c.roles, r)
	}
	devices := &fields{b: f.sized()}
	for len(devices.b) > 0 {
		c.devices = append(c.devices, devices.sized())
	}
	c.attributes = string(f.sized())
	if f.short || ids.short || list.short || devices.short {
		return nil, fmt.Errorf("%w: cut off", errHWConf)
	}
	return c, nil
}

// text is the value of HW_CONFIG: role:AID:flags, separated by commas.
func (c *hwConf) text() string {
	var parts []string
	for _, r := range c.roles {
		parts = append(parts, fmt.Sprintf("%s:%04X:%04X", r.name, r.minAID, r.flags))
	}
	return strings.Join(parts, ",")
}
