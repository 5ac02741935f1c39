package explain

import (
	"encoding/binary"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
)

// The texts of public reports, by kind. found are the ids of the rows, or the phone's own
// words; says are parts of what a person reads.
var pasted = []struct {
	name, text string
	found      []string
	says       []string
	never      []string
}{
	{"null after a missing loader", "12/030/2017 22:30:15 - WARN  - No loader found or set manually. Skipping loader\n12/030/2017 22:30:15 - ERROR - null\n12/030/2017 22:30:15 - ERROR - Error flashing. Aborted\n",
		[]string{"ft-no-loader-warn", "ft-null"}, []string{"The phone refused nothing", "the phone itself said nothing"}, []string{"certain"}},
	{"words of a debug log", "03/011/2016 11:11:01 - INFO  - Customization - Unknown\n03/011/2016 11:11:01 - DEBUG - data\n", nil, nil, nil},
	{"a number of Windows", "Update failed. Error code 0x80070490", []string{"pcc-fail"}, nil, []string{"trim-area driver", "certain"}},
	{"a number of Windows alone", "0x800F0203", []string{"win-hr-800f"}, nil, []string{"certain"}},
	{"an address", "kernel_addr 0x80208000", nil, nil, nil},
	{"a time of the kernel", "[80080021.123456] usb 1-1: new high-speed USB device number 5 using xhci_hcd\n", nil, nil, nil},
	{"a time of the kernel alone", "80080021.123456", nil, nil, nil},
	{"a fraction of a time", "[    1.80080021] usb 1-1: reset", nil, nil, nil},
	{"a number after a time of the kernel", "[80080021.123456] s1tool: refused with 80090012.", []string{"80090012"}, nil, []string{"80080021"}},
	{"an identity", `IDCODE_1="80090012";PLF_ROOT_1="80080021";`, nil, nil, nil},
	{"a number without its answer", "80080021", []string{"80080021"}, []string{"If a phone answered this"}, []string{"This is certain"}},
	{"the USB link broke while writing", "FAILED (Write to device failed (No such device))", []string{"fb-write-failed"}, []string{"said nothing"}, []string{"on no known list"}},
	{"the USB link broke while reading", "FAILED (status read failed (Too many links))", []string{"fb-status-failed"}, []string{"said nothing"}, []string{"on no known list"}},
	{"dtb not found", "downloading 'boot.img'...\nOKAY [  0.483s]\nbooting...\nFAILED (remote: dtb not found)\nfinished. total time: 0.6s", []string{"dtb not found"},
		[]string{"--check", "--repack", "compression has nothing to do with it"}, []string{"newest", "LZMA"}},
	{"a partition that an unlocked phone does not let be written", "(bootloader) unlocked:yes\nsending 'oem' (206099 KB)...\nOKAY [  7.987s]\nwriting 'oem'...\nFAILED (remote: Command not allowed)", []string{"Command not allowed"},
		[]string{"the phone is unlocked, but", "does not allow fastboot to change oem"}, []string{"unlock code"}},
	{"two causes", "sending 'oem' (206099 KB)...\nOKAY [  7.987s]\nwriting 'oem'...\nFAILED (remote: Command not allowed)", []string{"Command not allowed"}, []string{"either the boot loader is locked, or", "oem"}, nil},
	{"not allowed after an unlock", "$ fastboot oem unlock 0x1122334455667788\n...\nFAILED (remote: Command not allowed)", []string{"Command not allowed"}, []string{"OEM unlocking"}, []string{"1122334455667788"}},
	{"not allowed for partition", "writing 'oem_a'...\nFAILED (remote: Flashing is not allowed for partition\n)", []string{"Flashing is not allowed for partition"}, []string{"oem_a"}, []string{"No public case"}},
	{"the right code is refused", "FAILED (remote: 'Command did not succeed')", []string{"Command did not succeed"}, []string{"Bootloader unlock allowed: Yes"}, []string{"This is certain"}},
	{"JSON of an installer", `{"cmd":"fastboot oem unlock 9D45E00000000A3E"},"stderr":"FAILED (remote: 'Incorrect format for unlock data. Should be on the form \"0x')\nfastboot: error: Command failed"}`,
		[]string{`Incorrect format for unlock data. Should be on the form "0x...`}, []string{"0x in front"}, []string{"9D45E00000000A3E", "carries no reason"}},
	{"two refusals in one line", "< waiting for device > ... FAILED (remote: unknown command) finished. total time: 0.1s ... FAILED (remote: size too large)", []string{"unknown command", "size too large"}, nil, nil},
	{"typed without marks", "failed remote command not allowed", []string{"Command not allowed"}, nil, nil},
	{"another product", "Checking 'product'  FAILED\n\nDevice product is 'A'.\nUpdate requires 'B'.\n\nfastboot: error: requirements not met!", []string{"fb-product", "fb-requirements"}, nil, []string{"damaged"}},
	{"an unknown kind of chunk", "sending sparse 'system' 1/3 (523000 KB)...\nwriting 'system' 1/3...\nFAILED (remote: Unknown chunk type)", []string{"Unknown chunk type"}, []string{"xflash flash"}, nil},
	{"a header that never arrived", "02/022/2018 22:12:15 - ERROR - Processing of loader.sin finished with errors.\n02/022/2018 22:12:15 - ERROR - Error in processHeader : 22 : Das Gerät erkennt den Befehl nicht.\n02/022/2018 22:12:15 - ERROR - Error flashing. Aborted",
		[]string{"ft-header-22"}, nil, []string{"certain"}},
	{"not a SIN file", "INFO - Processing loader.sin\nERROR - Not a sin file\n", []string{"ft-not-a-sin"}, nil, nil},
	{"no script", "INFO - No flash script found.\nINFO - Flash script is mandatory. Closing session\nINFO - Flashing finished.", []string{"ft-no-script", "ft-closing-session"}, []string{"Nothing was written"}, nil},
	{"no loader for a phone of 2016", `ERROR - C:\Users\me\.flashTool\devices\F81XX\loader.sin (The system cannot find the file specified)`, []string{"ft-loader-path"}, nil, nil},
	{"the bundle does not match", "INFO  - Current device : Unknown: Jan 23 2014/09:43:25 - X - 1\nERROR - The bundle does not match the connected device\n", []string{"ft-bundle-no-match"}, []string{"--model"}, nil},
	{"a unit that does not exist", "10/042/2018 12:42:27 - WARN  - Unable to read TA unit 10021, error=-22", []string{"ft-readta-warn"}, nil, nil},
	{"the signature of another model", "Error, didn't got signature OKAY reply! Got reply: FAILFailed to verify cms", []string{"FAILFailed to verify cms"}, []string{"another model"}, nil},
	{"the same on a phone of 2021", "Error, signature OKAY reply, got reply: FAILFAILFailed to verify cms!", []string{"FAILFailed to verify cms"}, nil, nil},
	{"a session from before", "(ep_out size=24)ERROR: n = -1, errno = 110 (Connection timed out)", []string{"nf-epout-timeout"}, nil, nil},
	{"two protocols in one line", `["ERR_SEVERITY=\"MAJOR\";ERR_CODE=\"0017\";ERR_DYNAMIC=\"80080022\";","FAILED (remote: data too large)"]`, []string{"80080022", "data too large"}, nil, nil},
	{"an invisible place to break", "ERR_DYNAMIC=\"8008\u200b0021\"", []string{"80080021"}, nil, nil},
	{"quotes of a table", `"2015","ERR_SEVERITY=""MAJOR"";ERR_CODE=""0017"";ERR_DYNAMIC=""80080021"";"`, []string{"80080021"}, nil, nil},
	{"an answer in the words of another language", `mon Xperia affiche "Command not allowed" quand je fais fastboot flash boot boot.img`, []string{"Command not allowed"}, nil, []string{"battery"}},
	{"a phone in distress among others", "Bus 002 Device 001: ID 1d6b:0003 Linux Foundation 3.0 root hub\nBus 001 Device 009: ID 05c6:9008 Qualcomm, Inc. Gobi Wireless Modem (QDL mode)\nBus 001 Device 003: ID 0fce:0dde Sony\n", []string{"05c6:9008"}, []string{"emergency download"}, []string{"0fce:0dde is"}},
	{"the order after a restored trim area", "I restored my TA backup while the kernel of LineageOS was in boot, now black screen", []string{"android-relock-black"}, []string{"Sony's"}, nil},
	{"the trim area of another phone", "red light blinking slowly after dd of the whole emmc from another phone", []string{"led-red-slow-blink"}, []string{"another phone"}, []string{"Battery deeply"}},
	{"fastboot in place of flash mode", "No usb device with vid:0x0fce pid:0xb00b !\n$ lsusb\nBus 003 Device 009: ID 0fce:0dde Sony Ericsson Mobile Communications AB", []string{"nf-no-device", "0fce:0dde"}, []string{"fastboot"}, []string{"0fce:b00b is"}},
	{"no partition delivery", "partition_delivery.xml not exist in partition folder or no partition folder.", []string{"nf-no-pd"}, nil, nil},
	{"no rights", "libusb: bad access [code -3]", []string{"usb-gousb3"}, []string{"udev --install"}, nil},
	{"in use", "libusb: device or resource busy [code -6]", []string{"usb-gousb6"}, []string{"xflash doctor"}, nil},
	{"udev rules", "no permissions (missing udev rules? user is in the plugdev group); see [http://developer.android.com/tools/device.html]\tfastboot", []string{"fb-no-permissions"}, []string{"udev --install"}, nil},
	{"waiting", "$ fastboot flash boot x.img\n< waiting for any device >", []string{"fb-waiting"}, []string{"xflash doctor fastboot"}, nil},
	{"not found by an old kernel", "04/001/2018 01:01:01 - ERROR - get_config : Device Not found", []string{"ft-usb-notfound"}, nil, nil},
	{"drivers", "ERROR - Drivers need to be installed for connected device.", []string{"ft-drivers-needed"}, nil, nil},
	{"libusb of that program", "Libusb not found. Minimum libusb version is 1.0.16", []string{"ft-libusb-version"}, nil, nil},
	{"glibc", "./FlashTool: /lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.32' not found (required by x)", []string{"ft-glibc"}, nil, nil},
	{"foreign data", "Type password to decrypt storage", []string{"boot-password"}, []string{"--wipe"}, nil},
	{"single quotes", "ERR_SEVERITY='MINOR';ERR_CODE='0017';ERR_DYNAMIC='80080021';", []string{"80080021"}, nil, []string{"on no known list"}},
	{"escaped quotes", `ERR_SEVERITY=\"MINOR\";ERR_CODE=\"0017\";ERR_DYNAMIC=\"80080021\";`, []string{"80080021"}, nil, []string{"on no known list"}},
	{"O for 0", `ERR_CODE="OO17";ERR_DYNAMIC="8OO8OO21"`, []string{"80080021"}, nil, []string{"on no known list"}},
	{"O for 0, alone", "8OO8OO21", []string{"80080021"}, nil, nil},
	{"a value that a line end cuts", "ERR_SEVERITY=\"MINOR\";ERR_CODE=\"0017\";ERR_DYNAMIC=\"8008\n0021\";", []string{"80080021"}, nil, []string{"on no known list"}},
	{"neither quotes nor semicolons", "ERR_CLASS=SECURITY_CLASS ERR_STATIC=SIN_HEAD_VER ERR_DYNAMIC=Failed to verify sin header", []string{"Failed to verify sin header"}, nil, []string{"on no known list"}},
	{"a log in small letters", `err_severity="minor";err_code="0017";err_dynamic="80080021";`, []string{"80080021"}, nil, []string{"on no known list"}},
	{"French quotes", `ERR_SEVERITY=«MINOR»;ERR_CODE=«0017»;ERR_DYNAMIC=«80080021»;`, []string{"80080021"}, nil, []string{"on no known list"}},
	{"single quotes of a forum", `ERR_SEVERITY=‘MINOR’;ERR_CODE=‘0017’;ERR_DYNAMIC=‘80080021’;`, []string{"80080021"}, nil, []string{"on no known list"}},
	{"backticks", "ERR_CODE=`0017`;ERR_DYNAMIC=`80080021`;", []string{"80080021"}, nil, []string{"on no known list"}},
	{"in an address", `ERR_SEVERITY=%22MINOR%22;ERR_CODE=%220017%22;ERR_DYNAMIC=%2280080021%22;`, []string{"80080021"}, nil, []string{"on no known list"}},
	{"numbers of JSON", `{"log":"ERR_CODE=\u00220017\u0022;ERR_DYNAMIC=\u002280080021\u0022;"}`, []string{"80080021"}, nil, []string{"on no known list"}},
	{"a key that a line end cuts", "ERR_SEVERITY=\"MINOR\";ERR_CODE=\"0017\";ERR_DYN\nAMIC=\"80080021\";", []string{"80080021"}, nil, []string{"on no known list"}},
	{"a number in parts", "80 08 00 21", []string{"80080021"}, []string{"If a phone answered this"}, []string{"This is certain"}},
	{"a loader that a French Windows does not find", `C:\Flashtool\devices\E55XX\loader.sin (Le fichier spécifié est introuvable)`, []string{"ft-loader-path-other"}, nil, nil},
	{"a reason in general words after words of a program", "error: cannot load 'boot.img': No such file or directory", []string{"fb-cannot-load"}, nil, nil},
	{"a code of a Chinese Windows", "该设备已停止。 (代码 43)", []string{"win-code43"}, nil, []string{"certain"}},
	{"a debug log with the place in the source", "04/041/2017 11:41:09 - ERROR - (X10flash.java:735) - null", []string{"ft-null"}, nil, []string{"certain"}},
	{"another number of Windows in a header", "Error in processHeader : 1167 : Устройство не подключено.", []string{"ft-header-other"}, nil, []string{"certain"}},
	{"quoted in a mail", "> > ERR_SEVERITY=\"MINOR\";ERR_CODE=\"0017\";\n> > ERR_DYNAMIC=\"80080021\";", []string{"80080021"}, nil, nil},
	{"a line that a terminal broke", "Failed to boot into userspace fastboot; one or more components might be unboot\nable.", []string{"fb-userspace-fail"}, nil, nil},
	{"the first phone of the story", "LED blinks red, no USB in any mode, after the whole disk of another phone was copied with dd", []string{"led-red-slow-blink"}, []string{"hard brick"}, nil},
	{"the second phone of the story", "flash mode works but every file is refused with 80080021", []string{"80080021", "flash-all-refused"}, []string{"unit 2003"}, []string{"This is certain"}},
	{"the second phone before that", "stock loops with optimizing apps after kernel, fotakernel and system were flashed", []string{"boot-loop-stock"}, []string{"--wipe"}, nil},
}

