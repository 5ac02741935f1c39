package inspect

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"xflash/internal/samples"
)

//go:embed schema.json
var schemaFile []byte

// schema is the part of JSON Schema that schema.json uses. Anything else in it fails to
// decode, so that no rule of the file is silently not applied.
type schema struct {
	Schema      string             `json:"$schema"`
	Title       string             `json:"title"`
	Description string             `json:"description"`
	Ref         string             `json:"$ref"`
	Defs        map[string]*schema `json:"$defs"`
	Type        string             `json:"type"`
	Enum        []string           `json:"enum"`
	Properties  map[string]*schema `json:"properties"`
	Required    []string           `json:"required"`
	Items       *schema            `json:"items"`
	Additional  json.RawMessage    `json:"additionalProperties"`
}

func loadSchema(t *testing.T) *schema {
	t.Helper()
	var s schema
	d := json.NewDecoder(strings.NewReader(string(schemaFile)))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		t.Fatal(err)
	}
	return &s
}

// check returns everything in which a value differs from the schema.
func (s *schema) check(root *schema, at string, v any) []string {
	if s.Ref != "" {
		name, ok := strings.CutPrefix(s.Ref, "#/$defs/")
		if !ok || root.Defs[name] == nil {
			return []string{fmt.Sprintf("%s: no definition %s", at, s.Ref)}
		}
		return root.Defs[name].check(root, at, v)
	}
	if s.Enum != nil {
		if text, ok := v.(string); !ok || !slices.Contains(s.Enum, text) {
			return []string{fmt.Sprintf("%s: %v is not one of %v", at, v, s.Enum)}
		}
		return nil
	}
	wrong := []string{fmt.Sprintf("%s: %v is no %s", at, v, s.Type)}
	switch s.Type {
	case "string":
		if _, ok := v.(string); ok {
			return nil
		}
	case "boolean":
		if _, ok := v.(bool); ok {
			return nil
		}
	case "integer":
		if n, ok := v.(json.Number); ok {
			if _, whole := new(big.Int).SetString(n.String(), 10); whole {
				return nil
			}
		}
	case "array":
		if list, ok := v.([]any); ok {
			var all []string
			for i, e := range list {
				all = append(all, s.Items.check(root, fmt.Sprintf("%s[%d]", at, i), e)...)
			}
			return all
		}
	case "object":
		if m, ok := v.(map[string]any); ok {
			return s.object(root, at, m)
		}
	default:
		return []string{fmt.Sprintf("%s: a schema without a type", at)}
	}
	return wrong
}

func (s *schema) object(root *schema, at string, m map[string]any) (all []string) {
	for _, name := range s.Required {
		if _, ok := m[name]; !ok {
			all = append(all, fmt.Sprintf("%s: %s is missing", at, name))
		}
	}
	for name, v := range m {
		property := s.Properties[name]
		if property == nil && string(s.Additional) != "false" {
			property = new(schema)
			if err := json.Unmarshal(s.Additional, property); err != nil {
				return append(all, fmt.Sprintf("%s: %v", at, err))
			}
		}
		if property == nil {
			all = append(all, fmt.Sprintf("%s: %s is not in the schema", at, name))
			continue
		}
		all = append(all, property.check(root, at+"."+name, v)...)
	}
	return all
}

// validate holds a report against the schema.
func validate(t *testing.T, s *schema, r *Report) {
	t.Helper()
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	d := json.NewDecoder(strings.NewReader(string(data)))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	for _, problem := range s.check(s, r.Name, v) {
		t.Error(problem)
	}
}

// The validator itself must find what is wrong.
func TestSchemaRefuses(t *testing.T) {
	s := loadSchema(t)
	for _, text := range []string{`{}`, `{"name":"x","kind":"nonsense","title":"","size":1}`, `{"name":"x","kind":"sin","title":"","size":1.5}`,
		`{"name":1,"kind":"sin","title":"","size":1}`, `{"name":"x","kind":"sin","title":"","size":1,"more":1}`,
		`{"name":"x","kind":"sin","title":"","size":1,"contents":[{}]}`, `{"name":"x","kind":"sin","title":"","size":1,"for":"all"}`, `[]`} {
		var v any
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		if err := d.Decode(&v); err != nil {
			t.Fatal(err)
		}
		if s.check(s, "", v) == nil {
			t.Errorf("taken: %s", text)
		}
	}
}

func TestSamplesMatchTheSchema(t *testing.T) {
	s, dir := loadSchema(t), samples.Path(t, ".")
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		rep, err := Path(context.Background(), filepath.Join(dir, f.Name()), Options{Hashes: true})
		if err != nil {
			t.Fatal(err)
		}
		validate(t, s, rep)
	}
}
