package main

import (
	"fmt"
	"slices"
	"strings"

	"xflash/internal/phone"
)

// knownModel is one model code in JSON.
type knownModel struct {
	Code     string   `json:"code"`
	Name     string   `json:"name"`
	Family   string   `json:"family"`
	SoC      string   `json:"soc"`
	Years    string   `json:"years"`
	Proof    string   `json:"proof"` // loader, sister, simulated, name or none
	Sentence string   `json:"sentence"`
	Order    []string `json:"order,omitempty"` // images and units, as they are or would be sent
	Source   string   `json:"order_source,omitempty"`
	Note     string   `json:"note,omitempty"`
}

func known(f *phone.Family, m phone.Model) knownModel {
	k := knownModel{Code: m.Code, Name: m.Name, Family: f.Name, SoC: f.SoC, Years: f.Years,
		Proof: string(f.Proof(m)), Sentence: f.Sentence(m), Note: f.Note}
	if f.Protocol == phone.ProtocolCommand {
		images, last := f.CommandOrder(m)
		k.Order = slices.Concat(images, last)
	}
	if o, ok := f.KnownOrder(m); ok {
		k.Source = o.Source
		for _, s := range o.Steps {
			k.Order = append(k.Order, s.Images...)
			for _, u := range s.Units {
				k.Order = append(k.Order, fmt.Sprintf("unit %d", u))
			}
		}
	}
	return k
}

// proofs orders the list: what xflash restores comes first.
var proofs = []string{string(phone.ByLoader), string(phone.BySister), string(phone.Simulated), string(phone.NameOnly), string(phone.Unproven)}

// listKnown says what can be done for every model, in one line each, or for those that
// names name, in more detail.
func (a *app) listKnown(names []string) error {
	var models []knownModel
	for _, name := range names {
		f, m, ok := phone.Find(name)
		if !ok {
			return &failure{exit: exitPolicy, code: "unknown-phone", what: fmt.Sprintf("%q is not a model that xflash knows", name),
				hints: []string{"use the model printed on the phone; \"xflash devices --known\" lists all models"}}
		}
		models = append(models, known(f, m))
	}
	if len(names) == 0 {
		for _, f := range phone.Families() {
			for _, m := range f.Models {
				models = append(models, known(f, m))
			}
		}
		slices.SortStableFunc(models, func(a, b knownModel) int {
			return slices.Index(proofs, a.Proof) - slices.Index(proofs, b.Proof)
		})
	}
	if a.ui.json {
		return a.ui.resultJSON(map[string]any{"type": "known", "models": models})
	}
	for _, k := range models {
		if len(names) == 0 {
			a.ui.result("%s\n", k.Sentence)
			continue
		}
		a.ui.result("%s\n", wrap(k.Sentence, a.ui.width(), "    "))
		a.ui.hanging("    ", fmt.Sprintf("platform: %s (%s)", k.SoC, k.Years))
		if k.Order != nil {
			a.ui.hanging("    ", "order: "+strings.Join(k.Order, ", "))
			if k.Source != "" {
				a.ui.hanging("    ", "source of the order: "+k.Source)
			}
		}
		a.ui.hanging("    ", "note: "+k.Note)
	}
	return nil
}