func TestPastedTexts(t *testing.T) {
	for _, tt := range pasted {
		t.Run(tt.name, func(t *testing.T) {
			found := Explain(tt.text)
			var got []string
			all := ""
			for _, e := range found {
				if e.ID != "" {
					got = append(got, e.ID)
				} else {
					got = append(got, e.Dynamic)
				}
				all += strings.Join(strings.Fields(e.Text(78)), " ") + "\n"
			}
			for _, id := range tt.found {
				if !slices.Contains(got, id) {
					t.Errorf("%q is not among %q", id, got)
				}
			}
			if len(tt.found) == 0 && len(got) > 0 || len(got) > len(tt.found)+1 {
				t.Errorf("too much: %q", got)
			}
			for _, says := range tt.says {
				if !slices.ContainsFunc(strings.Split(says, "|"), func(s string) bool { return strings.Contains(all, s) }) {
					t.Errorf("lacks %q:\n%s", says, all)
				}
			}
			for _, never := range tt.never {
				if strings.Contains(all, never) {
					t.Errorf("says %q:\n%s", never, all)
				}
			}
		})
	}
}

// TestUTF16: logs that Windows saved.
func TestUTF16(t *testing.T) {
	const log = "12:22:31 - ERROR - ERR_SEVERITY=\"MINOR\";ERR_CODE=\"0017\";ERR_DYNAMIC=\"80080053\";\r\n"
	for name, order := range map[string]binary.AppendByteOrder{"little": binary.LittleEndian, "big": binary.BigEndian} {
		for _, mark := range []string{"\uFEFF", ""} {
			var b []byte
			for _, u := range utf16.Encode([]rune(mark + log)) {
				b = order.AppendUint16(b, u)
			}
			if found := Explain(string(b)); len(found) != 1 || found[0].Dynamic != "80080053" {
				t.Errorf("%s, mark %q: %+v", name, mark, found)
			}
		}
	}
}

