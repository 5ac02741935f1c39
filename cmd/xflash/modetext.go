package main

import (
	"fmt"
	"strings"

	"xflash/internal/phone"
	"xflash/usbproto"
)

// modelsOf lists the model codes that share the USB id of a phone that runs Android.
func modelsOf(d usbproto.Device) []string {
	if d.VID != usbproto.VendorSony || !d.Mode.Android() {
		return nil
	}
	var codes []string
	for _, m := range phone.ByUSB(d.PID) {
		codes = append(codes, m.Code)
	}
	return codes
}

// titleOf names a phone: "usb:1-2.3, fastboot (0fce:0dde)", and its model where the id
// gives it away.
func titleOf(d usbproto.Device) string {
	s := fmt.Sprintf("%s, %s (%04x:%04x)", d.Path(), d.Mode, d.VID, d.PID)
	models := modelsOf(d)
	if len(models) == 0 {
		return s
	}
	codes := strings.Join(models, " or ")
	if _, m, ok := phone.ByModel(models[0]); ok { // one id is one name with several codes
		return fmt.Sprintf("%s, %s (%s)", s, m.Name, codes)
	}
	return s + ", " + codes
}
