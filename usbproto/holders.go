package usbproto

import (
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
)

// Holder is a program that has a phone open.
type Holder struct {
	PID     int
	Program string // its short name, at most 15 characters
}

// HoldersOf finds the programs that have the file of a phone open. A user sees only their
// own programs, so an empty list does not prove that there are none.
func HoldersOf(node string) []Holder { return holders("/proc", node) }

// holders finds who has the file of a phone open, from /proc. Without being root one sees
// one's own programs only, so that none found does not mean that there is none.
func holders(proc, node string) []Holder {
	fds, err := filepath.Glob(filepath.Join(proc, "[0-9]*", "fd", "*"))
	if err != nil {
		return nil
	}
	var found []Holder
	seen := map[int]bool{}
	for _, fd := range fds {
		if target, err := os.Readlink(fd); err != nil || target != node {
			continue
		}
		dir := filepath.Dir(filepath.Dir(fd))
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil || seen[pid] {
			continue
		}
		seen[pid] = true
		name, err := os.ReadFile(filepath.Join(dir, "comm"))
		if err != nil {
			continue // it ended just now
		}
		found = append(found, Holder{pid, printable(strings.TrimSpace(string(name)))})
	}
	sort.Slice(found, func(i, j int) bool { return found[i].PID < found[j].PID })
	return found
}

// printable replaces what could play tricks on a terminal: texts from phones and programs
// are not ours.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !strconv.IsPrint(r) || r == '\uFFFD' {
			return '?'
		}
		return r
	}, s)
}
