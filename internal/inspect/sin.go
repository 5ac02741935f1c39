package inspect

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"xflash/ftf"
	"xflash/internal/phone"
	"xflash/internal/text"
	"xflash/sin"
)

// sin inspects a SIN image: one pass over every byte, and a second one to examine a
// boot image that it writes.
func (in *inspector) sin(ctx context.Context, rep *Report, s source) error {
	rep.Kind = KindSIN
	r, err := s.open()
	if err != nil {
		return err
	}
	sums := newSums(r, in.Hashes)
	found, err := sin.Check(ctx, sums, s.size, sin.CheckOptions{Roots: in.Roots, Progress: in.progress(s)})
	if found != nil || errors.As(err, new(*sin.Error)) {
		err = errors.Join(err, sums.drain(ctx))
	}
	err = errors.Join(err, r.Close())
	if err := outside(ctx, err); err != nil {
		return err
	}
	if in.Hashes {
		rep.SHA256, rep.MD5 = sums.file()
	}
	rep.sinFaults(found, err)
	if found == nil {
		rep.Title = "broken SIN image"
		return nil
	}
	rep.Title = fmt.Sprintf("SIN version %d", found.Header.Version)
	if found.Header.Version > 3 {
		rep.archive(found)
		return in.parts(ctx, rep, s, found)
	}
	rep.Title += ", " + typeInWords(found)
	rep.SIN = columns(found, s.size, err, sums)
	// A file of the wrong length is refused before its certificate is looked at, but who
	// signed the header is still known.
	if errors.Is(err, sin.Because(sin.Truncated)) || errors.Is(err, sin.Because(sin.Trailing)) {
		if trust, chainErr := found.Header.Verify(in.Roots); trust.State != sin.TrustNothing {
			found.Trust, err = trust, chainErr
		}
	}
	rep.Genuine = genuine(found, err)
	rep.Payload = in.payload(found)
	rep.sinPhones(found)
	rep.sinLayouts(found, s.size)
	for _, n := range found.Notes {
		rep.Notes = append(rep.Notes, n.Text)
	}
	if found.Loader != nil {
		in.Roots.AddLoader(found.Loader)
	}
	return in.parts(ctx, rep, s, found)
}

// typeInWords is what the image is for.
func typeInWords(r *sin.Report) string {
	h := r.Header
	switch {
	case r.Loader != nil && h.Type != sin.TypeBoot12:
		return "loader"
	case h.Type == sin.TypeHWConf:
		return "hardware configuration of one phone"
	}
	return fmt.Sprintf("payload type %s", h.Type)
}

// outside is what of err lies not in the file: the reader's failures, and the end of ctx.
func outside(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if errors.As(err, new(*sin.Error)) || errors.As(err, new(*ftf.Error)) {
		return nil
	}
	return err
}

// sinFaults tells what is wrong: damage of the archive that the image is in, else the
// most telling failure, then every damaged block.
func (r *Report) sinFaults(found *sin.Report, err error) {
	var packed *ftf.Error
	if errors.As(err, &packed) {
		r.wrong(packed.Reason.Error(), -1, err.Error())
		return
	}
	var e *sin.Error
	switch {
	case !errors.As(err, &e):
	case e.Reason != sin.CorruptBlock:
		r.fault(Fault{Reason: e.Reason.String(), Offset: e.Offset, Block: e.Block, Text: e.Error()})
	}
	if found == nil {
		return
	}
	if found.Header.Version <= 3 && found.Unsendable != "" {
		r.Notes = append(r.Notes, "never send it to a phone in flash mode: "+found.Unsendable)
	}
	for _, d := range found.Damaged {
		r.fault(Fault{Reason: d.Reason.String(), Offset: d.Offset, Block: d.Block, Text: d.Error()})
	}
	if r.Damaged() {
		r.Whole.Count += found.DamagedCount - len(found.Damaged)
		return
	}
	switch version := found.Header.Version; version {
	case 5:
		r.unproven("the archive is complete, but no part that xflash understands proves its content")
	case 4:
		r.whole("the archive is complete, and its checksum is right")
	default:
		r.whole(fmt.Sprintf("%s in %s, each with the hash from the signed header", text.Size(found.Header.PayloadSize()), text.Count(len(found.Header.Blocks), "block")))
	}
}

