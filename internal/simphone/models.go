package simphone

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A loaderModel is what one executed loader does differently from the others:
// usbproto/s1/PROTOCOL.md §14 for all of them, usbproto/s1/PROTOCOL.md §11 for z3.
type loaderModel struct {
	version   string // VER
	product   string // ID
	aid       uint64 // of its own certificate
	maxPacket uint32
	packets   int      // that it can keep of one hash block
	tags      []string // of image maps
	sets      [][]string
	headerOf  string // the image whose SIN header goes into unit 66670: "boot", "system", or none
	hello     []string
	ram       int // numbers in RAM_INFO

	old            bool // without LZ4A, and with what all of those have in common
	fill           fillForm
	dynamic        dynamicForm
	layoutParts    bool // command 21 is answered in parts
	storage28      storageForm
	checksHeader   bool // lost after a wrong header checksum or a packet too long
	noBounds       bool // writes past the end of a partition
	pastEnd        status
	sizesMinor     bool // a payload of wrong size never ends the session
	majorAgain     bool // refuses with MINOR 0010 after a MAJOR error, and 11, 14, 20 with MINOR
	twoChips       bool // unit 2150 is read
	stopsUnplugged bool // switches the phone off when there is no power on the cable
	hypervisor     hypervisorIDs
}

// fillForm says which FILL tags a loader takes.
type fillForm int

const (
	fill28     fillForm = iota // exactly 28 bytes
	fill32                     // 32 or more, with a data tag after it
	fillErased                 // 32 or more; not written: the word must be what the erased card reads
)

// dynamicForm is the form of ERR_DYNAMIC.
type dynamicForm int

const (
	dynamicPlain dynamicForm = iota // 800A0017
	dynamicWords                    // "0x800A0017 ", and words where there is no status
)

// storageForm says what command 28 does with a device that is not there.
type storageForm int

const (
	storageAnswers storageForm = iota
	storageRefuses
	storageHangs
)

// hypervisorIDs are the ids of the group hyp, which differ by loader.
type hypervisorIDs int

const (
	hypKanuti hypervisorIDs = iota
	hypKitakami
)

var (
	tagsNew  = []string{"GPTP", "MTKP", "ADDR", "LZ4A", "FILL"}
	tagsOld  = []string{"GPTP", "ADDR", "FILL"}
	tagsMTKP = []string{"GPTP", "MTKP", "ADDR", "FILL"}

	setOfSix  = [][]string{{"sbl1", "s1sbl", "aboot", "tz", "rpm", "dbi"}}
	setOfFour = [][]string{{"sbl1", "s1sbl", "aboot", "tz"}, {"rpm"}}
)

