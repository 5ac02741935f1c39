package phone

import (
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"xflash/sin/gpt"
)

// familyData is the form of families/*.json.
type familyData struct {
	Name       string   `json:"name"`
	Protocol   Protocol `json:"protocol"` // absent: ProtocolS1
	Years      string   `json:"years"`
	SoC        string   `json:"soc"`
	Roots      []string `json:"roots"`
	Recovery   string   `json:"recovery"`
	NoFastboot bool     `json:"no_fastboot"`
	Note       string   `json:"note"`
	Elsewhere  string   `json:"elsewhere"`
	WhyNot     string   `json:"why_not"`
	Storage    string   `json:"storage"`
	Form       Form     `json:"form"`
	NoBootSet  string   `json:"no_boot_set"`
	TopLevel   []string `json:"top_level"`
	Devices    []struct {
		Folder        string   `json:"folder"`
		Name          string   `json:"name"`
		CodeName      string   `json:"code_name"`
		LinuxName     string   `json:"linux_name"`
		Aliases       []string `json:"aliases"`
		Codes         []string `json:"codes"`
		OperatorCodes []string `json:"operator_codes"` // those of Codes that are bound
		USB           string   `json:"usb"`            // hex
		Firmware      []string `json:"firmware"`       // first and last release
		Order         string   `json:"order"`          // folder of the script
		WhyNot        string   `json:"why_not"`        // in place of the family's
		Keys          []string `json:"keys"`
		NamesOnly     []string `json:"names_only"` // those of Codes of which nothing but the name is known
	} `json:"devices"`
	Boards []struct {
		CodeName   string      `json:"code_name"`
		Board      [][2]uint32 `json:"board"`
		MSM        []uint32    `json:"msm"`
		SoCRev     string      `json:"soc_rev"` // 0x…
		Model      string      `json:"model"`
		Compatible string      `json:"compatible"`
		Note       string      `json:"note"`
	} `json:"boards"`
	Loaders []struct {
		Version         string       `json:"version"`
		ID              string       `json:"id"`
		MD5             string       `json:"md5"`
		Folders         []string     `json:"folders"`
		Sets            [][]string   `json:"sets"`
		LZ4A            bool         `json:"lz4a"`
		Fill            FillForm     `json:"fill"`
		PacketsPerBlock int          `json:"packets_per_block"`
		HeaderUnit      string       `json:"header_unit"`
		HeaderChecksum  bool         `json:"header_checksum"`
		IgnoresEnd      bool         `json:"ignores_end"`
		StopsUnplugged  bool         `json:"stops_unplugged"`
		Verified        Verification `json:"verified"`
		SisterOf        string       `json:"sister_of"`
	} `json:"loaders"`
	Partitions []struct {
		Label   string   `json:"label"`
		Size    int64    `json:"size"`
		GUID    gpt.GUID `json:"guid"`
		Class   Class    `json:"class"`
		Verdict Verdict  `json:"verdict"`
		Note    string   `json:"note"`
	} `json:"partitions"`
	Targets map[string][]string `json:"targets"`
	Orders  []struct {
		Scripts []string `json:"scripts"`
		Note    string   `json:"note"`
		Steps   []Step   `json:"steps"`
	} `json:"orders"`
}

func loadFamily(files fs.FS, name string) (*Family, error) {
	var data familyData
	if err := decode(files, name, &data); err != nil {
		return nil, err
	}
	f := &Family{Name: data.Name, Protocol: data.Protocol, Years: data.Years, SoC: data.SoC, Roots: data.Roots,
		Recovery: data.Recovery, NoFastboot: data.NoFastboot, Note: data.Note, Elsewhere: data.Elsewhere,
		Storage: data.Storage, NoBootSet: data.NoBootSet, targets: data.Targets, topLevel: data.TopLevel}
	if f.Protocol == "" {
		f.Protocol = ProtocolS1
	}
	for _, d := range data.Loaders {
		f.Loaders = append(f.Loaders, Loader{Version: d.Version, ID: d.ID, MD5: d.MD5, Folders: d.Folders, Sets: d.Sets,
			LZ4A: d.LZ4A, Fill: d.Fill, PacketsPerBlock: d.PacketsPerBlock, HeaderUnit: d.HeaderUnit,
			HeaderChecksum: d.HeaderChecksum, ChecksEnd: !d.IgnoresEnd, StopsUnplugged: d.StopsUnplugged,
			Verified: d.Verified, SisterOf: d.SisterOf})
	}
	for _, d := range data.Orders {
		o := Order{Scripts: d.Scripts, Steps: d.Steps, Source: "Androxyde/devices:" + strings.Join(d.Scripts, ", ")}
		if d.Note != "" {
			o.Source += "; " + d.Note
		}
		f.orders = append(f.orders, o)
	}
	for _, d := range data.Partitions {
		f.Partitions = append(f.Partitions, Partition{Label: d.Label, Size: d.Size, GUID: d.GUID, Class: d.Class,
			Verdict: d.Verdict, Note: d.Note, Kernel: d.Label == "boot" || d.Label == f.Recovery})
	}
	for _, d := range data.Devices {
		m := Model{Name: d.Name, CodeName: d.CodeName, LinuxName: d.LinuxName, Aliases: d.Aliases, Folder: d.Folder,
			Form: data.Form, Keys: d.Keys, order: d.Order, whyNot: d.WhyNot}
		if m.whyNot == "" {
			m.whyNot = data.WhyNot
		}
		if m.Firmware = d.Firmware; len(d.Firmware) != 0 && len(d.Firmware) != 2 {
			return nil, fmt.Errorf("%s: device %s: firmware wants the first and the last release", name, d.Folder)
		}
		if d.USB != "" {
			usb, err := strconv.ParseUint(d.USB, 16, 12)
			if err != nil {
				return nil, fmt.Errorf("%s: device %s: %w", name, d.Folder, err)
			}
			m.USB = uint16(usb)
		}
		if l, ok := f.Loader(m); ok {
			m.LoaderMD5 = l.MD5
		}
		for _, code := range d.Codes {
			m.Code, m.OperatorBound = code, slices.Contains(d.OperatorCodes, code)
			m.ByName = slices.Contains(d.NamesOnly, code)
			f.Models = append(f.Models, m)
		}
	}
	for _, d := range data.Boards {
		rev, err := strconv.ParseUint(d.SoCRev, 0, 32)
		if err != nil {
			return nil, fmt.Errorf("%s: board %s: %w", name, d.CodeName, err)
		}
		f.Boards = append(f.Boards, Board{CodeName: d.CodeName, BoardIDs: d.Board, MSM: d.MSM, SoCRev: uint32(rev),
			Model: d.Model, Compatible: d.Compatible, Note: d.Note})
	}
	return f, nil
}
