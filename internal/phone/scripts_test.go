package phone

import (
	"bufio"
	"cmp"
	_ "embed"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"xflash/internal/samples"
)

// differences says, for each flash script that is not our order of that model item by
// item, what differs and why: script, the differences, the reason. "-x" is in the
// script only, "+x" in ours only, "order" means that what both have is grouped or
// ordered otherwise.
//
//go:embed testdata/scripts.tsv
var differences string

// TestScripts compares all public flash scripts with the orders.
func TestScripts(t *testing.T) {
	root := samples.Path(t, "fsc")
	want := map[string]string{}
	for line := range strings.Lines(differences) {
		cols := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(cols) != 3 || cols[2] == "" || want[cols[0]] != "" {
			t.Fatalf("testdata/scripts.tsv: %q has no reason or comes twice", line)
		}
		want[cols[0]] = cols[1]
	}
	files, err := filepath.Glob(filepath.Join(root, "*", "*.fsc"))
	if err != nil || len(files) != 81 {
		t.Fatalf("%d scripts, %v", len(files), err)
	}
	for _, file := range files {
		folder := filepath.Base(filepath.Dir(file))
		name := folder + "/" + filepath.Base(file)
		f, m, ok := Find(folder)
		if !ok {
			t.Errorf("%s: no model of this folder is known", name)
			continue
		}
		var got string
		if o, known := f.KnownOrder(m); known {
			got = compare(readScript(t, file), groupsOf(f, o))
		} else {
			got = "no order"
		}
		if got != want[name] {
			t.Errorf("%s: differences %q, listed %q", name, got, want[name])
		}
		delete(want, name)
	}
	for name := range want {
		t.Errorf("testdata/scripts.tsv: there is no script %s", name)
	}
}

// A group is what is sent within one opening of the trim area; outside one, each
// item is a separate group.
type group struct {
	ta    bool
	items []string
}

func (g group) String() string {
	return strings.Join(append([]string{map[bool]string{true: "TA", false: "--"}[g.ta]}, g.items...), " ")
}

// readScript reads a flash script on its own. Groups that only read are left out.
func readScript(t *testing.T, path string) (groups []group) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	opened := ""
	var g group
	for s := bufio.NewScanner(f); s.Scan(); {
		action, arg, _ := strings.Cut(strings.TrimSpace(s.Text()), ":")
		item := ""
		switch action {
		case "openTA":
			opened, g = arg, group{ta: true}
		case "closeTA":
			if opened = ""; len(g.items) > 0 {
				groups = append(groups, g)
			}
			g = group{}
		case "uploadImage":
			item = arg
		case "writeTA":
			if item = arg; opened != "2" {
				item = "partition " + opened + " unit " + arg
			}
		case "setFlashState":
			item = "10100"
		case "setFlashTimestamp":
			item = "10021"
		case "setLoaderConfig":
			item = "command 25"
		case "readTA", "getLoaderInfos", "Get Error", "End flashing":
		default:
			t.Fatalf("%s: unknown action %q", path, s.Text())
		}
		switch {
		case item == "":
		case opened != "":
			g.items = append(g.items, item)
		default:
			groups = append(groups, group{items: []string{item}})
		}
	}
	return groups
}

// groupsOf is an order in the form of a script, with the names that scripts use.
func groupsOf(f *Family, o Order) (groups []group) {
	for _, s := range o.Steps {
		var items []string
		for _, short := range s.Images {
			items = append(items, strings.ToLower(short))
		}
		for _, u := range s.Units {
			items = append(items, strconv.FormatUint(uint64(u), 10))
		}
		if s.TA {
			groups = append(groups, group{true, items})
			continue
		}
		for _, item := range items {
			groups = append(groups, group{items: []string{item}})
		}
	}
	return groups
}

// present is today's name of an image for the names in old scripts.
var present = map[string]string{
	"partition": "partition-image", "partitions": "partition-image", "s1sbl2": "s1sbl", "s1sbl_aid4": "s1sbl",
	"aboot": "emmc_appsboot", "modem_fs1": "amss_fs_1", "modem_fs2": "amss_fs_2", "boot": "kernel",
}

func compare(script, ours []group) string {
	for _, g := range script {
		for i, item := range g.items {
			item = strings.ToLower(item)
			g.items[i] = cmp.Or(present[item], item)
		}
	}
	var out []string
	reduce := func(sign string, groups, other []group) (left []string) {
		for _, g := range groups {
			g.items = slices.DeleteFunc(slices.Clone(g.items), func(item string) bool {
				missing := !slices.ContainsFunc(other, func(o group) bool { return slices.Contains(o.items, item) })
				if missing && !slices.Contains(out, sign+item) {
					out = append(out, sign+item)
				}
				return missing
			})
			if len(g.items) > 0 {
				left = append(left, g.String())
			}
		}
		return left
	}
	if !slices.Equal(reduce("-", script, ours), reduce("+", ours, script)) {
		out = append(out, "order")
	}
	return strings.Join(out, " ")
}
