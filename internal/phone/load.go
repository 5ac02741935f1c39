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
	"sync"
)

//go:embed images.json units.json guids.json command.json families/*.json
var dataFiles embed.FS

// knowledge is everything in the data files.
type knowledge struct {
	families []*Family
	images   []imageData
	never    []Partition
	units    []unitData
	files    []TAFile
	guids    []provenGUID
	command  commandData
}

type imageData struct {
	Image
	Aliases []string `json:"aliases"` // further names of the file
}

// unitData is the form of a unit, or of a range of units, in the data files.
type unitData struct {
	Unit    uint32  `json:"unit"`
	Last    uint32  `json:"last"` // 0: the range is one unit
	Verdict Verdict `json:"verdict"`
	Reason  string  `json:"reason"`
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
	for _, read := range []func(fs.FS) error{k.loadImages, k.loadUnits, k.loadGUIDs, k.loadCommand} {
		if err := read(files); err != nil {
			return nil, err
		}
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
		k.prove(f)
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
		Images []imageData `json:"images"`
		Never  []Partition `json:"never"`
	}
	if err := decode(files, "images.json", &data); err != nil {
		return err
	}
	k.images, k.never = data.Images, data.Never
	for i := range k.never {
		k.never[i].Class, k.never[i].Verdict = Identity, Never
	}
	return nil
}

func (k *knowledge) loadUnits(files fs.FS) error {
	const name = "units.json"
	var data struct {
		Units []unitData `json:"units"`
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
	k.units = data.Units
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
