package simphone

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"xflash/internal/samples"
)

// usbproto/s1/PROTOCOL.md §10.3, the loader part with the real file: 3 chunks of 65536 and one of
// 49388 bytes, and a loader that tells what the file says.
func TestTraceWithTheRealLoader(t *testing.T) {
	file := samples.Read(t, "loader-D58XX.sin")
	var log []string
	p, err := Open(Options{Log: func(e Event) {
		if e.FromHost && (e.Command == 5 || e.Command == 6) {
			log = append(log, fmt.Sprintf("%d f%d %d", e.Command, e.Flags, len(e.Data)))
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	h := connect(t, p)
	if stage := h.startLoader(file); stage != "S1_LOADER" {
		t.Fatalf("stage %s", stage)
	}
	info := parseInfo(t, h.ok(1))
	for key, want := range map[string]string{
		"ID": "1277-2052", "VER": "MSM8974AB_22", "PROT_VER": "04", "MAX_PKT_SZ": "00080000", "IGNORE_CRC": "HDR,DATA",
		"DEF_SEC": "ON", "ACTIVE_COMP_AID": "0004", "S1_ROOT": "S1_Root_9c84,S1_Root_Test_b316", "AUTH_LEVEL": "NONE", "AUTH_MET": "0001",
	} {
		if info[key] != want {
			t.Errorf("%s=%q, want %q", key, info[key], want)
		}
	}
	if want := []string{"5 f3 1024", "6 f7 65536", "6 f7 65536", "6 f7 65536", "6 f3 49388"}; !slices.Equal(log, want) {
		t.Errorf("packets %q, want %q", log, want)
	}
}

// Keys that internal/explain/ERRORS.md §3.2 and usbproto/s1/PROTOCOL.md §4.2 list.
func TestInfoKeys(t *testing.T) {
	p := openPhone(t, Options{})
	h := connect(t, p)
	boot := parseInfo(t, h.read().data)
	for _, key := range strings.Fields("TYPE VER PROT_VER MAX_PKT_SZ ROOTING_STATUS OTP_LOCK_STATUS_1 OTP_DATA_1 IDCODE_1 PLF_ROOT_1 S1_ROOT IMEI PHONE_ID") {
		if boot[key] == "" {
			t.Errorf("boot stage has no %s", key)
		}
	}
	h.sendSIN(testLoader(t, 4, ""), 0x10000)
	loader := parseInfo(t, h.read().data)
	for _, key := range strings.Fields(`PROT_VER VER ID TYPE ACTIVE_COMP_AID MAX_PKT_SZ IGNORE_CRC DEF_SEC HWCONF_AID LOADER_AID BOOT_AID
		NO_SUB_SYSTEMS OTP_DATA_1 OTP_LOCK_STATUS_1 UNIQUE_DEV_ID_1 IDCODE_1 S1_ROOT HW_CONFIG_VER IMEI PROD_ID
		GLOB_SEC PHONE_ID HW_CONFIG AUTH_LEVEL AUTH_MET MEMDEVS PLF_ROOT_1 RAM_INFO CARD_PRESENT`) {
		if loader[key] == "" {
			t.Errorf("loader has no %s", key)
		}
	}
	if len(loader["IMEI"]) != 14 || loader["PHONE_ID"] != "0000:"+loader["IMEI"] {
		t.Errorf("IMEI %q, PHONE_ID %q", loader["IMEI"], loader["PHONE_ID"])
	}
	if !strings.Contains(loader["HW_CONFIG"], "S1_SW:0001:0013") {
		t.Errorf("HW_CONFIG %q", loader["HW_CONFIG"])
	}
	if len(loader["IDCODE_1"]) != 8 || len(loader["PLF_ROOT_1"]) != 64 || len(loader["OTP_DATA_1"]) != 8 {
		t.Errorf("IDCODE_1 %q PLF_ROOT_1 %q OTP_DATA_1 %q", loader["IDCODE_1"], loader["PLF_ROOT_1"], loader["OTP_DATA_1"])
	}
}

// internal/explain/ERRORS.md §0, cause 1: without HWConf five keys are there and
// empty.
func TestInfoWithoutHWConf(t *testing.T) {
	p := openPhone(t, Options{HWConf: HWConfMissing})
	h := connect(t, p)
	h.startLoader(testLoader(t, 4, ""))
	info := parseInfo(t, h.ok(1))
	for _, key := range []string{"HW_CONFIG_VER", "HW_CONFIG", "GLOB_SEC", "PHONE_ID", "IMEI"} {
		if value, ok := info[key]; !ok || value != "" {
			t.Errorf("%s=%q, present %v", key, value, ok)
		}
	}
}

// The hello comes once per stage start: a second host finds none, and the phone
// keeps its state (usbproto/s1/PROTOCOL.md §1.4).
func TestSecondHostFindsNoHello(t *testing.T) {
	p, h := openLoader(t, Options{})
	h.ok(9, 2)
	h.conn.Close()
	h = connect(t, p)
	h.silent()
	h.refused("MINOR 001D 00000000", 9, 3, 2) // still open
	h.ok(10)
}

// The second host finds what the first did not fetch.
func TestUnreadHelloStays(t *testing.T) {
	p := openPhone(t, Options{})
	connect(t, p).conn.Close()
	connect(t, p).expectHello()
}

func TestHelloSettings(t *testing.T) {
	for hello, want := range map[string][2]bool{
		HelloBoth: {true, true}, HelloNone: {false, false}, HelloNoBoot: {false, true}, HelloNoLoader: {true, false},
	} {
		t.Run(hello, func(t *testing.T) {
			h := connect(t, openPhone(t, Options{Hello: hello}))
			listen := func(speaks bool) {
				t.Helper()
				if speaks {
					h.expectHello()
				} else {
					h.silent()
				}
			}
			listen(want[0])
			h.sendSIN(testLoader(t, 4, ""), 0x10000)
			listen(want[1])
			if got := parseInfo(t, h.ok(1))["TYPE"]; got != "S1_LOADER" {
				t.Error(got)
			}
		})
	}
}

// The boot stage knows less than the loader (usbproto/s1/PROTOCOL.md §10.1).
func TestBootStageCommands(t *testing.T) {
	h := connect(t, openPhone(t, Options{}))
	h.expectHello()
	for _, command := range []uint32{11, 13, 14, 15, 17, 18, 20, 21, 25, 27, 28} {
		h.refused("MINOR 005C 80110002", command, 3, 0)
	}
	h.ok(9, 2)
	h.ok(12, 0, 0, 8, 0xA2)
	h.ok(10)
}

func TestPacketLimitsPerStage(t *testing.T) {
	p := openPhone(t, Options{BootMaxPacket: 0x10000, LoaderMaxPacket: 0x20000})
	h := connect(t, p)
	if got := parseInfo(t, h.read().data)["MAX_PKT_SZ"]; got != "00010000" {
		t.Error("boot stage:", got)
	}
	h.sendSIN(testLoader(t, 4, ""), 0x10000)
	if got := parseInfo(t, h.read().data)["MAX_PKT_SZ"]; got != "00020000" {
		t.Error("loader:", got)
	}
}
