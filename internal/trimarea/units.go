package trimarea

import "slices"

// Danger tells what writing a unit can do.
type Danger string

// The danger classes, from the column of FORMAT.md §3.
const (
	DangerNever  Danger = "never"  // belongs to this one phone: loss cannot be repaired
	DangerVendor Danger = "vendor" // only from Sony's file and on purpose
	DangerNormal Danger = "normal" // harmless, or normal in a restore
)

// Meaning holds the known facts about a unit.
type Meaning struct {
	Partition int
	Number    uint32
	Name      string // short name, upper case with underscores
	Text      string // for a person
	Danger    Danger
	Secret    bool // contents are masked unless the owner asks for them

	last uint32 // 0: the row is one unit
}

// Describe tells what a unit is. ok is false for an unknown unit: it is then
// never to be written, and masked, because it is unclear what it holds.
func Describe(partition int, number uint32) (m Meaning, ok bool) {
	for _, m := range meanings {
		if m.Partition == partition && m.Number <= number && number <= max(m.Number, m.last) {
			m.Number, m.last = number, 0
			return m, true
		}
	}
	return Meaning{Partition: partition, Number: number, Text: "not known", Danger: DangerNever, Secret: true}, false
}

// Named lists the units of a partition that are known by name, in ascending order.
func Named(partition int) []uint32 {
	var numbers []uint32
	for _, m := range meanings {
		for n := m.Number; m.Partition == partition && n <= max(m.Number, m.last); n++ {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers
}

// meanings follows the tables of FORMAT.md §3.
var meanings = []Meaning{
	{Trim, 1877, "RF_CALIBRATION", "radio band and calibration data", DangerNever, true, 0},
	{Trim, 6828, "LTE_CALIBRATION", "LTE band and calibration data", DangerNever, true, 0},

	{Misc, 2002, "FLA_FLA", "factory record", DangerNever, true, 0},
	{Misc, 2003, "HW_CONF", "hardware configuration, signed for this one phone: without it flash mode refuses every image", DangerNever, true, 0},
	{Misc, 2010, "SIMLOCK_DATA", "SIM lock data, and whether the boot loader can be unlocked", DangerNever, true, 0},
	{Misc, 2020, "CUSTOMIZATION_TEXT", "customization text", DangerNever, true, 0},
	{Misc, 2021, "DRM_KEY_STATUS", "state of the DRM keys", DangerNever, true, 0},
	{Misc, 2022, "DRM_KEY", "DRM key (Marlin, CKB, Widevine, HDCP, …)", DangerNever, true, 2036},
	{Misc, 2040, "DRM_SRM", "DRM revocation data", DangerNever, true, 0},
	{Misc, 2050, "LAST_BOOT_LOG", "log of the last start", DangerNormal, false, 0},
	{Misc, 2053, "BOOT_COUNTER", "number of starts", DangerNormal, false, 0},
	{Misc, 2099, "DRM_CUSTOMIZATION", "DRM customization", DangerNever, true, 0},
	{Misc, 2127, "BOOT_CONFIG", "boot configuration, part of the boot delivery", DangerVendor, false, 0},
	{Misc, 2128, "BOOT_CONFIG_2", "related to the boot configuration", DangerVendor, false, 0},
	{Misc, 2129, "SIMLOCK_SIGNATURE", "signature of the SIM lock, certificate of the phone", DangerNever, true, 0},
	{Misc, 2141, "MACHINE_ID", "machine id", DangerNever, true, 0},
	{Misc, 2160, "S1_CODES", "service codes", DangerNever, true, 0},
	{Misc, 2202, "SW_VERSION", "version of the installed software", DangerNormal, false, 0},
	{Misc, 2204, "SW_QUERY", "asked for by Sony's tool, usually absent", DangerNormal, false, 0},
	{Misc, 2205, "CUST_VERSION", "version of the customization", DangerNormal, false, 0},
	{Misc, 2206, "FS_VERSION", "version of the file system", DangerNormal, false, 0},
	{Misc, 2207, "S1_BOOT_VERSION", "version of the boot loader", DangerNormal, false, 0},
	{Misc, 2209, "BUILD_TYPE", "build type", DangerNormal, false, 0},
	{Misc, 2210, "PHONE_NAME", "model name; some custom systems leave \"Unknown: …\" here", DangerNever, false, 0},
	{Misc, 2212, "AC_VERSION", "active customization; cust-reset.ta clears it", DangerNormal, false, 0},
	{Misc, 2226, "UNLOCK_CODE", "boot loader unlock code; two bytes or less: locked", DangerNever, true, 0},
	{Misc, 2227, "STARTUP_RESULT", "result of the last start or shutdown", DangerNormal, false, 0},
	{Misc, 2228, "STARTUP_CHECKPOINT", "checkpoint of the start", DangerNormal, false, 2229},
	{Misc, 2237, "RESET_LOCK", "state of the reset lock", DangerNever, true, 0},
	{Misc, 2301, "STARTUP_REASON", "start-up reason, part of the boot delivery", DangerNormal, false, 0},
	{Misc, 2311, "DISABLE_CHARGE_ONLY", "charge-only mode off (auto-boot.ta)", DangerNormal, false, 0},
	{Misc, 2312, "SCRIPT_2312", "written by scripts of newer models", DangerNormal, false, 0},
	{Misc, 2316, "SCRIPT_2316", "written by scripts of newer models", DangerNormal, false, 0},
	{Misc, 2330, "OSV_RESTRICTION", "lowest Android version the phone accepts (newer phones)", DangerVendor, false, 0},
	{Misc, 2401, "FOTA_STATUS", "state of the updater", DangerNormal, false, 0},
	{Misc, 2402, "FOTA_REPARTITION", "the updater's repartition request", DangerNormal, false, 0},
	{Misc, 2404, "FOTA_INTERNAL", "the updater's own state; fota-reset.ta clears it", DangerNormal, false, 0},
	{Misc, 2470, "LOGGING", "logging", DangerNormal, false, 2471},
	{Misc, 2473, "SERIAL_CONSOLE", "serial console", DangerNormal, false, 0},
	{Misc, 2475, "FLASH_LOG", "history of flashes", DangerNormal, false, 0},
	{Misc, 2486, "NON_SECURE_ADB", "USB debugging without confirmation", DangerVendor, false, 0},
	{Misc, 2500, "CREDENTIAL_KEYS", "key table of the credential manager", DangerNever, true, 0},
	{Misc, 2550, "MASTER_RESET", "erases the user data at the next start", DangerVendor, false, 0},
	{Misc, 2551, "BAND_CONFIG", "baseband configuration", DangerVendor, false, 0},
	{Misc, 2552, "WIPE_DATA", "erases the user data", DangerVendor, false, 0},
	{Misc, 2553, "WIPE_REASON", "reason for the last wipe", DangerNormal, false, 0},
	{Misc, 2560, "WLAN_MAC", "Wi-Fi address", DangerNever, true, 2567},
	{Misc, 2568, "BLUETOOTH_ADDRESS", "Bluetooth address", DangerNever, true, 0},
	{Misc, 4900, "SERIAL_NUMBER", "serial number", DangerNever, true, 0},
	{Misc, 4901, "PBA_ID", "board id", DangerNever, true, 0},
	{Misc, 4902, "PBA_REVISION", "board revision", DangerNever, true, 0},
	{Misc, 4908, "PRODUCT_NUMBER", "product number", DangerNever, true, 0},
	{Misc, 4909, "PRODUCT_REVISION", "product revision", DangerNever, true, 0},
	{Misc, 4952, "CALIBRATION", "calibration", DangerNever, true, 4970},
	{Misc, 10011, "QUERY_10011", "asked for by Sony's tool, usually absent", DangerNormal, false, 0},
	{Misc, 10012, "QUERY_10012", "asked for by Sony's tool, usually absent", DangerNormal, false, 0},
	{Misc, 10021, "FLASH_TIMESTAMP", "time of the last flash", DangerNormal, false, 0},
	{Misc, 10022, "THERMAL", "temperature settings", DangerNormal, false, 10025},
	{Misc, 10100, "FLASH_STATE", "flash in progress: while it is 1 the phone starts into flash mode", DangerNormal, false, 0},
	{Misc, 66667, "DEVICE_KEY", "device key, lost for good when the boot loader is unlocked", DangerNever, true, 0},
	{Misc, 66668, "REMOTE_LOCK", "remote lock, a signed file", DangerNever, true, 0},
	{Misc, 66670, "KERNEL_HEADER", "header of the last kernel image, written by the flash program itself", DangerNever, false, 0},
	{Misc, 66671, "GOOGLE_LOCK", "state of the OEM unlock (newer phones)", DangerNever, true, 0},
	{Misc, 66673, "HMAC_KEY", "key of the protected storage", DangerNever, true, 0},
}
