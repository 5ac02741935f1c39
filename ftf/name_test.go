package ftf

import (
	"strings"
	"testing"
)

func TestCheckName(t *testing.T) {
	for _, name := range []string{"system.sin", "boot/dbi_S1_Boot.sinb", "META-INF/MANIFEST.MF", "boot/", "a..b.sin", "...", "xx:y", "Überblick.txt", strings.Repeat("n", 255)} {
		if err := checkName(name); err != nil {
			t.Errorf("%q is refused: %v", name, err)
		}
	}
	for name, why := range map[string]string{
		"":                       "no name",
		"/abs":                   "absolute",
		"../../x":                "path element ..",
		"boot/../../x":           "path element ..",
		"..":                     "path element ..",
		"boot/..":                "path element ..",
		"./x":                    "path element .",
		"boot//x":                "empty path element",
		"//":                     "absolute",
		`boot\x.sin`:             "backslash",
		`..\x`:                   "backslash",
		`C:\x`:                   "backslash",
		"C:x":                    "drive letter",
		"c:/x":                   "drive letter",
		"a\x00.sin":              "control character",
		"a\nb":                   "control character",
		"a\x1b[31m":              "control character",
		"a\x7f":                  "control character",
		"a\u009b31m":             "control character",
		"a\u202enis.sin":         "control character",
		strings.Repeat("n", 300): "300 bytes",
	} {
		err := checkName(name)
		if err == nil {
			t.Errorf("%q is accepted", name)
			continue
		}
		want(t, err, UnsafeName, why)
		if strings.ContainsAny(err.Error(), "\x00\x1b\n") {
			t.Errorf("the error repeats a control character: %q", err)
		}
	}
}

// Names from FORMAT.md §3 and §8.1, the cuts of both
// lists one by one.
func TestShortName(t *testing.T) {
	for long, short := range map[string]string{
		"system.sin":                                                     "system",
		"kernel_S1-SW-LIVE-9C84-0004-MMC.sin":                            "kernel",
		"partition-image_S1-SW-LIVE-9C84-0004-MBR.sin":                   "partition-image",
		"elabel-D5803-row_201408_S1-ELABEL-LIVE-9C84.sin":                "elabel",
		"ELABEL-x.sin":                                                   "elabel",
		"dbi_S1_Boot_MSM8974AC_11_AID_1_S1-BOOT-LIVE-9C84-MMC.sin":       "dbi",
		"emmc_appsboot_S1_Boot_MSM8974AC_11_AID_1_S1-BOOT-LIVE-MMC.sinb": "emmc_appsboot",
		"s1sbl_S1_Boot_MSM8974AC_11.SINB":                                "s1sbl",
		"s1_loader_MSM8974AB_26_AID_4_S1-LOADER-LIVE-9C84-0004.sin":      "s1_loader_MSM8974AB_26",
		"xbl_AID_0005.sin":                                               "xbl",
		"tz_PLATFORM_1.sin":                                              "tz",
		"system_X-FLASH-ALL-1234.sin":                                    "system",
		"bootloader_X_BOOT_MSM8998_LA2.0_P_114_X-FLASH-LIVE.sin":         "bootloader",
		"bootloader_X_Boot_SDM845.sin":                                   "bootloader",
		"bootloader_x_boot_SDM845.sin":                                   "bootloader_x_boot_SDM845", // the cuts know their case
		"partition-image-LUN0_X-FLASH-ALL-1234.sin":                      "partition-image-LUN0",
		"partition-image-LUN12.sin":                                      "partition-image-LUN1",
		"partition-image-LUNx.sin":                                       "partition-image-LUNx",
		"partition-image_0.sin":                                          "partition-image",
		"Partition-Image_12_X-FLASH.sin":                                 "partition-image",
		"partition-image_x.sin":                                          "partition-image_x",
		"_S1-odd.sin":                                                    "_S1-odd", // never cut to nothing
		"cust-reset.ta":                                                  "cust-reset",
		"Aries_S1BootConfig_MiscTA.ta":                                   "Aries_S1BootConfig_MiscTA",
		"Aries_S1BootConfig_MiscTA.tab":                                  "Aries_S1BootConfig_MiscTA",
		"boot/amss_fs_1.sin":                                             "amss_fs_1",
		"D58XX.fsc":                                                      "D58XX",
		"boot_delivery.xml":                                              "boot_delivery",
		"noending":                                                       "noending",
	} {
		if got := ShortName(long); got != short {
			t.Errorf("ShortName(%q) = %q, want %q", long, got, short)
		}
	}
}

func TestKindOf(t *testing.T) {
	for name, kind := range map[string]Kind{
		"system.sin": KindSIN, "SYSTEM.SIN": KindSIN, "boot/dbi.sinb": KindSIN, "boot/DBI.SinB": KindSIN,
		"a.ta": KindTA, "a.TAB": KindTA, "x.fsc": KindFSC, "x.FSC": KindFSC, "boot/boot_delivery.xml": KindXML, "A.XML": KindXML,
		"META-INF/MANIFEST.MF": KindManifest, "meta-inf/manifest.mf": KindManifest,
		"MANIFEST.MF": KindOther, "x.torrent": KindOther, "x.fscb": KindOther, "sin": KindOther, "readme": KindOther,
		"__MACOSX/._system.sin": KindOther, "._system.sin": KindOther, "boot/._dbi.sin": KindOther,
	} {
		if got := kindOf(name); got != kind {
			t.Errorf("kindOf(%q) = %v, want %v", name, got, kind)
		}
	}
}
