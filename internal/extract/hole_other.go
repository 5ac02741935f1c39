//go:build !linux

package extract

import "os"

// dataAfter takes all for data where nothing tells holes.
func dataAfter(_ *os.File, from, to int64) (start, end int64) { return from, to }
