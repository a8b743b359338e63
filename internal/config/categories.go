package config

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/org/pgo-release/internal/notes"
	"github.com/org/pgo-release/internal/release"
)

// maxCategories bounds .github/release.yml, in bytes.
const maxCategories = 64 << 10

// releaseYAML is .github/release.yml
// (https://docs.github.com/en/repositories/releasing-projects-on-github/automatically-generated-release-notes#configuration-options).
type releaseYAML struct {
	Changelog struct {
		Exclude    exclusionYAML `yaml:"exclude"`
		Categories []struct {
			Title   string        `yaml:"title"`
			Labels  []string      `yaml:"labels"`
			Exclude exclusionYAML `yaml:"exclude"`
		} `yaml:"categories"`
	} `yaml:"changelog"`
}

type exclusionYAML struct {
	Labels  []string `yaml:"labels"`
	Authors []string `yaml:"authors"`
}

// Categories reads .github/release.yml, called name in errors. As GitHub does, it
// leaves out what it does not know. The errors are release.Problems of class Usage.
func Categories(name string, text []byte) (*notes.Categories, error) {
	if len(text) > maxCategories {
		return nil, release.Misuse("", "reading %q: %d bytes, want at most %d", name, len(text), maxCategories)
	}
	var y releaseYAML
	if err := yaml.Unmarshal(bytes.TrimPrefix(text, []byte("\ufeff")), &y); err != nil {
		first, _, _ := strings.Cut(yaml.FormatError(err, false, false), "\n")
		return nil, release.Misuse("GitHub describes it under \"Automatically generated release notes\"", "reading %q: %s", name, first)
	}
	out := &notes.Categories{Exclude: notes.Exclusion(y.Changelog.Exclude)}
	for i, c := range y.Changelog.Categories {
		if notes.Escape(c.Title) == "" {
			return nil, release.Misuse("", "reading %q: %w", name, fmt.Errorf("category %d has no title", i+1))
		}
		out.Categories = append(out.Categories, notes.Category{Title: c.Title, Labels: c.Labels, Exclude: notes.Exclusion(c.Exclude)})
	}
	return out, nil
}
