package bootcheck

import "strings"

// Explain says in plain words what an answer of a loader means, empty when it is not known
// (boot-fastboot.md §3.2, device-rescue.md §1).
func Explain(answer string) string {
	answer = strings.TrimSpace(strings.TrimRight(answer, "\x00"))
	for _, a := range answers {
		if strings.EqualFold(answer, a.said) {
			return a.means
		}
	}
	return ""
}

var answers = []struct{ said, means string }{
	{answerNoTree, "The loader found no device tree for this phone in the image: no table of device trees (QCDT) with its ids, and none behind the kernel in a form that it reads. Sizes and file were fine. Compression of the ramdisk has nothing to do with it. \"xflash boot IMAGE --repack\" makes a table from the image's own trees."},
	{answerIncomplete, "The header of the image asks for more bytes than were sent: the file is cut, or is no boot image of this phone."},
	{answerCut2015, "The header of the image asks for more bytes than were sent: the file is cut, or is no boot image of this phone."},
	{answerHeader, "Nothing was sent before the command, or an empty file."},
	{answerTooLarge, "The file is larger than this loader takes in one download."},
	{answerLocked2015, "The phone's boot loader is locked. Unlocking needs the code from Sony and erases the phone; \"xflash restore\" works on a locked one."},
	{answerNotAllowed, "The phone's boot loader is locked, or does not let this partition be written by fastboot."},
	{"Command did not succeed", "The loader tried and could not. For oem unlock: the code is not the one for this phone's IMEI."},
	{"unknown command", "This loader does not know the command. Some of Sony's say so once to the first command after plugging in, and take it the second time."},
	{"unknown reason", "The loader gave up without an answer of its own: for boot, the load addresses of the image lie over the loader itself."},
	{"image is not a boot image", "Only Android boot images are taken for boot and recovery; this file is something else, such as one of Sony's own ELF images."},
	{"size too large", "The image is larger than the partition."},
	{"partition table doesn't exist", "There is no partition with this name on the phone, or fastboot may not write it."},
	{"unknown partition name", "There is no partition with this name on the phone."},
	{"failed to erase partition", "The storage did not take the command. If it comes again, the storage chip may be failing."},
	{"flash write failure", "The storage did not take the data. If it comes again, the storage chip may be failing."},
	{"sparse image write failure", "The storage did not take the data of a sparse image."},
	{"GetVar Variable Not found", "This loader does not know the variable."},
}
