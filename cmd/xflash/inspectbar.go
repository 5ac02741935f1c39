package main

import (
	"fmt"
	"os"
	"strings"

	"xflash/internal/inspect"
)

// barWidth is the width of a picture with its frame.
const barWidth = 80

// mark is how a kind of region is drawn, in Unicode and in ASCII.
type mark struct {
	unicode, ascii rune
	name           string
}

var marks = map[inspect.RegionKind]mark{
	inspect.RegionHeader:   {'H', 'H', "header"},
	inspect.RegionMap:      {'M', 'M', "map"},
	inspect.RegionTable:    {'T', 'T', "table"},
	inspect.RegionData:     {'█', '#', "data"},
	inspect.RegionPacked:   {'▓', '%', "compressed"},
	inspect.RegionFill:     {'▒', ':', "fill"},
	inspect.RegionHole:     {'·', '.', "nothing"},
	inspect.RegionTrailing: {'+', '+', "past the end"},
	inspect.RegionMissing:  {'?', '?', "missing"},
}

// Regions with names are drawn as letters.
const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGIJKLNOPQRSUVWXYZ"

// picture draws a layout as a bar, and says below it what the marks mean.
func (p *inspection) picture(l inspect.Layout) {
	if l.Size <= 0 || len(l.Regions) == 0 {
		return
	}
	unicode := utf8Terminal()
	bar, legend := drawBar(l, barWidth-2, unicode)
	frame := "|"
	if unicode {
		frame = "│"
	}
	p.line("layout", "of %s, %s:", l.Of, size(l.Size))
	p.ui.result("%s%s%s\n", frame, bar, frame)
	p.ui.result("%s\n", wrap("  "+printable(legend), barWidth, "  "))
}

// utf8Terminal reports whether the locale says that Unicode can be shown.
func utf8Terminal() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := os.Getenv(name); v != "" {
			v = strings.ToLower(v)
			return strings.Contains(v, "utf-8") || strings.Contains(v, "utf8")
		}
	}
	return false
}

// drawBar scales a layout to a number of cells. Where there is room every region gets a
// cell at least; otherwise a cell shows what covers most of it.
func drawBar(l inspect.Layout, width int, unicode bool) (bar, legend string) {
	cells := make([]rune, width)
	for i := range cells {
		cells[i] = ' '
		if unicode {
			cells[i] = '·'
		}
	}
	runes, legend := legendOf(l, unicode)
	if len(l.Regions) <= width/2 {
		drawAll(cells, l, runes)
	} else {
		drawMost(cells, l, runes)
	}
	return string(cells), legend
}

// drawAll gives every region a cell at least. Later regions move to the right for that,
// as far as those after them leave room.
func drawAll(cells []rune, l inspect.Layout, runes []rune) {
	width, next := len(cells), 0
	for i, r := range l.Regions {
		first := max(next, scale(r.Offset, l.Size, width))
		first = min(first, width-(len(l.Regions)-i))
		end := min(max(first+1, scale(r.Offset+r.Size, l.Size, width)), width-(len(l.Regions)-i-1))
		for c := first; c < end; c++ {
			cells[c] = runes[i]
		}
		next = end
	}
}

// drawMost shows in each cell the region that covers most of it.
func drawMost(cells []rune, l inspect.Layout, runes []rune) {
	width := len(cells)
	most := make([]int64, width)
	for i, r := range l.Regions {
		for c := scale(r.Offset, l.Size, width); c < width; c++ {
			begin, end := unscale(c, l.Size, width), unscale(c+1, l.Size, width)
			if begin >= r.Offset+r.Size {
				break
			}
			if covered := min(end, r.Offset+r.Size) - max(begin, r.Offset); covered > most[c] {
				most[c], cells[c] = covered, runes[i]
			}
		}
	}
}

// scale and unscale convert between bytes and cells. Sizes of 2^62 bytes are possible.
func scale(at, size int64, width int) int {
	return min(int(float64(at)/float64(size)*float64(width)), width)
}

func unscale(cell int, size int64, width int) int64 {
	return int64(float64(size) / float64(width) * float64(cell))
}

// legendOf chooses the mark of each region and explains them.
func legendOf(l inspect.Layout, unicode bool) (runes []rune, legend string) {
	const named = 40
	var parts []string
	seen := map[string]rune{}
	total := map[rune]int64{}
	names := map[rune]string{}
	var order []rune
	for _, r := range l.Regions {
		m, ok := marks[r.Kind]
		name, char := m.name, m.ascii
		if unicode {
			char = m.unicode
		}
		if !ok {
			name = r.Name
			if char, ok = seen[name]; !ok {
				char = rune(letters[len(seen)%len(letters)])
				seen[name] = char
			}
		} else if r.Name != "" {
			name = r.Name
		}
		if total[char] == 0 {
			order, names[char] = append(order, char), name
		}
		total[char] += r.Size
		runes = append(runes, char)
	}
	for i, c := range order {
		if i == named {
			parts = append(parts, fmt.Sprintf("and %d more", len(order)-named))
			break
		}
		parts = append(parts, fmt.Sprintf("%c %s %s", c, names[c], size(total[c])))
	}
	return runes, strings.Join(parts, ", ")
}
