package plan

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/org/pgo-release/internal/release"
)

// fields are what a template of the configuration may use.
type fields struct {
	Version string // 1.2.3
	Tag     string // v1.2.3
	Commit  string // full hash
	Date    string // time of the commit, RFC 3339 in UTC
	Os      string // GOOS; empty where no target is meant
	Arch    string // GOARCH; likewise
}

var fieldNames = []string{"Version", "Tag", "Commit", "Date", "Os", "Arch"}

func fieldsOf(p Plan, t release.Target) fields {
	return fields{
		Version: p.Version, Tag: p.Tag, Commit: p.Commit,
		Date: p.Time.UTC().Format(time.RFC3339), Os: t.OS, Arch: t.Arch,
	}
}

// expand fills a template in; where names its place in the configuration.
func expand(where, text string, f fields) (string, error) {
	if !strings.Contains(text, "{{") {
		return text, nil
	}
	bad := func(err error) error {
		return release.Misuse("a template may use {{."+strings.Join(fieldNames, "}} {{.")+"}}",
			"configuration: %s: template %q: %w", where, text, err)
	}
	parsed, err := template.New(where).Option("missingkey=error").Parse(text)
	if err != nil {
		return "", bad(trimTemplate(where, err))
	}
	var out strings.Builder
	if err := parsed.Execute(&limited{w: &out, left: maxExpansion}, f); err != nil {
		return "", bad(trimTemplate(where, err))
	}
	return out.String(), nil
}

func expandMap(where string, m map[string]string, f fields) (map[string]string, error) {
	if len(m) == 0 {
		return nil, nil
	}
	out := make(map[string]string, len(m))
	for _, name := range slices.Sorted(maps.Keys(m)) {
		value, err := expand(where+"."+name, m[name], f)
		if err != nil {
			return nil, err
		}
		out[name] = value
	}
	return out, nil
}

// trimTemplate leaves out what text/template repeats about the place.
func trimTemplate(where string, err error) error {
	text := strings.TrimPrefix(err.Error(), "template: "+where+":")
	if _, after, ok := strings.Cut(text, "in type plan.fields"); ok {
		text = strings.TrimSpace(strings.TrimSuffix(text, "in type plan.fields"+after))
	}
	return fmt.Errorf("%s", text)
}

// maxExpansion bounds what a template may write, in bytes.
const maxExpansion = 64 << 10

// limited fails once more than left bytes were written: a template can loop.
type limited struct {
	w    io.Writer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	if len(p) > l.left {
		return 0, fmt.Errorf("more than %d bytes", maxExpansion)
	}
	l.left -= len(p)
	return l.w.Write(p)
}
