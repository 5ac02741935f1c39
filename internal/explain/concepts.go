package explain

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// concepts gives words of everyday language their common name. Endings are cut off before
// the look-up, see stem.
var concepts = func() map[string][]string {
	m := map[string][]string{}
	for name, words := range map[string]string{
		"light":        "light led lamp diode notification",
		"blink":        "blink flicker pulse pulsat flashes flashing wink",
		"flash":        "flash flashed flashing write wrote written writing install installed",
		"steady":       "steady solid constant permanent continuous stay stays stayed",
		"stay":         "stay stays stayed remain remains keeps",
		"stuck":        "stuck hang hangs hung freeze freezes froze frozen stall stand stands stop stops stopped stay stays",
		"logo":         "logo splash",
		"black":        "black dark blank",
		"screen":       "screen display lcd",
		"picture":      "picture image icon symbol screen",
		"image":        "image img",
		"no":           "no not none never nothing without doesn't doesnt won't wont can't cant cannot isn't isnt didn't don't dont nor neither unable refuses fails missing unresponsive",
		"nothing":      "nothing none no",
		"dead":         "dead brick bricked hardbrick hardbricked lifeless",
		"start":        "start starts started boot boots booted booting starting",
		"loop":         "loop loops bootloop bootloops looping restarts restarting reboots rebooting cycle cycles",
		"restart":      "restart restarts restarting reboot reboots rebooting",
		"charge":       "charge charger charging charges charged wall",
		"plug":         "plug plugged plugging plugs connect connected connecting",
		"usb":          "usb lsusb",
		"computer":     "computer pc laptop notebook windows linux lsusb mac",
		"see":          "see sees seen shows appear appears recognise recognises recognised recognize recognizes recognized detect detects detected find finds found",
		"detect":       "see sees seen recognise recognised recognize recognized detect detected found",
		"recognised":   "recognise recognised recognize recognized detect detected seen",
		"vibrate":      "vibrate vibrates vibrated vibrating vibration vibrations buzz buzzes buzzing",
		"three":        "three 3 thrice triple",
		"key":          "key keys button buttons",
		"keys":         "keys buttons key button combination",
		"power":        "power",
		"press":        "press presses pressed pressing push pushed hold held holding",
		"hold":         "press pressed hold held holding keep",
		"password":     "password passphrase passcode",
		"decrypt":      "decrypt decryption",
		"encrypt":      "encrypt encrypted encryption",
		"storage":      "storage memory data",
		"recovery":     "recovery twrp cwm philz orangefox",
		"twrp":         "twrp cwm philz recovery orangefox",
		"water":        "water wet rain pool bath sea swimming",
		"wet":          "water wet rain pool bath sea",
		"signal":       "signal reception",
		"network":      "network mobile cellular",
		"sim":          "sim simcard",
		"touch":        "touch touchscreen digitizer",
		"trim":         "trim trimarea ta",
		"ta":           "ta trim trimarea",
		"copied":       "copy copied clone cloned cloning copying dd dumped",
		"disk":         "disk emmc mmcblk0 drive",
		"other":        "other another second different foreign",
		"unlock":       "unlock unlocking unlocked",
		"relock":       "relock relocked relocking locked",
		"locked":       "locked relock relocked",
		"vm":           "vm virtual virtualbox vmware qemu kvm wsl vbox",
		"format":       "format formatted formatting wipe wiped erased erase deleted",
		"wipe":         "wipe wiped wiping erased",
		"formatted":    "formatted wiped erased deleted",
		"wiped":        "formatted wiped erased deleted",
		"purple":       "purple pink violet magenta",
		"amber":        "amber orange yellow",
		"short":        "short shortly brief briefly moment quick quickly",
		"moment":       "moment short shortly brief briefly instant",
		"seconds":      "seconds second sec secs minute",
		"once":         "once moment briefly shortly",
		"night":        "night overnight nights",
		"hours":        "hours hour days day",
		"day":          "day days",
		"long":         "long ages hours forever",
		"minutes":      "minutes minute hours long ages",
		"forever":      "forever endless endlessly eternally always",
		"battery":      "battery accu akku",
		"zero":         "zero 0 0%",
		"gone":         "gone disappears disappeared vanish vanishes vanished lost leaves left disconnects away",
		"vanish":       "vanish vanishes vanished disappears disappeared gone",
		"leaves":       "leaves left exits quits ends disappears goes",
		"goes":         "goes gone leaves disappears",
		"off":          "off shuts shutdown switches",
		"optimizing":   "optimizing optimising optimize optimise",
		"bootloop":     "bootloop bootloops bootlooping",
		"keeps":        "keeps keep constantly continuously permanently always",
		"apps":         "apps app applications",
		"animation":    "animation animated waves bootanimation",
		"update":       "update upgrade updating",
		"failed":       "failed fail fails failure unsuccessful",
		"corrupt":      "corrupt corrupted corruption",
		"trusted":      "trusted trust",
		"warning":      "warning notice message warns note",
		"notice":       "warning notice message",
		"message":      "warning notice message",
		"interrupted":  "interrupted interruption aborted broke broken cancelled canceled unplugged cut failed crashed",
		"refused":      "refused refuse refuses rejected rejects rejected denied fails fail failed",
		"every":        "every each all any whichever whatever always everything",
		"all":          "every each all any everything whichever",
		"always":       "always every everytime only keeps",
		"any":          "any every all whichever whatever",
		"file":         "file files sin image images",
		"files":        "file files",
		"bundle":       "bundle bundles ftf firmware firmwares",
		"firmware":     "firmware firmwares bundle bundles ftf rom",
		"custom":       "custom lineage lineageos cyanogenmod carbonrom omnirom aosp resurrection",
		"lineage":      "lineage lineageos cyanogenmod",
		"stock":        "stock official original",
		"system":       "system os rom android",
		"rom":          "rom os system",
		"os":           "os rom system",
		"react":        "react reacts reaction respond responds response responding",
		"life":         "life alive",
		"work":         "work works working functions",
		"fine":         "fine normally normal ok okay well works",
		"normal":       "normal normally fine",
		"android":      "android system",
		"middle":       "middle during halfway midway while",
		"during":       "middle during halfway midway while",
		"pulled":       "pulled yanked removed disconnected unplugged",
		"unplugged":    "pulled unplugged disconnected removed",
		"disconnected": "disconnected unplugged disconnect",
		"disconnect":   "disconnects disconnected disconnect",
		"out":          "out loose off slipped",
		"cable":        "cable usb-cable cord",
		"lost":         "lost loses gone disappears drops vanishes",
		"restored":     "restored restore restoring flashed wrote written back",
		"sync":         "sync synchronising syncing",
		"mode":         "mode modes way",
		"five":         "five 5",
		"times":        "times few",
		"slow":         "slow slowly",
		"empty":        "empty flat drained discharged",
		"then":         "then afterwards and before",
		"first":        "first before initially",
		"after":        "after since afterwards following",
		"back":         "back return returning returned returned",
		"leaving":      "leaving left removing removed",
		"still":        "still again yet",
		"new":          "new newer newest",
		"device":       "device phone",
		"phone":        "phone device z3 mobile handset",
		"itself":       "itself own alone",
		"asks":         "asks ask asking wants prompts requests demands",
		"part":         "part parts some",
		"everything":   "everything all",
		"further":      "further farther more beyond past",
		"past":         "past beyond further",
		"beyond":       "past beyond further",
		"only":         "only just nothing",
		"version":      "version versions",
		"newer":        "newer new upgraded updated",
		"older":        "older old earlier previous",
		"unknown":      "unknown unrecognised unrecognized",
		"kernel":       "kernel boot.img zimage",
		"line":         "line text word",
		"modem":        "modem baseband radio",
		"detected":     "detected recognised",
		"title":        "title splash logo curtain",
		"overnight":    "overnight night",
		"drawer":       "drawer unused storage shelf",
		"crashed":      "crashed crash died froze",
		"change":       "change changes changing",
		"written":      "written wrote write flashed",
	} {
		for _, w := range strings.Fields(words) {
			m[w] = append(m[w], strings.TrimSpace(name))
		}
	}
	return m
}()

