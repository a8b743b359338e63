package hub_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// schema is the part of an OpenAPI schema that GitHub's description uses.
type schema struct {
	Ref                  string             `json:"$ref"`
	Type                 string             `json:"type"`
	Format               string             `json:"format"`
	Nullable             bool               `json:"nullable"`
	Enum                 []string           `json:"enum"`
	MinLength            int                `json:"minLength"`
	MaxLength            *int               `json:"maxLength"`
	Items                *schema            `json:"items"`
	Properties           map[string]*schema `json:"properties"`
	Required             []string           `json:"required"`
	AdditionalProperties json.RawMessage    `json:"additionalProperties"`
	OneOf                []*schema          `json:"oneOf"`
}

// check lists what is wrong with a value, by its place; an unknown field is wrong too.
func (d *description) check(s *schema, at string, value any) []string {
	for s != nil && s.Ref != "" {
		s = d.Components.Schemas[strings.TrimPrefix(s.Ref, "#/components/schemas/")]
	}
	switch {
	case s == nil:
		return []string{at + ": no such schema"}
	case value == nil && !s.Nullable:
		return []string{at + ": is null"}
	case value == nil:
		return nil
	case len(s.OneOf) > 0:
		for _, one := range s.OneOf {
			if len(d.check(one, at, value)) == 0 {
				return nil
			}
		}
		return []string{at + ": is none of what it may be"}
	}
	wrong := func() []string { return []string{fmt.Sprintf("%s: %v is no %s", at, value, s.Type)} }
	switch v := value.(type) {
	case map[string]any:
		if s.Type != "object" {
			return wrong()
		}
		return d.checkObject(s, at, v)
	case []any:
		if s.Type != "array" {
			return wrong()
		}
		var bad []string
		for i, item := range v {
			bad = append(bad, d.check(s.Items, fmt.Sprintf("%s[%d]", at, i), item)...)
		}
		return bad
	case string:
		if s.Type != "string" {
			return wrong()
		}
		return checkText(s, at, v)
	case bool:
		if s.Type != "boolean" {
			return wrong()
		}
	case float64:
		if s.Type != "number" && (s.Type != "integer" || v != math.Trunc(v)) {
			return wrong()
		}
	}
	return nil
}

func (d *description) checkObject(s *schema, at string, value map[string]any) []string {
	var bad []string
	for _, name := range s.Required {
		if _, found := value[name]; !found {
			bad = append(bad, at+"."+name+": is missing")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(value)) {
		of, known := s.Properties[name]
		switch {
		case known:
			bad = append(bad, d.check(of, at+"."+name, value[name])...)
		case len(s.AdditionalProperties) == 0 && len(s.Properties) > 0:
			bad = append(bad, at+"."+name+": is unknown")
		}
	}
	return bad
}

func checkText(s *schema, at, text string) []string {
	var err error
	switch s.Format {
	case "uri":
		_, err = url.ParseRequestURI(text)
	case "date-time":
		_, err = time.Parse(time.RFC3339, text)
	}
	n := utf8.RuneCountInString(text)
	switch {
	case err != nil:
		return []string{at + ": " + err.Error()}
	case len(s.Enum) > 0 && !slices.Contains(s.Enum, text):
		return []string{fmt.Sprintf("%s: %q is none of %q", at, text, s.Enum)}
	case n < s.MinLength || s.MaxLength != nil && n > *s.MaxLength:
		return []string{fmt.Sprintf("%s: %q is too long or too short", at, text)}
	}
	return nil
}
