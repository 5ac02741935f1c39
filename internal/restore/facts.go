package restore

import (
	"context"
	"errors"
	"strings"

	"xflash/ftf"
	"xflash/usbproto/s1"
)

// Trim-area units that are read to know the phone (internal/trimarea/FORMAT.md §3).
const (
	unitHWConf      = 2003
	unitSoftware    = 2202
	unitCustom      = 2205
	unitFileSystem  = 2206
	unitBootVersion = 2207
	unitBuildType   = 2209
	unitModel       = 2210
	unitSerial      = 4900
	unitTimestamp   = 10021
	unitFlashState  = 10100
)

// Facts is what the phone says about itself, as far as a plan depends on it. It holds
// no IMEI, no serial number and no chip id; those only go into Identity, as a hash.
type Facts struct {
	Stage    string            `json:"stage"`             // S1_BOOT, or S1_LOADER when a loader already runs
	Info     map[string]string `json:"info"`              // keys of the loader info that a plan may use
	Units    map[uint32]string `json:"units"`             // text units that could be read
	HWRev    string            `json:"hw_rev"`            // REV="..." of unit 2003, "" when unknown
	HWConf   bool              `json:"hw_conf"`           // unit 2003 could be read and is not empty
	Flashing bool              `json:"flashing"`          // unit 10100 reads 1: a flash was not finished
	Storage  *Storage          `json:"-"`                 // nil when no loader was asked; a resumed run asks again
	Command  *CommandFacts     `json:"command,omitempty"` // of phones of 2017 and later
	Identity string            `json:"identity"`          // hash over what makes this phone unique, "" when nothing could be read
}

// ReadFacts asks the phone who it is. Refused units are normal: every unit may be
// absent, and a phone after a custom ROM lacks several (usbproto/s1/PROTOCOL.md §4.3). Only a
// broken transfer is an error.
func ReadFacts(ctx context.Context, s *s1.Session) (*Facts, error) {
	info := s.Info()
	f := &Facts{Info: map[string]string{}, Units: map[uint32]string{}}
	for _, key := range s1.PublicKeys {
		if v, ok := info.Get(key); ok {
			f.Info[key] = v
		}
	}
	f.Stage = f.Info["TYPE"]
	if s.Stage() == s1.StageLoader {
		var err error
		if f.Storage, err = readStorage(ctx, s); err != nil {
			return nil, err
		}
	}

	units := map[uint32][]byte{}
	if err := s.OpenTA(ctx, 2); err == nil {
		for _, unit := range []uint32{unitModel, unitSerial, unitCustom, unitSoftware, unitFileSystem,
			unitBootVersion, unitBuildType, unitHWConf, unitFlashState} {
			data, err := s.ReadUnit(ctx, unit)
			if err == nil {
				units[unit] = data
			} else if !refused(err) {
				return nil, err
			}
		}
		if err := s.CloseTA(ctx); err != nil && !refused(err) {
			return nil, err
		}
	} else if !refused(err) {
		return nil, err
	}
	for _, unit := range []uint32{unitModel, unitCustom, unitSoftware, unitFileSystem, unitBootVersion, unitBuildType} {
		if data, ok := units[unit]; ok {
			f.Units[unit] = strings.TrimRight(string(data), "\x00")
		}
	}
	f.HWConf = len(units[unitHWConf]) > 0
	f.HWRev = ftf.HWConfigRevision(units[unitHWConf])
	f.Flashing = len(units[unitFlashState]) > 0 && units[unitFlashState][0] != 0

	// The serial number is readable in both stages, so it comes first; the keys below
	// are another route for phones that lost it.
	id := unique("serial", string(units[unitSerial]))
	for _, key := range []string{"UNIQUE_DEV_ID_1", "PHONE_ID", "IMEI", "MSN"} {
		if v, _ := info.Get(key); !strings.HasPrefix(id, "serial=") {
			id += unique(key, v)
		}
	}
	if id != "" {
		f.Identity = hexSHA256([]byte(id))
	}
	return f, nil
}

func unique(name, value string) string {
	if value = strings.Trim(value, "\x00 "); value == "" {
		return ""
	}
	return name + "=" + value + ";"
}

// refused tells a phone that said no from a transfer that broke.
func refused(err error) bool {
	var r *s1.Refusal
	return errors.As(err, &r)
}