// phrases are words that belong together, by what they mean.
var phrases = func() (list []phrase) {
	for name, texts := range map[string]string{
		"volup":                "volume up|vol up|vol+|volume +|volume+",
		"voldown":              "volume down|vol down|vol-|volume -|volume-|vol −|vol−",
		"flashmode":            "flash mode",
		"fastboot":             "fast boot",
		"bootloop":             "boot loop",
		"testpoint test point": "test point",
		"moment":               "a second|one second|split second|a sec",
		"start":                "turn on|turns on|turning on|power on|powers on|power up|powers up|switch on|switches on|comes up|come on|comes on",
		"loop":                 "again and again|over and over",
		"gone":                 "goes away",
		"off":                  "goes out|goes off|turns off|switches off|shuts down",
		"dead":                 "hard brick",
		"disk":                 "whole disk|entire disk",
		"touch":                "touch screen",
		"no":                   "won't|doesn't|does not|didn't|do not|cannot|can't|isn't|is not",
		"vm":                   "virtual machine",
		"black":                "goes dark|goes black",
		"life":                 "sign of life|signs of life",
		"bootloader":           "boot loader",
		"zero":                 "0 %|0%|0 percent|zero percent",
	} {
		var parts []string
		for _, text := range strings.Split(texts, "|") {
			part := regexp.QuoteMeta(text)
			if isWord(text[0]) {
				part = `\b` + part
			}
			if isWord(text[len(text)-1]) {
				part += `\b`
			}
			parts = append(parts, part)
		}
		list = append(list, phrase{regexp.MustCompile(strings.Join(parts, "|")), name})
	}
	slices.SortFunc(list, func(a, b phrase) int { return strings.Compare(a.name, b.name) })
	return list
}()

