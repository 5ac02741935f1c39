//go:build !linux

package usbsim

import (
	"context"
	"errors"
)

// ErrNoVHCI: the kernel has no virtual host controller.
var ErrNoVHCI = errors.New("no virtual USB host controller: only Linux has one")

// PlugVHCI always fails here.
func PlugVHCI(context.Context, *Device) error { return ErrNoVHCI }