// TestOwnRefusal: xflash's own explanation, pasted into explain, is one answer and not two.
func TestOwnRefusal(t *testing.T) {
	text := Explain(`ERR_SEVERITY="MINOR";ERR_CODE="0017";ERR_DYNAMIC="80080021";`)[0].Text(78)
	if found := Explain(text); len(found) != 1 || found[0].Code != "0017" {
		t.Errorf("%q", ids(found))
	}
}

// TestSymptoms: every symptom is found by two ways of saying it, among at most four.
func TestSymptoms(t *testing.T) {
	data, err := os.ReadFile("testdata/symptoms.tsv")
	if err != nil {
		t.Fatal(err)
	}
	ways := map[string]int{}
	for _, f := range table(string(data), 2) {
		found := Explain(f[1])
		ok := slices.ContainsFunc(found, func(e Explanation) bool { return e.ID == f[0] })
		if !ok || len(found) > maxSymptoms+1 {
			t.Errorf("%s: %q finds %q", f[0], f[1], ids(found))
		}
		ways[f[0]]++
		for _, e := range found {
			if strings.Contains(e.Text(60), "This is certain") {
				t.Errorf("%s: certain", f[1])
			}
		}
	}
	for _, s := range symptoms() {
		if ways[s.id] < 2 {
			t.Errorf("%s: %d ways", s.id, ways[s.id])
		}
		if found := Explain(s.sees); !slices.ContainsFunc(found, func(e Explanation) bool { return e.Source == FromPhone || e.Source == FromTool }) && !slices.ContainsFunc(found, func(e Explanation) bool { return e.ID == s.id }) {
			t.Errorf("%s: its own words %q find %q", s.id, s.sees, ids(found))
		}
	}
	for _, text := range []string{"hello world", "thank you very much", "which phone should I buy", "the weather is nice today", "Xperia Z3 Compact D5803", "how do I install xflash", "I like my phone", "flash mode", "the green field was black"} {
		if found := Explain(text); len(found) > 0 {
			t.Errorf("%q finds %q", text, ids(found))
		}
	}
}

