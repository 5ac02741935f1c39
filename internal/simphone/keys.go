package simphone

// Keys lists the settings that ParseSpec knows.
func Keys() []string {
	return []string{"model", "serial", "disk", "boot-ver", "otp", "hwconf", "2210", "aid", "hello", "maxpkt", "root", "trust", "fault", "mode", "aboot", "locked", "storage", "slot"}
}
