package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"xflash/internal/inspect"
)

// details prints what belongs to one kind of file only.
func (p *inspection) details(r *inspect.Report) {
	if r.SHA256 != "" {
		p.line("hashes", "SHA-256 %s", r.SHA256)
		p.line("", "MD5 %s", r.MD5)
	}
	if r.SIN != nil && r.SIN.SignerCN != "" {
		p.line("signer", "%s, revision %s, certificate by %s", r.SignerCN, r.CertSerial, r.IssuerCN)
	}
	if r.SIN != nil && r.LoaderVersion != "" {
		p.line("loader", "version %s, map tags %s", r.LoaderVersion, cmp.Or(r.MapTags, "none"))
	}
	if r.Payload != nil {
		p.payload(r.Payload)
	}
	if f := r.Firmware; f != nil && f.From != "" {
		p.line("firmware", "%s %s, %s %s %s (from %s)", f.Device, f.Version, f.Branding, f.CDA, f.Revision, f.From)
	}
	if r.Boot != nil {
		p.boot(r.Boot)
	}
	p.trees(r.Trees)
	for _, s := range r.Segments {
		p.line("segment", "%-18s at %#x, %s, for address %#x", s.Kind, s.Offset, size(s.Size), s.Address)
	}
	if s := r.Sparse; s != nil {
		p.line("image", "%s in blocks of %d, %d chunks", size(s.Expanded), s.BlockSize, s.Chunks)
	}
	if fs := r.FileSystem; fs != nil {
		p.fileSystem(fs)
	}
	if d := r.Disk; d != nil {
		p.line("table", "primary: %s; backup: %s; disk of %d sectors %s", d.Primary, d.Backup, d.Sectors, d.GUID)
		p.partitions(d.Partitions)
	}
	if t := r.TrimArea; t != nil {
		p.line("units", "%d in Trim, %d in Misc; hardware configuration: %s", t.Trim, t.Misc, t.HWConf)
		if t.Model+t.Serial != "" {
			p.line("phone", "model %s, serial number %s", t.Model, t.Serial)
		}
	}
	for _, u := range r.Units {
		p.line("unit", "%d %s, %d bytes, writing it: %s", u.Number, u.Name, u.Size, u.Danger)
	}
	for i, a := range r.Actions {
		p.line(map[bool]string{true: "steps"}[i == 0], "%s", a)
	}
	for _, c := range r.Delivery {
		p.line("variant", "%s: %s; %s", c.Name, strings.Join(c.Files, " "), strings.Join(c.Attributes, "; "))
	}
}

func (p *inspection) payload(v *inspect.Payload) {
	if v.Product != "" {
		p.line("product", "%s", v.Product)
	}
	for _, r := range v.Roots {
		known := "not known"
		switch {
		case r.Test:
			known = "Sony's test root"
		case r.Known:
			known = "Sony's"
		}
		p.line("root", "%s in the loader at payload offset %#x (%s), SHA-256 %s", r.Name, r.Offset, known, r.Fingerprint)
	}
	for _, t := range v.Targets {
		p.line("writes", "%s, up to byte %d", t, t.End)
	}
	if len(v.MapTags) > 0 {
		p.line("map tags", "%s", strings.Join(v.MapTags, " "))
	}
	if i := v.PartitionInfo; i != nil {
		p.line("writes", "partition id %d, %d blocks from block %d", i.ID, i.Blocks, i.Start)
	}
	for _, c := range v.Certificates {
		p.line("names", "%s, by %s", c.Subject, c.Issuer)
	}
	for _, t := range v.Tables {
		p.line("storage", "%d, for at least %s", t.Device, size(int64(t.Sectors)*512))
		p.partitions(t.Partitions)
	}
	if len(v.Roles) > 0 {
		p.line("signers", "%s", strings.Join(v.Roles, " "))
	}
	if len(v.IMEIs) > 0 {
		p.line("IMEI", "%s", strings.Join(v.IMEIs, " "))
	}
}

func (p *inspection) boot(b *inspect.Boot) {
	kernel := b.Kernel
	if b.Config {
		kernel += ", with its configuration"
	}
	for _, f := range []struct{ name, value string }{
		{"kernel", kernel}, {"", b.Banner}, {"ramdisk", b.Ramdisk}, {"name", b.Name}, {"cmdline", b.Cmdline}, {"Android", b.OSVersion},
	} {
		if f.value == "" {
			continue
		}
		if f.name == "ramdisk" {
			init := "without an /init"
			if b.Init {
				init = "with an /init"
			}
			f.value += fmt.Sprintf(", %s, %s", countOf(b.RamdiskFiles, "file"), init)
		}
		p.line(f.name, "%s", f.value)
	}
	for i, part := range slices.Sorted(maps.Keys(b.Addresses)) {
		p.line(map[bool]string{true: "loads at"}[i == 0], "%s %#x", part, b.Addresses[part])
	}
}

// trees lists device trees, those with the same name once.
func (p *inspection) trees(trees []inspect.Tree) {
	var seen []string
	for _, t := range trees {
		name := cmp.Or(t.Model, strings.Join(t.Compatible, " "))
		if text := fmt.Sprintf("%s (%s)", name, t.Where); !slices.Contains(seen, text) {
			seen = append(seen, text)
			p.line("tree", "%s, ids: %d", text, len(t.IDs))
		}
	}
}

func (p *inspection) fileSystem(fs *inspect.FileSystem) {
	text := fmt.Sprintf("%s, %s", fs.Type, size(fs.Size))
	for _, f := range []struct{ name, value string }{
		{"label ", fs.Label}, {"UUID ", fs.UUID}, {"made ", fs.Created}, {"last mounted ", fs.LastMount}, {"on ", fs.MountedOn}, {"", fs.State},
	} {
		if f.value != "" {
			text += ", " + f.name + f.value
		}
	}
	p.line("files", "%s", text)
}

// partitions lists a partition table, what belongs to one phone marked.
func (p *inspection) partitions(list []inspect.Partition) {
	for _, v := range list {
		text := fmt.Sprintf("%3d %-12s %10s  %-9s", v.Number, v.Label, size(v.Size), cmp.Or(v.Class, "not known"))
		if v.Content != "" && v.Content != inspect.KindUnknown {
			text += " " + string(v.Content)
		}
		if v.Warning != "" {
			text += "  ! belongs to one phone: never write it to another"
		}
		p.ui.result("%s    %s\n", p.indent, strings.TrimRight(printable(text), " "))
	}
}
