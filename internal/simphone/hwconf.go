package simphone

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"

	"xflash/internal/simphone/mkimage"
	"xflash/internal/trimarea"
	"xflash/sin/gpt"
)

// Bits of the flags word of the hardware configuration, told as GLOB_SEC.
const (
	globalPrivateUnits = 0x4000 // units >= 0x10000 of trim area 2 may be used (internal/explain/ERRORS.md §3.2)
	globalUnsecured    = 0x8000 // no security checks (usbproto/s1/PROTOCOL.md §11.4)
)

// hwConfText is the value of HW_CONFIG: role:AID:flags, separated by commas
// (internal/explain/ERRORS.md §3.2).
func hwConfText(c *trimarea.HWConf) string {
	var parts []string
	for _, r := range c.Roles {
		parts = append(parts, fmt.Sprintf("%s:%04X:%04X", r.Name, r.MinAID, r.Flags))
	}
	return strings.Join(parts, ",")
}

// storedHWConf reads unit 2003 as a program does at its start. A record that is
// missing, damaged or not signed for this phone is none.
func (p *Phone) storedHWConf(sec *security) *trimarea.HWConf {
	image, err := p.readTrimArea()
	if err != nil {
		return nil
	}
	u, ok := image.Unit(2, unitHWConf)
	if !ok {
		return nil
	}
	h, why := parseSINHeader(u.Data)
	if why != 0 || h.kind != payloadHWConf {
		return nil
	}
	signer, why := checkSignature(h)
	if why != 0 || signer.role != roleHWConf || sec.chain(signer) != 0 {
		return nil
	}
	payload := u.Data[len(h.raw):]
	for rest := payload; len(h.blocks) > 0; h.blocks = h.blocks[1:] {
		b := h.blocks[0]
		if uint64(b.length) > uint64(len(rest)) || !bytes.Equal(h.sum(rest[:b.length]), b.hash) {
			return nil
		}
		rest = rest[b.length:]
	}
	conf, err := trimarea.ParseHWConf(payload)
	if err != nil {
		return nil
	}
	return conf
}

// factoryHWConf is the hardware configuration that the settings ask for.
func factoryHWConf(s settings) (*trimarea.HWConf, error) {
	table, err := Layout(s.Name, DiskSize)
	if err != nil {
		return nil, err
	}
	id, err := hex.DecodeString(s.UniqueID)
	if err != nil {
		return nil, fmt.Errorf("chip id: %w", err)
	}
	imei, err := hex.DecodeString(s.IMEI)
	if err != nil {
		return nil, fmt.Errorf("IMEI: %w", err)
	}
	var boot, software []gpt.GUID
	kind := phones[s.Name]
	for _, e := range table.Entries {
		switch {
		case e.Name == "TA" || e.Name == "DDR":
		case slices.Contains(kind.chain, strings.TrimPrefix(e.Name, alternateLabel(""))):
			boot = append(boot, e.Unique)
		default:
			software = append(software, e.Unique)
		}
	}
	conf := &trimarea.HWConf{
		ProductID:  1,
		IDs:        []trimarea.HWConfItem{{Type: trimarea.IDTypeIMEI, Data: imei}},
		DeviceIDs:  [][]byte{id},
		Attributes: `OP_ID="0";OP_NAME="Customized";ROOTING_ALLOWED="1";REV="AP";`,
	}
	const accept = hwEnforced | hwLiveRoot
	for _, r := range []trimarea.HWConfRole{
		{Name: roleBoot, Flags: accept | hwPartitions, Partitions: boot},
		{Name: roleLoader, Flags: accept},
		{Name: roleSL, Flags: accept | hwSIMLock},
		{Name: roleSW, Flags: accept | hwPartitions, Partitions: software},
		{Name: roleCust, Flags: accept | hwPartitions, Partitions: software},
		{Name: roleHWConf, Flags: accept},
		{Name: roleRLock, Flags: accept},
	} {
		r.MinAID = 1
		if r.Name != roleLoader && r.Name != roleHWConf {
			switch s.HWConf {
			case HWConfNoLiveBit:
				r.Flags &^= hwLiveRoot
			case HWConfNoUsage:
				continue
			}
		}
		conf.Roles = append(conf.Roles, r)
	}
	return conf, nil
}

// hwAuthority signs hardware configurations of phones made by this process. Its
// key is discarded with the process.
var hwAuthority = sync.OnceValues(func() (*mkimage.Authority, error) {
	return mkimage.NewTestAuthority("S1_Root_SimPhone")
})

// signedHWConf is the content of unit 2003 that the settings ask for.
func signedHWConf(authority *mkimage.Authority, s settings) ([]byte, error) {
	conf, err := factoryHWConf(s)
	if err != nil {
		return nil, err
	}
	return signHWConf(authority, conf)
}

// signHWConf makes the SIN of type 0x22 that unit 2003 holds.
func signHWConf(authority *mkimage.Authority, conf *trimarea.HWConf) ([]byte, error) {
	signer, err := authority.Issue(roleHWConf, 1)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = mkimage.Builder{Type: payloadHWConf, Signer: signer}.Build(&b, mkimage.BytesPayload(encodeHWConf(conf)))
	return b.Bytes(), err
}
