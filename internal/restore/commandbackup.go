package restore

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"xflash/internal/phone"
	"xflash/internal/tabackup"
	"xflash/internal/trimarea"
	"xflash/usbproto/command"
)

// maxSaved bounds the copy of one partition in bytes; modem settings have a few MiB.
const maxSaved = 64 << 20

// SaveBefore copies what a phone of 2017 or later lets read of what belongs to it alone: the
// trim area, as "xflash ta backup" does (by is the program, for its note), and the partitions
// with modem settings that the plan writes. The files are in a folder for this phone, for its
// owner only, and an earlier copy is kept: what it holds is older than any flash. A partition
// that the phone refuses to give is left out; a trim area of which it shows nothing is an error.
func (s Store) SaveBefore(ctx context.Context, c *command.Session, plan *Plan, facts *Facts, by string) (folder string, err error) {
	if facts.Identity == "" {
		return "", errors.New("the phone does not tell its serial number, so its copy could be confused with another phone's")
	}
	folder = strings.TrimSuffix(s.file(facts.Identity), ".json") + "-before"
	trim := filepath.Join(folder, "trim-area")
	if trimarea.IsFolder(trim) {
		return folder, nil
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", err
	}
	for _, step := range plan.Steps {
		if step.Kind != StepImage || len(step.Partitions) == 0 {
			continue
		}
		if img, _ := plan.fw.Family.Image(step.Name); img.Send == phone.SendComplete {
			if err := savePartition(ctx, c, folder, step.Partitions[0]); broken(err) {
				return "", err
			}
		}
	}
	backup, err := tabackup.TakeCommand(ctx, c, nil)
	if err != nil {
		return "", err
	}
	return folder, backup.Write(trim, by, "", time.Now())
}

func savePartition(ctx context.Context, c *command.Session, folder, label string) error {
	name := filepath.Join(folder, label+".img")
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = c.ReadPartition(ctx, label, f, maxSaved)
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(name))
	}
	return nil
}
