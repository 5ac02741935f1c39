package simphone

import (
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// getvar answers one variable. Names without a value here are not supported, in the words
// of real phones.
func (s *commandSession) getvar(name string) error {
	if f := s.atVariable(name); f != nil {
		if f.Name == FaultNoVar {
			return s.fail(fmt.Sprintf(refusedVariable, name))
		}
		return s.okay(strings.TrimPrefix(f.Arg, name+":"))
	}
	if part, ok := strings.CutPrefix(name, "has-slot:"); ok && s.model.slots {
		if slices.Contains(s.model.slotted(), part) {
			return s.okay("yes")
		}
		return s.okay("no")
	}
	if value, ok := s.variables()[name]; ok {
		return s.okay(value)
	}
	return s.fail(fmt.Sprintf(refusedVariable, name))
}

// variables are what the phone says about itself (usbproto/command/PROTOCOL.md §2.5). The values of X-conf, Frp-partition,
// is-userspace, USB-version and the rollback index are a model: nobody published any.
func (s *commandSession) variables() map[string]string {
	m, state := s.model, &s.phone.command.state
	v := map[string]string{
		"max-download-size":  strconv.FormatInt(m.maxDownload, 10),
		"product":            state.Product,
		"version":            "0.4",
		"version-bootloader": m.boot,
		"version-baseband":   m.baseband,
		"serialno":           state.Serial,
		"secure":             "yes",
		"Sector-size":        strconv.FormatInt(m.block(), 10),
		"Loader-version":     m.loader,
		"Phone-id":           "0000:49901064000000",
		"Device-id":          "5AFEC0DE",
		"Platform-id":        m.chip,
		"Rooting-status":     "NOT_ROOTABLE",
		"Default-security":   "ON",
		"Keystore-counter":   "2",
		"Security-state":     securityState(m),
		"S1-root":            "S1_Root_70f0",
		"Sake-root":          "A672",
		"USB-version":        "2",
		"Version-sony":       "1",
	}
	if m.emmc {
		v["Emmc-info"] = "SAMSUNG,0x0100,0x0"
	} else {
		v["Ufs-info"] = "KIOXIA,THGJFLT1E45BATPB,0100"
	}
	if m.battery != "" {
		v["Battery"] = m.battery
	}
	if m.slots {
		v["slot-count"], v["current-slot"] = "2", state.Slot
		v["is-userspace"], v["X-conf"], v["Soc-unique-id"], v["Frp-partition"] = "no", "x_conf_sim", "0011223344556677", "frp"
		v["Rollback-index-count"], v["Rollback-index:0"], v["Has-been-unlocked"] = "1", strconv.FormatUint(state.Rollback, 10), "no"
	}
	return v
}

// securityState is the form of the phone's generation.
func securityState(m *commandModel) string {
	digest := invented("security state "+m.suffix, 32)
	if !m.slots {
		return strings.ToUpper(hex.EncodeToString(digest[:20]))
	}
	return base64.StdEncoding.EncodeToString(digest)
}

// rootHash is the hash of the phone's platform root. Phones of one firmware key share it.
func (m *commandModel) rootHashBytes() []byte {
	sum := sha512.Sum384([]byte("simulated platform root " + m.suffix))
	return sum[:m.rootHash]
}

func (s *commandSession) rootKeyHash(string) error {
	hash := s.model.rootHashBytes()
	if f := s.at(FaultHash); f != nil {
		hash = f.hash(hash)
	}
	return s.data(hash)
}

// ufsInfo is a device descriptor and a descriptor for each unit, as JEDEC has them
// (usbproto/command/PROTOCOL.md §5.3); what nobody looks at is zero.
func (s *commandSession) ufsInfo(string) error {
	luns := s.phone.command.luns
	b := make([]byte, 0x40)
	b[0], b[6] = 0x40, byte(len(luns))
	for i, d := range luns {
		u := make([]byte, 0x23)
		blocks := uint64(s.lunSize(i, d.size) / s.model.block())
		u[0], u[1], u[2], u[3], u[10] = 0x23, 2, byte(i), 1, 12
		binary.BigEndian.PutUint64(u[11:], blocks)
		binary.BigEndian.PutUint64(u[24:], blocks)
		b = append(b, u...)
	}
	return s.data(b)
}

// emmcInfo is the EXT_CSD register: its length is a multiple of the packet size.
func (s *commandSession) emmcInfo(string) error {
	b := make([]byte, 512)
	binary.LittleEndian.PutUint32(b[0xD4:], uint32(s.lunSize(0, s.phone.command.luns[0].size)/512))
	return s.data(b)
}

// gptInfo sends the first copy of the table: a model, no tool looks at it.
func (s *commandSession) gptInfo(arg string) error {
	luns := s.phone.command.luns
	lun, err := strconv.Atoi(arg)
	if err != nil || lun < 0 || lun >= len(luns) {
		return s.fail(refusedBySim + "unknown unit")
	}
	b := make([]byte, tableBytes(s.model.block()))
	if _, err := luns[lun].file.ReadAt(b, 0); err != nil {
		return err
	}
	return s.data(b)
}

func (s *commandSession) readUnit(arg string) error {
	partition, unit, ok := unitOf(arg)
	if !ok {
		return s.fail(refusedBySim + "no such unit")
	}
	u, ok := s.trim.Unit(partition, unit)
	if !ok {
		return s.fail(fmt.Sprintf(refusedUnit, unit))
	}
	return s.data(u.Data)
}

// readUnits sends everything but the device key.
func (s *commandSession) readUnits(arg string) error {
	partition, err := strconv.Atoi(arg)
	if err != nil || partition != 1 && partition != 2 {
		return s.fail(refusedBySim + "no such partition")
	}
	var b []byte
	for _, u := range s.trim.Units(partition) {
		if u.Number == unitDeviceKey {
			continue
		}
		b = binary.BigEndian.AppendUint32(b, u.Number)
		b = binary.BigEndian.AppendUint32(b, uint32(len(u.Data)))
		b = append(b, u.Data...)
	}
	return s.data(b)
}

// readable are the partitions that hosts may read: appslog is known to be one, the rest is
// a model.
var readable = []string{"appslog", "diag"}

func (s *commandSession) readPartition(label string) error {
	p, err := s.phone.Partition(label)
	if err != nil || !slices.Contains(readable, label) {
		return s.fail(refusedBySim + "not a partition to read")
	}
	b := make([]byte, p.Size())
	if _, err := p.ReadAt(b, 0); err != nil {
		return err
	}
	return s.data(b)
}

func (s *commandSession) getLog(string) error {
	return s.data(fmt.Appendf(nil, "simulated boot loader %s\n%d commands\n", s.model.boot, s.heard))
}
