package usbproto

// Mode is what a phone is doing, as far as its USB ids tell.
type Mode int

// The modes. Sony gives one id to each boot mode, the same for all models; a phone that
// runs Android shows its functions in the high four bits of the product id and its model
// in the low twelve (usbproto/s1/PROTOCOL.md §1.1, internal/phone/PHONES.md §8.1).
const (
	ModeUnknown   Mode = iota // not known, or not a phone
	ModeFlash                 // Sony's flash mode, models of 2010 to 2016 (0fce:adde)
	ModeFastboot              // Sony's fastboot (0fce:0dde)
	ModeFlash2017             // the flash mode of models from 2017 on (0fce:b00b)
	ModeMTP                   // Android: files over MTP
	ModeDisc                  // Android: a CD-ROM with the driver of the PC software
	ModeStorage               // Android: memory card as a disk
	ModeTether                // Android: shares its network
	ModeADB                   // Android or recovery with adb
	ModeEmergency             // Sony's ids below flash mode
	ModeEDL                   // Qualcomm's emergency download mode (05c6:9008)
	ModeDump                  // Qualcomm's memory dump modes (05c6:900e, 9006)
	ModeGeneric               // fastboot of a boot loader that is not Sony's (18d1:d00d)
	ModeOther                 // a Sony id without a known meaning
)

// The USB vendors of phones that may be Sony's.
const (
	VendorSony     = 0x0fce
	VendorQualcomm = 0x05c6
	VendorGoogle   = 0x18d1 // custom ROMs and recoveries, and phones of many makers
)

type usbID struct{ vid, pid uint16 }

// exact holds the ids that mean one mode each. They go before the pattern: 0dde is not
// "MTP on model dde".
var exact = map[usbID]Mode{
	{VendorSony, 0xadde}:     ModeFlash,
	{VendorSony, 0x0dde}:     ModeFastboot,
	{VendorSony, 0xb00b}:     ModeFlash2017,
	{VendorSony, 0x9dde}:     ModeEmergency, // usbproto/libusb/NOTES.md §8
	{VendorSony, 0xade3}:     ModeEmergency,
	{VendorSony, 0xade5}:     ModeEmergency,
	{VendorSony, 0xaded}:     ModeEmergency,
	{VendorSony, 0xf165}:     ModeOther, // "Flash" in Sony's Windows driver, used by no program
	{VendorSony, 0xf0aa}:     ModeOther, // "DFU" in the same file
	{VendorSony, 0xffff}:     ModeOther,
	{VendorQualcomm, 0x9008}: ModeEDL,
	{VendorQualcomm, 0x900e}: ModeDump,
	{VendorQualcomm, 0x9006}: ModeDump,
	{VendorGoogle, 0xd00d}:   ModeGeneric,
	{VendorGoogle, 0x4ee7}:   ModeADB,
	{VendorGoogle, 0xd001}:   ModeADB,
}

// byNibble is the pattern of Android's modes: index is the high four bits.
var byNibble = [16]Mode{
	0x0: ModeMTP,
	0x2: ModeADB, 0x3: ModeADB, 0xd: ModeADB, // older phones
	0x4: ModeDisc,
	0x5: ModeADB, // MTP
	0x6: ModeADB, // mass storage
	0x7: ModeTether,
	0x8: ModeADB, // tethering
	0xa: ModeStorage,
	0xb: ModeADB, // MTP and mass storage
	0xe: ModeStorage,
}

// ModeOf tells the mode from the USB ids; ModeUnknown means that the device is not a phone.
func ModeOf(vid, pid uint16) Mode {
	if m, ok := exact[usbID{vid, pid}]; ok {
		return m
	}
	if vid != VendorSony {
		return ModeUnknown
	}
	if pid&0xfff != 0xdde && byNibble[pid>>12] != ModeUnknown {
		return byNibble[pid>>12]
	}
	return ModeOther
}

// FlashModes are those that wait for signed firmware. Their protocols differ: usbproto/s1 and
// usbproto/command.
var FlashModes = []Mode{ModeFlash, ModeFlash2017}

// Android reports whether Android runs, so that the low twelve bits of a Sony product id
// are the model.
func (m Mode) Android() bool {
	switch m {
	case ModeMTP, ModeDisc, ModeStorage, ModeTether, ModeADB:
		return true
	}
	return false
}

var modeNames = [...]string{
	ModeUnknown:   "unknown mode",
	ModeFlash:     "flash mode",
	ModeFastboot:  "fastboot",
	ModeFlash2017: "2017 flash mode",
	ModeMTP:       "file-transfer mode (MTP)",
	ModeDisc:      "driver-disc mode (CD-ROM)",
	ModeStorage:   "mass-storage mode",
	ModeTether:    "tethering mode",
	ModeADB:       "debugging mode (adb)",
	ModeEmergency: "Sony's emergency mode",
	ModeEDL:       "Qualcomm's emergency mode (EDL)",
	ModeDump:      "Qualcomm's memory-dump mode",
	ModeGeneric:   "generic fastboot",
	ModeOther:     "an unknown mode",
}

// String is the short name, such as "flash mode".
func (m Mode) String() string {
	if m < 0 || int(m) >= len(modeNames) {
		m = ModeUnknown
	}
	return modeNames[m]
}