// Loaders that were executed, by the names of usbproto/s1/PROTOCOL.md §14.1.
var loaderModels = map[string]*loaderModel{
	"z3": {
		version: "MSM8974AB_22", product: "1277-2052", aid: 4, maxPacket: defaultPacket, packets: 96, tags: tagsNew,
		sets: setOfSix, headerOf: "boot", hello: helloNew, ram: 4,
	},
	"z2tab": {
		version: "MSM8974AB_12", product: "1277-2052", aid: 4, maxPacket: defaultPacket, packets: 96, tags: tagsNew,
		sets: setOfSix, headerOf: "system", hello: helloNew, ram: 4,
	},
	"z2": {
		version: "MSM8974AB_7", product: "1277-2052", aid: 4, maxPacket: defaultPacket, packets: 31, tags: tagsMTKP,
		sets: setOfFour, hello: without(helloNew, "HW_CONFIG_INFO", "SEC_STATE", "PLF_ROOT_1", "CARD_PRESENT"), ram: 4,
		old: true, fill: fill32, layoutParts: true, storage28: storageHangs,
	},
	"rhine": {
		version: "MSM8974_23", product: "1270-3108", aid: 4, maxPacket: defaultPacket, packets: 31, tags: tagsOld,
		sets: setOfFour, hello: helloRhine, ram: 4,
		old: true, fill: fill32, dynamic: dynamicWords, layoutParts: true, storage28: storageRefuses,
	},
	"yukon": {
		version: "LOADER_RELEASE_MSM8X26_31_AID_4", product: "1274-7019", aid: 4, maxPacket: defaultPacket, packets: 31, tags: tagsMTKP,
		sets: setOfFour, hello: without(helloNew, "CARD_PRESENT"), ram: 2,
		old: true, fill: fill32, storage28: storageHangs,
	},
	"zr": {
		version: "APQ8064_39", product: "1264-2304", aid: 1, maxPacket: defaultPacket, packets: 31, tags: tagsOld,
		sets: [][]string{{"sbl1", "sbl2", "s1sbl2", "sbl3", "aboot", "tz"}, {"rpm"}}, hello: helloZR, ram: 4,
		old: true, fill: fill32, dynamic: dynamicWords, layoutParts: true, storage28: storageRefuses,
		noBounds: true, sizesMinor: true, twoChips: true,
	},
	"z": {
		version: "APQ8064_30", product: "1264-2304", aid: 1, maxPacket: defaultPacket, packets: 31, tags: tagsOld,
		hello: helloZ, old: true, fill: fillErased, dynamic: dynamicWords, layoutParts: true, storage28: storageRefuses,
		checksHeader: true, pastEnd: statusPastPartitionZ, sizesMinor: true, majorAgain: true, twoChips: true,
	},
	"nicki": {
		version: "loader_MSM8X30_10", product: "1269-1287", aid: 1, maxPacket: defaultPacket, packets: 31, tags: tagsOld,
		hello: without(helloZ, chip2Keys...), old: true, fill: fillErased, dynamic: dynamicWords, layoutParts: true, storage28: storageRefuses,
		checksHeader: true, sizesMinor: true,
	},
	"kanuti": {
		version: "MSM8936_14", product: "1291-8011", aid: 4, maxPacket: defaultPacket, packets: 96, tags: tagsNew,
		sets: [][]string{{"sbl1", "s1sbl", "aboot", "tz", "rpm", "hyp"}}, headerOf: "boot", hello: helloNew, ram: 2,
		hypervisor: hypKanuti, stopsUnplugged: true,
	},
	"kitakami": {
		version: "MSM8994_41", product: "1289-5623", aid: 4, maxPacket: 0x400000, packets: 15, tags: tagsNew,
		sets: [][]string{{"sbl1", "s1sbl", "aboot", "tz", "rpm", "hyp", "pmic"}}, headerOf: "boot", hello: helloKitakami, ram: 4,
		hypervisor: hypKitakami,
	},
}

// A phoneKind is a phone that ParseSpec knows.
type phoneKind struct {
	name        string
	model       string // of unit 2210
	bootVersion string
	idCode      string
	rootName    string // of Sony's live root
	rootPrint   string // SHA-256 of its certificate
	loader      *loaderModel
	chain, rest []string // partitions

	command *commandModel // of a phone of 2017 or later, which has nothing else of this but names
}

// DefaultName is the phone that Options without a name are.
const DefaultName = "z3c"

// phones are one phone for every executed loader. The boot versions and chip
// codes besides those of z3c are invented.
var phones = map[string]*phoneKind{}

