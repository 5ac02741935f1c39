package explain

import (
	"strings"
	"testing"
)

// fills are what the places of a program's text may stand for in a paste: names, numbers,
// paths with blanks, words in another language.
var fills = [][]string{
	{"system.sin", "12", "boot", "7"},
	{"/home/maja/Downloads/Z3C stock/kernel.sin", "0x1f", "userdata", "110"},
	{`C:\Users\Jörg\Desktop\fw\loader.sin`, "22", "cache", "2097152"},
}

// frames are the lines that a paste has around the one that counts; %s is its place.
var frames = map[string][]string{
	"ft": {
		"14/022/2015 20:22:17 - INFO  - Device connected in flash mode\n14/022/2015 20:22:18 - ERROR - %s\n14/022/2015 20:22:18 - ERROR - Error flashing. Aborted\n14/022/2015 20:22:19 - INFO  - Device disconnected\n",
		"21:14:03,118 WARN  [main] (FlashJob.java:52) - %s\n",
		"  > %s\n",
	},
	"fb": {
		"maja@x220:~/z3c$ sudo fastboot flash recovery twrp-3.0.2.img\n%s\nmaja@x220:~/z3c$ \n",
		"C:\\adb>fastboot flash boot boot.img\r\n%s\r\n\r\nC:\\adb>\r\n",
		"here is what I get:\n\n    %s\n\nany idea?\n",
	},
	"krn": {
		"[   77.001]  some driver: fine\n[ 1234.567890] usb 3-1.2: %s\n",
		"Nov 28 20:20:39 x220 kernel: usb 1-1: %s\n",
		"[Sat Nov 28 20:20:39 2026] usb 2-1: %s\n",
	},
	"": {
		"$ ./tool --run\n%s\n$ \n",
		"2021-03-04 10:11:12 %s\n",
		"> I get this:\n> %s\n> thanks in advance\n",
	},
}

func filled(text string, fill []string) string {
	if strings.Contains(text, "= {}") || strings.Contains(text, ".{}") || strings.Contains(text, "-{}") {
		fill = []string{"4", "110"} // places for numbers
	}
	for _, f := range fill {
		text = strings.Replace(text, "{}", f, 1)
	}
	return strings.ReplaceAll(text, "{}", "3")
}

// TestToolRowsInOtherFrames: a row is found whatever its places stand for and whatever
// log, shell or mail is around it. Rows that count only as the whole paste are left out here.
func TestToolRowsInOtherFrames(t *testing.T) {
	for _, r := range toolErrors() {
		if r.match == "alone" || r.severity == severityNote || r.severity == severityFrame {
			continue
		}
		kind, _, _ := strings.Cut(r.id, "-")
		around := frames[kind]
		if around == nil {
			around = frames[""]
		}
		for i, frame := range around {
			text := filled(r.text, fills[i])
			if strings.HasPrefix(r.text, "0x8") {
				text = "error " + strings.Replace(r.text, "{}", "02AF", 1)
			}
			frame := frame
			if strings.HasPrefix(r.text, "ERROR - ") {
				frame = strings.ReplaceAll(frame, "ERROR - %s", "%s")
				frame = strings.ReplaceAll(frame, "WARN  [main] (FlashJob.java:52) - %s", "%s")
			}
			paste := strings.Replace(frame, "%s", text, 1)
			ok := false
			found := Explain(paste)
			for _, e := range found {
				ok = ok || e.ID == r.id || sameText(e.ID, r)
			}
			if !ok {
				t.Errorf("%s (%s) in frame %d: not found in\n%s\n%v", r.id, r.match, i, paste, ids(found))
			}
		}
	}
}
