package simphone

import "slices"

// Names lists the phones that ParseSpec knows.
func Names() []string { return slices.Clone(phoneNames) }

// Keys lists the settings that ParseSpec knows.
func Keys() []string {
	return []string{"model", "serial", "disk", "boot-ver", "otp", "hwconf", "2210", "aid", "hello", "maxpkt", "root", "trust", "fault", "mode", "aboot", "locked"}
}
