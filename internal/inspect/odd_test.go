package inspect

import (
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"xflash/internal/samples"
)

// TestFlashScripts: all real flash scripts are recognised, whatever generation wrote them.
func TestFlashScripts(t *testing.T) {
	n := 0
	err := filepath.WalkDir(samples.Path(t, "fsc"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".fsc" {
			return err
		}
		n++
		if rep := inspected(t, path); rep.Kind != KindScript || rep.Intact != IntactYes {
			t.Errorf("%s: %s, %s", path, rep.Title, rep.Intact)
		}
		return nil
	})
	if err != nil || n < 81 {
		t.Errorf("%d scripts, %v", n, err)
	}
}

// TestOddFiles: each file is wrong in one way, or right and once misjudged; the folder's own
// table says which.
func TestOddFiles(t *testing.T) {
	for name, c := range map[string]struct {
		intact Intact
		says   string // somewhere in the report
	}{
		"base.ftf":              {IntactYes, ""},
		"ok-v3.sin":             {IntactYes, ""},
		"f1-backup.ext4.win":    {IntactYes, "tar archive"},
		"f1-sources.tar.gz":     {IntactYes, "tar archive"},
		"f2-newer.fsc":          {IntactYes, "flash script"},
		"f3-test-root-v1.sin":   {IntactYes, "signed for development"},
		"f3-test-root-v2.sin":   {IntactYes, "signed for development"},
		"f4-version-apart.sin":  {IntactYes, "LOADER_RELEASE_MSM8974_99_AID_4"},
		"f4-version-beside.sin": {IntactYes, "LOADER_RELEASE_MSM8974_99_AID_4"},
		"f4-version-v1.sin":     {IntactYes, "R4A099"},
		"f5-boot_delivery.xml":  {IntactYes, "S1_HWConf_0000_0001"},
		"f6-crc.ftf":            {IntactNo, ""},
		"f6-cut.ftf":            {IntactNo, ""},
		"f7-zeros.ftf":          {IntactNo, ""},
		"f7-noise.ftf":          {IntactNo, ""},
		"f8-missing.ftf":        {IntactYes, "that the bundle lacks"},
		"f14-prefix.ftf":        {IntactNo, "before the archive"},
		"f14-behind.ftf":        {IntactNo, "70000 bytes after its end"},
	} {
		t.Run(name, func(t *testing.T) {
			rep := inspected(t, samples.Path(t, "odd/"+name))
			if text := reportText(rep); rep.Intact != c.intact || !strings.Contains(text, c.says) {
				t.Errorf("%s; want %s and %q in\n%s", rep.Intact, c.intact, c.says, text)
			}
			if strings.HasPrefix(name, "f5") && len(rep.Notes) > 0 {
				t.Errorf("notes: %q", rep.Notes)
			}
		})
	}
}

// reportText is the words of a report and of what is in it.
func reportText(r *Report) string {
	parts := append([]string{r.Title}, r.Notes...)
	if r.Whole != nil {
		parts = append(parts, r.Whole.Text)
	}
	if r.Genuine != nil {
		parts = append(parts, r.Genuine.Text)
	}
	if r.SIN != nil {
		parts = append(parts, r.SIN.LoaderVersion)
	}
	for _, v := range r.Delivery {
		parts = append(parts, v.Certificate)
	}
	for _, c := range r.Contents {
		parts = append(parts, reportText(c))
	}
	return strings.Join(parts, "\n")
}
