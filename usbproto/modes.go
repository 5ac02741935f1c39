package usbproto

// Mode is what a phone is doing, as far as its USB ids tell.
type Mode int

// The modes. Sony gives one id to each boot mode, the same for all models; a phone that
// runs Android shows its functions in the high four bits of the product id and its model
// in the low twelve (s1-protocol.md §1.1, device-rescue.md §3.1).
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
	vendorSony     = 0x0fce
	vendorQualcomm = 0x05c6
	vendorGoogle   = 0x18d1 // custom ROMs and recoveries, and phones of many makers
)

type usbID struct{ vid, pid uint16 }

// exact holds the ids that mean one mode each. They go before the pattern: 0dde is not
// "MTP on model dde".
var exact = map[usbID]Mode{
	{vendorSony, 0xadde}:     ModeFlash,
	{vendorSony, 0x0dde}:     ModeFastboot,
	{vendorSony, 0xb00b}:     ModeFlash2017,
	{vendorSony, 0x9dde}:     ModeEmergency, // ecosystem.md §6.6
	{vendorSony, 0xade3}:     ModeEmergency,
	{vendorSony, 0xade5}:     ModeEmergency,
	{vendorSony, 0xaded}:     ModeEmergency,
	{vendorSony, 0xf165}:     ModeOther, // "Flash" in Sony's Windows driver, used by no program
	{vendorSony, 0xf0aa}:     ModeOther, // "DFU" in the same file
	{vendorSony, 0xffff}:     ModeOther,
	{vendorQualcomm, 0x9008}: ModeEDL,
	{vendorQualcomm, 0x900e}: ModeDump,
	{vendorQualcomm, 0x9006}: ModeDump,
	{vendorGoogle, 0xd00d}:   ModeGeneric,
	{vendorGoogle, 0x4ee7}:   ModeADB,
	{vendorGoogle, 0xd001}:   ModeADB,
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

// modeOf tells the mode from the ids; ModeUnknown means that it is no phone.
func modeOf(vid, pid uint16) Mode {
	if m, ok := exact[usbID{vid, pid}]; ok {
		return m
	}
	if vid != vendorSony {
		return ModeUnknown
	}
	if pid&0xfff != 0xdde && byNibble[pid>>12] != ModeUnknown {
		return byNibble[pid>>12]
	}
	return ModeOther
}

// android says whether Android runs, so that the low twelve bits are the model.
func (m Mode) android() bool {
	switch m {
	case ModeMTP, ModeDisc, ModeStorage, ModeTether, ModeADB:
		return true
	}
	return false
}

// modeText is what people read about a mode.
type modeText struct {
	name     string
	describe string // a sentence
	off      string // how to switch the phone off from there
}

// Buttons: device-rescue.md §3.1. Ten seconds of Power and Volume Up is how a phone
// without a removable battery is switched off.
const (
	offByMenu = "switch the phone off in its menu and unplug it"
	offByKeys = "unplug the phone and hold Power and Volume Up for ten seconds, until it has vibrated three times"
)

var modeTexts = [...]modeText{
	ModeUnknown: {"unknown mode", "It is not known what the phone is doing.",
		"switch the phone off; if it does not react, hold Power and Volume Up for ten seconds, until it has vibrated three times"},
	ModeFlash:     {"flash mode", "The phone waits for firmware in Sony's flash mode.", offByKeys},
	ModeFastboot:  {"fastboot", "The phone waits for commands in fastboot.", offByKeys},
	ModeFlash2017: {"2017 flash mode", "The phone waits for firmware in the flash mode of models from 2017 on, which speaks another protocol.", offByKeys},
	ModeMTP:       {"file-transfer mode (MTP)", "Android is running and offers its files.", offByMenu},
	ModeDisc:      {"driver-disc mode (CD-ROM)", "Android is running and offers the disc with Sony's PC software.", offByMenu},
	ModeStorage:   {"mass-storage mode", "Android is running and offers its memory card as a disk.", offByMenu},
	ModeTether:    {"tethering mode", "Android is running and shares its network.", offByMenu},
	ModeADB:       {"debugging mode (adb)", "Android or a recovery is running, with adb switched on.", offByMenu},
	ModeEmergency: {"Sony's emergency mode", "The phone is in a service mode below flash mode, which only Sony's own service tools speak.", offByKeys},
	ModeEDL:       {"Qualcomm's emergency mode (EDL)", "The phone's processor is in its emergency download mode, as when it finds no boot loader. Programs such as qdl and edl speak to it, but need a programmer that is signed for this model.", offByKeys},
	ModeDump:      {"Qualcomm's memory-dump mode", "The phone crashed and waits for a program that reads its memory.", offByKeys},
	ModeGeneric:   {"generic fastboot", "A boot loader that is not Sony's waits for fastboot commands; it may be lk2nd, or a phone of another maker.", offByKeys},
	ModeOther:     {"a mode that is not known", "The phone has an id of Sony's whose meaning is not known.", offByKeys},
}

func (m Mode) text() modeText {
	if m < 0 || int(m) >= len(modeTexts) {
		m = ModeUnknown
	}
	return modeTexts[m]
}

// String is the short name, such as "flash mode".
func (m Mode) String() string { return m.text().name }

// Describe says in a sentence what the phone is doing.
func (m Mode) Describe() string { return m.text().describe }

// Keys says how to get from this mode into flash mode: what to do and which keys to
// press, in words that follow "to get into flash mode:".
func (m Mode) Keys() string { return m.KeysTo(ModeFlash) }

// KeysTo is Keys for flash mode (both kinds have the same keys) or fastboot; it is empty
// for modes that no key leads to.
func (m Mode) KeysTo(want Mode) string {
	switch want {
	case ModeFlash, ModeFlash2017:
		return m.text().off + "; then hold Volume Down while you plug it in, and let go when its light is green"
	case ModeFastboot:
		return m.text().off + "; then hold Volume Up while you plug it in, and let go when its light is blue"
	}
	return ""
}
