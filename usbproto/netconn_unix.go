package usbproto

import (
	"errors"
	"syscall"
)

// isReset says whether the other end dropped the connection.
func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