type phrase struct {
	re   *regexp.Regexp
	name string
}

var wordsOf = regexp.MustCompile(`[\pL\pN_][\pL\pN_.'-]*`)

// conceptsIn is the set of words in a text, with the names of their concepts.
func conceptsIn(text string) map[string]bool {
	set := map[string]bool{}
	text = strings.ToLower(strings.ReplaceAll(text, "’", "'"))
	text = noColour.ReplaceAllString(text, "$1")
	for _, p := range phrases {
		text = p.re.ReplaceAllLiteralString(text, p.name)
	}
	for _, w := range wordsOf.FindAllString(text, -1) {
		w = spelled(strings.Trim(w, ".'-"))
		for _, form := range stems(w) {
			set[form] = true
			for _, c := range concepts[form] {
				set[c] = true
			}
		}
	}
	return set
}

// noColour is a light that is missing: its colour is not what the person sees.
var noColour = regexp.MustCompile(`\b(no|not|without|never|instead of|isn't|doesn't|don't|won't)((?: (?:a|an|any|the|or|and|more|longer|steady|solid|show|get|see|go|turn|become|red|green|blue|purple|amber|led|light))*) (?:red|green|blue|purple|amber)\b`)

// vocabulary are the words that the rows and concepts are made of.
var vocabulary = sync.OnceValue(func() map[string]bool {
	known := map[string]bool{}
	for w, names := range concepts {
		known[w] = true
		for _, name := range names {
			known[name] = true
		}
	}
	for _, s := range symptoms() {
		for _, set := range s.sets {
			for _, w := range set {
				known[w] = true
			}
		}
	}
	return known
})

// ordinary are words that look like a slip for one of the vocabulary and are none.
var ordinary = func() map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields("there seems seem seven looking model models world driver drivers derive certain exist exists skipped closing window " +
		"float party paste pasted compute function functions stating stated stars finer leading reuse request requests externally seeks stray chances demand bank sand star stat fist thee wave word page hose shot") {
		m[w] = true
	}
	return m
}()

// spelled is the word that a person meant: one of the vocabulary with a letter swapped, lost,
// doubled or wrong. Short words and numbers stay as they are, and so do words in between.
func spelled(w string) string {
	if len(w) < 4 || ordinary[w] || strings.ContainsAny(w, "0123456789") {
		return w
	}
	known := vocabulary()
	for _, form := range stems(w) {
		if known[form] {
			return w
		}
	}
	meant := ""
	for k := range known {
		if len(k) >= 5 && oneSlip(w, k) && (meant == "" || k < meant) {
			meant = k
		}
	}
	return cmp.Or(meant, w)
}

// oneSlip reports whether two words differ by one slip of the fingers. The first letter is
// seldom wrong.
func oneSlip(a, b string) bool {
	if a[0] != b[0] || len(a)-len(b) > 1 || len(b)-len(a) > 1 {
		return false
	}
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	switch a, b = a[i:], b[i:]; {
	case len(a) > len(b):
		return a[1:] == b
	case len(a) < len(b):
		return a == b[1:]
	case len(a) < 2:
		return false // another last letter is another ending
	}
	return i+len(a) >= 7 && a[1:] == b[1:] || a[0] == b[1] && a[1] == b[0] && a[2:] == b[2:]
}

// stems are a word and what may be its root.
func stems(w string) []string {
	forms := []string{w}
	for _, end := range []string{"ing", "ed", "es", "s", "ly"} {
		if root, ok := strings.CutSuffix(w, end); ok && len(root) >= 3 {
			forms = append(forms, root)
			if end == "ing" || end == "ed" || end == "es" {
				forms = append(forms, root+"e")
			}
			if n := len(root); n > 3 && root[n-1] == root[n-2] {
				forms = append(forms, root[:n-1])
			}
		}
	}
	return forms
}