func init() {
	for _, k := range []phoneKind{
		{"z3c", "D5803", "S1_Boot_MSM8974AC_11", "107B00E1", "S1_Root_9c84", root9c84, loaderModels["z3"], chainShinano, restShinano, nil},
		{"z2tab", "SGP521", "S1_Boot_MSM8974AB_11", "107B00E1", "S1_Root_9c84", root9c84, loaderModels["z2tab"], chainShinano, restShinano, nil},
		{"z2", "D6503", "S1_Boot_MSM8974AB_3", "107B00E1", "S1_Root_9c84", root9c84, loaderModels["z2"], chainShinano, restShinano, nil},
		{"z1", "C6903", "S1_Boot_MSM8974_11", "007B80E1", "S1_Root_6732", root6732, loaderModels["rhine"], chainShinano, restShinano, nil},
		{"e3", "D2203", "S1_Boot_MSM8926_11", "007B90E1", "S1_Root_f82d", rootf82d, loaderModels["yukon"], chainShinano, restShinano, nil},
		{"zr", "C5503", "S1_Boot_APQ8064_11", "007070E1", "S1_Root_5ca3", root5ca3, loaderModels["zr"], chainFusion3, restShinano, nil},
		{"z", "C6603", "S1_Boot_APQ8064_3", "007070E1", "S1_Root_5ca3", root5ca3, loaderModels["z"], chainFusion3, restShinano, nil},
		{"m", "C1905", "S1_Boot_MSM8930_3", "107170E1", "S1_Root_dbe9", rootdbe9, loaderModels["nicki"], chainNicki, restNicki, nil},
		{"m4", "E2303", "S1_Boot_MSM8939_3", "000560E1", "S1_Root_54c8", root54c8, loaderModels["kanuti"], chainKanuti, restKanuti, nil},
		{"z5c", "E5823", "S1_Boot_MSM8994_11", "009690E1", "S1_Root_f936", rootf936, loaderModels["kitakami"], chainKitakami, restKitakami, nil},
	} {
		phones[k.name] = &k
	}
}

// Fingerprints of Sony's live roots (sin/FORMAT.md §5.4).
const (
	root9c84 = "8432d883eaab7a4d41c002f1dba7343dacde7d8b55c0cc78ba3d6da31f1e7e95"
	root6732 = "50ea6f80e54f1448b55c330da4c242011885a7a902238aac61498ec7ffe741e1"
	root5ca3 = "d61ca9210ca5ce9d6e17b0ed9e45402b2bf4fb33c4f997fe4821db3a9f31ff67"
	rootdbe9 = "91f4970e902fc9b4a87da239c7c9c9af8323989a1424ccba24ae243a602c4bfe"
	rootf82d = "b558f84cfc8b9970e6ccc3ca8fea3d295b9a9291a415aeadcabb33870f327bf5"
	root54c8 = "f4d997f9ceb475b979e67a5b1e49ac6ad3d93b153a3711eae26d685db0b09c5f"
	rootf936 = "6255b71e652592fc02439b9fe8db29c402c471276113d76f78094f80558bde26"

	testRootName  = "S1_Root_Test_b316"
	testRootPrint = "4bea08afd3c308ff7c881228de4c53b8f6c3e9dec73ba0ca6a54fc47bfc7af07"
)

// modelOf is how a loader with that version behaves on this kind of phone: like
// the executed one of the same version and the same root, or else like the one
// that the phone comes with.
func (k *phoneKind) modelOf(version string) *loaderModel {
	for _, other := range phones {
		if other.loader != nil && other.loader.is(version) && other.rootPrint == k.rootPrint {
			return other.loader
		}
	}
	return k.loader
}

// is reports that a version found in a loader's payload is this one's. Some have more
// around it in their hello.
func (m *loaderModel) is(version string) bool {
	core := strings.TrimPrefix(strings.TrimPrefix(m.version, "LOADER_RELEASE_"), "loader_")
	return version == m.version || version == strings.TrimSuffix(core, "_AID_4")
}

// Names are the names of all simulated phones, z3c first.
func Names() []string { return append(LoaderNames(), CommandNames...) }

// LoaderNames are those that run a loader, z3c first.
func LoaderNames() []string {
	list := slices.DeleteFunc(slices.Sorted(maps.Keys(phones)), func(name string) bool { return phones[name].command != nil })
	i := slices.Index(list, DefaultName)
	return slices.Insert(slices.Delete(list, i, i+1), 0, DefaultName)
}

func unknownPhone(name string) error {
	return fmt.Errorf("no simulated phone is called %q; there are %s", name, strings.Join(Names(), ", "))
}
