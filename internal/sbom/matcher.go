package sbom

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/anchore/syft/syft"
	"github.com/anchore/syft/syft/cataloging"
	"github.com/anchore/syft/syft/file"
	"github.com/anchore/syft/syft/license"
	"github.com/anchore/syft/syft/pkg"
	"golang.org/x/mod/modfile"

	"github.com/org/pgo-release/internal/release"
)

// matcher tells licences by their texts, as syft does. Building what syft does it with
// takes a second of CPU time and 150 MB, more than all documents of a release together.
// So it is built when a text comes that was never read before.
type matcher struct {
	scanner func() (context.Context, error) // builds it, once; syft hands it on in a context
	memory  string                          // directory, or empty
}

func newMatcher(memory string) *matcher {
	return &matcher{memory: memory, scanner: sync.OnceValues(func() (context.Context, error) {
		ctx, err := syft.SetContextLicenseScanner(context.Background(), cataloging.DefaultLicenseConfig())
		if err != nil {
			return nil, fmt.Errorf("building the licence scanner: %w", err)
		}
		return ctx, nil
	})}
}

// matched is what syft says of a text, as it is remembered.
type matched struct {
	Value      string `json:"value"`
	Expression string `json:"expression,omitempty"`
	Contents   []byte `json:"contents,omitempty"` // of licences that are not on SPDX's list; may be no UTF-8
}

// match gives the licences that a text is of; it is one at least, if only one without
// a name.
func (m *matcher) match(text []byte) ([]pkg.License, error) {
	found, known := m.recall(text)
	if !known {
		scanner, err := m.scanner()
		if err != nil {
			return nil, err
		}
		where := file.NewLocationReadCloser(file.NewLocation("LICENSE"), io.NopCloser(bytes.NewReader(text)))
		for _, l := range pkg.NewLicensesFromReadCloserWithContext(scanner, where) {
			one := matched{Value: l.Value, Expression: l.SPDXExpression, Contents: []byte(l.Contents)}
			if one.Expression != "" { // SPDX wants the text of no licence that is on its list
				one.Contents = nil
			}
			found = append(found, one)
		}
		m.remember(text, found)
	}
	out := make([]pkg.License, len(found))
	for i, f := range found {
		out[i] = pkg.License{Value: f.Value, SPDXExpression: f.Expression, Contents: string(f.Contents), Type: license.Concluded, Locations: file.NewLocationSet()}
	}
	return out, nil
}

// licenceTool is what tells licences apart, with the versions of what syft uses for it: what
// is remembered is that of the same.
const licenceTool = syftTool + " licensecheck-v0.3.1 go-spdx-v2.7.0"

// file is where what is known of a text is remembered.
func (m *matcher) file(text []byte) string {
	h := sha256.New()
	_, _ = fmt.Fprintf(h, "licence v1 by %s\n", licenceTool)
	_, _ = h.Write(text)
	return filepath.Join(m.memory, release.Sum(h).Hex()+".json")
}

// recall gives what is remembered of a text. Whatever cannot be understood is not known.
func (m *matcher) recall(text []byte) (found []matched, known bool) {
	if m.memory == "" {
		return nil, false
	}
	content, err := read(m.file(text))
	if err != nil {
		return nil, false
	}
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&found); err != nil || len(found) == 0 || decoder.More() {
		return nil, false
	}
	for _, f := range found {
		if f.Value == "" {
			return nil, false
		}
	}
	return found, true
}

// remember keeps what is known of a text, where that can be: it is only for speed.
func (m *matcher) remember(text []byte, found []matched) {
	if m.memory == "" || len(found) == 0 {
		return
	}
	content, err := json.Marshal(found)
	if err != nil || os.MkdirAll(m.memory, 0o755) != nil {
		return
	}
	_, _ = write(m.file(text), append(content, '\n'))
}

// Prepare reads the licences of the modules that a go.mod requires, as far as they are on
// this machine; where most are not, they are about to come, and it gets ready for them.
// Documents can be made meanwhile, and without it; they wait less after it.
func (d *Describer) Prepare(ctx context.Context, gomod string) {
	content, err := os.ReadFile(gomod)
	if err != nil {
		return
	}
	parsed, err := modfile.ParseLax(gomod, content, nil)
	if err != nil {
		return
	}
	there, absent := 0, 0
	for _, required := range parsed.Require {
		if ctx.Err() != nil {
			return
		}
		found := false
		for _, dir := range d.licences.dirs(required.Mod.Path, required.Mod.Version) {
			if _, err := os.Stat(dir); err != nil {
				continue
			}
			found = true
			_, _ = d.licences.in(dir) // Describe has the same error
		}
		if found {
			there++
		} else {
			absent++
		}
	}
	if absent > there {
		_, _ = d.licences.matcher.scanner()
	}
}