// genuine says what is proven about the signer of a version 1 to 3.
func genuine(found *sin.Report, err error) *Genuine {
	h, trust := found.Header, found.Trust
	g := &Genuine{Root: trust.Root}
	if sigErr := h.VerifySignature(); sigErr != nil {
		for _, r := range []sin.Reason{sin.CertificateDamaged, sin.SignatureDamaged, sin.HeaderChanged} {
			if errors.Is(err, sin.Because(r)) {
				sigErr = err // with the chain at hand it is known better which of them it is
			}
		}
		g.Proof, g.Text = ProofNone, "nothing is proven: "+sigErr.Error()
		g.NotProven = []string{"that the header is the one that was signed", "who signed it"}
		return g
	}
	signer := fmt.Sprintf("the key of %s signed the header with its list of hashes", h.Signer())
	g.Proven = []string{signer}
	chain := fmt.Sprintf("that %s made the certificate of %s", h.Issuer(), h.Signer())
	if trust.Proven() {
		g.Proven = append(g.Proven, fmt.Sprintf("%s made the certificate of %s", trust.Root, h.Signer()))
	}
	switch trust.State {
	case sin.TrustPinned:
		g.Proof, g.Text = ProofSony, "genuine: signed by "+h.Signer()+", whose certificate Sony's root "+trust.Root+" made"
		g.Proven = append(g.Proven, "the certificate of "+trust.Root+" has the known fingerprint")
		if trust.Known != nil && trust.Known.Test {
			g.Text = "signed for development: its root is Sony's test root " + trust.Root + "; phones on sale refuse it"
		}
	case sin.TrustSupplied:
		g.Proof, g.Text = ProofSupplied, "signed by "+h.Signer()+" under the root "+trust.Root+" that you supplied, which is not a known root of Sony's"
		g.NotProven = []string{"that " + trust.Root + " is one of Sony's roots"}
	case sin.TrustCarried:
		g.Proof, g.Text = ProofCarried, "signed by "+h.Signer()+" under "+trust.Root+", whose certificate is in the firmware itself"
		g.NotProven = []string{"that this " + trust.Root + " is Sony's: its fingerprint is not public"}
	case sin.TrustByName:
		g.Proof, g.Text = ProofNamed, "signed by "+h.Signer()+", not proven: it names Sony's root "+trust.Root+", whose certificate is not available"
		g.NotProven = []string{chain}
		if trust.Known != nil && trust.Known.Test {
			g.Text = "signed for development: it names Sony's test root " + trust.Root + "; phones on sale refuse it"
		}
	case sin.TrustUnknown:
		g.Proof, g.Text = ProofUnknown, "signed by "+h.Signer()+", not proven: it names the unknown root "+trust.Root
		g.NotProven = []string{chain, "that " + trust.Root + " is one of Sony's roots"}
	default:
		g.Proof, g.Text = ProofNone, "signed, but the certificate chain does not verify"
		if err != nil {
			g.Text += ": " + err.Error()
		}
		g.NotProven = []string{chain}
	}
	return g
}

// archive fills in the known facts about versions 4 and 5, whose signature nobody understands.
func (r *Report) archive(found *sin.Report) {
	a := found.Archive
	form := map[int]string{4: "gzip of a tar archive", 5: "tar archive"}[found.Header.Version]
	r.Title += " (" + form + "), partition data for a phone of 2017 or later"
	r.SIN = &SIN{Version: found.Header.Version}
	r.Genuine = &Genuine{Proof: ProofUnread, Text: "not verified: it is unknown how the signature of this version covers the content",
		NotProven: []string{"that the content is the one that was signed", "who signed it"}}
	r.Payload = &Payload{Partition: a.Name}
	if c := a.CMS; c != nil {
		r.SIN.SigHash = shortHash(c.Digest)
		r.SIN.IssuerCN, r.SIN.CertSerial = c.SignerIssuer, c.SignerSerial
		for _, cert := range c.Certificates {
			r.Payload.Certificates = append(r.Payload.Certificates, Certificate{cert.Subject, cert.Issuer})
		}
	}
	l := Layout{Of: "archive"}
	for _, c := range a.Chunks {
		l.Size = max(l.Size, c.Offset+c.Size)
		l.Regions = append(l.Regions, Region{RegionMember, c.Name, c.Offset, c.Size})
	}
	l.Regions = append([]Region{{RegionHeader, "", 0, firstOffset(l)}}, l.Regions...)
	l.arrange()
	r.Layouts = append(r.Layouts, l)
	for _, n := range found.Notes {
		r.Notes = append(r.Notes, n.Text)
	}
}

// firstOffset is where the first region starts.
func firstOffset(l Layout) int64 {
	if len(l.Regions) == 0 {
		return 0
	}
	return l.Regions[0].Offset
}

// sinPhones tells for which phones the image is.
func (r *Report) sinPhones(found *sin.Report) {
	if r.MD5 != "" && found.Loader != nil {
		r.forLoader(r.MD5)
	}
	root := found.Header.Issuer()
	if found.Trust.Proven() {
		root = found.Trust.Root
	}
	because := "its certificate names the root " + root
	if found.Trust.Proven() {
		because = "it is signed under the root " + root
	}
	families := phone.ByRoot(root)
	for _, f := range families {
		r.forFamily(f, because, nil)
	}
	if len(families) > 0 {
		return
	}
	if known := sin.RootByName(root); known != nil && known.Platform != "" && !known.Test {
		r.For = append(r.For, Match{Platform: known.Platform, Because: because})
	}
}

// progress adapts the caller's progress to one file.
func (in *inspector) progress(s source) func(int64) {
	if in.Progress == nil {
		return nil
	}
	return func(n int64) { in.Progress(s.name, n, s.size) }
}

// isBrokenSIN reports whether a file that is nothing else starts like a SIN: a header
// that is cut or contradicts itself.
func isBrokenSIN(head []byte, size int64) bool {
	if head[0] < 1 || head[0] > 3 {
		return false
	}
	_, err := sin.ReadHeader(bytes.NewReader(head), size)
	return err != nil && !errors.Is(err, sin.Because(sin.NotSIN))
}