// TestSymptomsInOtherWords: slips of the fingers, another order, other words for the same.
func TestSymptomsInOtherWords(t *testing.T) {
	data, err := os.ReadFile("testdata/otherwords.tsv")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range table(string(data), 2) {
		found := Explain(f[1])
		ok := slices.ContainsFunc(found, func(e Explanation) bool { return slices.Contains(strings.Split(f[0], "|"), e.ID) })
		if !ok || len(found) > 3 {
			t.Errorf("%q finds %q, want %s", f[1], ids(found), f[0])
		}
	}
}

// TestStory: a post of several sentences is read two sentences at a time, and needs more than
// two words that agree.
func TestStory(t *testing.T) {
	found := Explain(`Hi all, I have had this Z3 Compact for four years and never had trouble with it.
Last week I wanted to try a new ROM and unlocked the boot loader, which went fine.
After that I put the recovery on it. Yesterday I restored my TA backup while the custom kernel was still there.
Now I only get a black screen. My other phone is an old Nokia with a green case, and the cable is blue.
Thanks for reading this far, greetings from Oslo.`)
	if len(found) == 0 || len(found) > 2 || !slices.ContainsFunc(found, func(e Explanation) bool { return e.ID == "android-relock-black" }) {
		t.Errorf("%q", ids(found))
	}
	if found := Explain(`I bought a phone in May and it came with a case. The case is black and the screen is large.
I use it every day to read the news, and it starts quickly. There is no other phone in the house.
My sister would like the same one in red or in green. She asked me where I got it, and I told her the name of the shop.
We went there together on Saturday, but they had only blue ones left.`); len(found) > 0 {
		t.Errorf("%q", ids(found))
	}
}
