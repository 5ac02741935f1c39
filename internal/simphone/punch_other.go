//go:build !linux

package simphone

import "errors"

// punch is not available here: zeros are written.
func (d *disk) punch(off, length int64) error { return errors.ErrUnsupported }
