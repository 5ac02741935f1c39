package phone

import (
	"bytes"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"sync"

	"xflash/sin/gpt"
)

//go:embed images.json units.json guids.json families/*.json
var dataFiles embed.FS

// knowledge is everything in the data files.
type knowledge struct {
	families []*Family
	images   []imageData
	units    []unitRange
	files    []TAFile
	guids    []provenGUID
}

type imageData struct {
	Image
	Aliases []string
}

type unitRange struct {
	first, last uint32
	verdict     Verdict
	reason      string
}

// loaded reads the data once. They are part of the program and a test reads
// them all, so a mistake in them is a panic and not an error of the caller.
var loaded = sync.OnceValue(func() *knowledge {
	k, err := load(dataFiles)
	if err != nil {
		panic(err)
	}
	return k
})

func load(files fs.FS) (*knowledge, error) {
	k := new(knowledge)
	if err := k.loadImages(files); err != nil {
		return nil, err
	}
	if err := k.loadUnits(files); err != nil {
		return nil, err
	}
	if err := k.loadGUIDs(files); err != nil {
		return nil, err
	}
	names, err := fs.Glob(files, "families/*.json")
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	for _, name := range names {
		f, err := loadFamily(files, name)
		if err != nil {
			return nil, err
		}
		k.families = append(k.families, f)
	}
	return k, nil
}

// decode reads one JSON file strictly: an unknown key is a typing error.
func decode(files fs.FS, name string, into any) error {
	raw, err := fs.ReadFile(files, name)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func (k *knowledge) loadImages(files fs.FS) error {
	var data struct {
		Images []struct {
			Short   string   `json:"short"`
			Aliases []string `json:"aliases"`
			Writes  Target   `json:"writes"`
			Group   string   `json:"group"`
			Policy  Policy   `json:"policy"`
			Signer  string   `json:"signer"`
			Danger  bool     `json:"danger"`
			Reason  string   `json:"reason"`
		} `json:"images"`
	}
	if err := decode(files, "images.json", &data); err != nil {
		return err
	}
	for _, d := range data.Images {
		k.images = append(k.images, imageData{
			Image: Image{Short: d.Short, Writes: d.Writes, Group: d.Group, Policy: d.Policy,
				Signer: d.Signer, Danger: d.Danger, Reason: d.Reason},
			Aliases: d.Aliases,
		})
	}
	return nil
}

func (k *knowledge) loadUnits(files fs.FS) error {
	const name = "units.json"
	var data struct {
		Units []struct {
			Unit    uint32  `json:"unit"`
			Last    uint32  `json:"last"` // 0: the range is one unit
			Verdict Verdict `json:"verdict"`
			Reason  string  `json:"reason"`
		} `json:"units"`
		Files []struct {
			Name   string   `json:"name"`
			Units  []uint32 `json:"units"`
			Data   string   `json:"data"` // hex
			Never  bool     `json:"never"`
			Reason string   `json:"reason"`
		} `json:"files"`
	}
	if err := decode(files, name, &data); err != nil {
		return err
	}
	for _, d := range data.Units {
		k.units = append(k.units, unitRange{d.Unit, max(d.Unit, d.Last), d.Verdict, d.Reason})
	}
	for _, d := range data.Files {
		f := TAFile{Name: d.Name, Units: d.Units, Never: d.Never, Reason: d.Reason}
		if d.Data != "" {
			raw, err := hex.DecodeString(d.Data)
			if err != nil {
				return fmt.Errorf("%s: file %s: %w", name, d.Name, err)
			}
			f.Data = raw
		}
		if _, err := path.Match(d.Name, ""); err != nil {
			return fmt.Errorf("%s: file %s: %w", name, d.Name, err)
		}
		k.files = append(k.files, f)
	}
	return nil
}

// familyData is the form of families/*.json.
type familyData struct {
	Name    string   `json:"name"`
	Years   string   `json:"years"`
	SoC     string   `json:"soc"`
	Roots   []string `json:"roots"`
	Note    string   `json:"note"`
	Devices []struct {
		Folder        string   `json:"folder"`
		Name          string   `json:"name"`
		CodeName      string   `json:"code_name"`
		LinuxName     string   `json:"linux_name"`
		Codes         []string `json:"codes"`
		OperatorCodes []string `json:"operator_codes"` // those of Codes that are bound
		USB           string   `json:"usb"`            // hex
		LoaderMD5     string   `json:"loader_md5"`
		Order         string   `json:"order"`
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
	Partitions []struct {
		Label   string   `json:"label"`
		Size    int64    `json:"size"`
		GUID    gpt.GUID `json:"guid"`
		Class   Class    `json:"class"`
		Verdict Verdict  `json:"verdict"`
		Note    string   `json:"note"`
	} `json:"partitions"`
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
	} `json:"loaders"`
	Targets map[string][]string `json:"targets"`
	Orders  []struct {
		Name   string `json:"name"`
		Source string `json:"source"`
		Steps  []Step `json:"steps"`
	} `json:"orders"`
}

func loadFamily(files fs.FS, name string) (*Family, error) {
	var data familyData
	if err := decode(files, name, &data); err != nil {
		return nil, err
	}
	f := &Family{Name: data.Name, Years: data.Years, SoC: data.SoC, Roots: data.Roots, Note: data.Note, targets: data.Targets}
	for _, d := range data.Devices {
		var usb uint64
		if d.USB != "" {
			var err error
			if usb, err = strconv.ParseUint(d.USB, 16, 12); err != nil {
				return nil, fmt.Errorf("%s: device %s: %w", name, d.Folder, err)
			}
		}
		for _, code := range d.Codes {
			f.Models = append(f.Models, Model{Code: code, Name: d.Name, CodeName: d.CodeName, LinuxName: d.LinuxName,
				Folder: d.Folder, LoaderMD5: d.LoaderMD5, USB: uint16(usb),
				OperatorBound: slices.Contains(d.OperatorCodes, code), order: d.Order})
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
	for _, d := range data.Partitions {
		f.Partitions = append(f.Partitions, Partition(d))
	}
	for _, d := range data.Loaders {
		f.Loaders = append(f.Loaders, Loader{Version: d.Version, ID: d.ID, MD5: d.MD5, Folders: d.Folders, Sets: d.Sets,
			LZ4A: d.LZ4A, Fill: d.Fill, PacketsPerBlock: d.PacketsPerBlock, HeaderUnit: d.HeaderUnit,
			HeaderChecksum: d.HeaderChecksum, ChecksEnd: !d.IgnoresEnd, StopsUnplugged: d.StopsUnplugged, Verified: d.Verified})
	}
	for _, d := range data.Orders {
		f.orders = append(f.orders, Order(d))
	}
	return f, nil
}
