// Package simphone is a simulated Sony Xperia in flash mode: boot stage, uploaded
// loader, eMMC and trim area; and in fastboot mode, with a boot loader of one of three
// generations. There is a Z3 Compact, and one phone for every other loader that was
// executed (models.go); and phones of 2017, 2019 and 2021 with the flash mode of their time
// (commandmodel.go). It is the specification of the phone's side of this program:
// it checks what it is sent the way the phone does and refuses with the phone's own
// numbers.
//
// It is written from the documents of this repository only (usbproto/s1/PROTOCOL.md, where
// §11 to §14 say what executed loaders do, internal/explain/ERRORS.md, sin/FORMAT.md,
// internal/phone/PHONES.md, fastboot/PROTOCOL.md, fastboot/bootimg/FORMAT.md,
// usbproto/command/PROTOCOL.md)
// and shares no protocol code with the clients in usbproto/s1, usbproto/command and fastboot. Its loader is compared byte for byte with the recorded answers of the
// real one (answers_test.go). Even the SIN header, image map and signature have their
// own readers here, because the phone's order of checks and its tolerance are what a
// client must be tested against. Where no document says what a phone does,
// the comment at that place says that this is a model.
//
// What it shares with the client reads files and not the wire: sin.ParseCertificate,
// sin.InspectLoader, sin/gpt, trimarea.ParseHWConf and the record's encoder. Its trim area is
// package taimage; what it writes to its disk is made by package mkimage.
//
// The state of a phone is a directory with files that ordinary tools can check:
//
//	emmc.img         sparse raw disk with a real GPT; writes reach it at once
//	ta.img           2 MiB trim area image, replaced in one step when the phone
//	                 closes its trim area; until then writes are in memory only
//	phone.json       facts that are neither on the disk nor in the trim area
//	hwconf-root.pem  root of this phone's own hardware configuration
//
// Phones of 2017 and later have, besides ta.img and phone.json,
//
//	lun0.img, …      a file for each logical unit of UFS, with blocks of 4096 bytes, for
//	                 "losetup --sector-size 4096"; or emmc.img
//	journal.jsonl    a line for everything that a host asked them to change
//
// and write units of the trim area at once.
//
// So killing the process at any time is a power cut, and the next Open finds what
// a phone would have kept.
package simphone
