package cli

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/org/pgo-release/internal/dist"
	"github.com/org/pgo-release/internal/engine"
	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
)

// printJSON writes a result as indented JSON.
func (a *app) printJSON(v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("printing the result: %w", err)
	}
	return a.print(string(text) + "\n")
}

// VerifySchema names the form of what `verify --json` prints.
const VerifySchema = "https://github.com/org/pgo-release/schema/verify/v1"

// finding is a Finding as `verify --json` prints it.
type finding struct {
	Rule    string `json:"rule"`
	Subject string `json:"subject"`
	Holds   bool   `json:"holds"`
	Note    bool   `json:"note,omitempty"` // it says what did not count
	Detail  string `json:"detail,omitempty"`
}

func (a *app) printFindings(findings []engine.Finding) error {
	if a.values.Bool("json") {
		out := struct {
			Schema   string    `json:"schema"`
			Holds    bool      `json:"holds"`
			Findings []finding `json:"findings"`
		}{Schema: VerifySchema, Holds: len(engine.Failed(findings)) == 0, Findings: []finding{}}
		for _, f := range findings {
			detail := f.Detail
			if f.Err != nil {
				detail = f.Err.Error()
			}
			out.Findings = append(out.Findings, finding{Rule: f.Rule, Subject: f.Subject, Holds: f.Err == nil, Note: f.Note, Detail: detail})
		}
		return a.printJSON(out)
	}
	var text strings.Builder
	for _, f := range findings {
		switch {
		case f.Err != nil:
			fmt.Fprintf(&text, "FAIL  %-10s  %s: %s\n", f.Rule, f.Subject, f.Err)
		case f.Note:
			fmt.Fprintf(&text, "note  %-10s  %s: does not count: %s\n", f.Rule, f.Subject, f.Detail)
		default:
			fmt.Fprintf(&text, "ok    %-10s  %s: %s\n", f.Rule, f.Subject, f.Detail)
		}
	}
	return a.print(text.String())
}

// conclusion is nil when everything holds.
func conclusion(what string, findings []engine.Finding) error {
	failed := engine.Failed(findings)
	if len(failed) == 0 {
		return nil
	}
	var errs []error
	for _, f := range failed {
		errs = append(errs, fmt.Errorf("%s: %s: %w", f.Rule, f.Subject, f.Err))
	}
	return fmt.Errorf("verifying %s: %d of %d checks do not hold:\n%w", what, len(failed), len(findings), errors.Join(errs...))
}

// howToVerify is the end of the release notes: the commands a user needs, first this
// program's own.
func howToVerify(own string, stock []string) string {
	return fmt.Sprintf(`
## Verify

%[1]ssh
%[2]s
%[1]s

or with stock tools, beside the downloaded files:

%[1]ssh
%[3]s
%[1]s
`, "```", own, strings.Join(stock, "\n"))
}

// outputsOf are the outputs of the action.
func outputsOf(p plan.Plan, r dist.Report, dir string) (map[string]string, error) {
	assets, err := json.Marshal(r.Artifacts)
	if err != nil {
		return nil, fmt.Errorf("setting the output %q: %w", "assets", err)
	}
	images := []byte("[]")
	if len(r.Images) > 0 {
		if images, err = json.Marshal(r.Images); err != nil {
			return nil, fmt.Errorf("setting the output %q: %w", "images", err)
		}
	}
	out := map[string]string{
		"version": r.Version, "tag": r.Tag, "previous-tag": p.Verdict.Previous, "floating-tags": "",
		"prerelease": strconv.FormatBool(p.Verdict.Prerelease), "latest": strconv.FormatBool(p.Verdict.Latest && !r.Release.Draft),
		"release-url": r.Release.URL, "release-id": strconv.FormatInt(r.Release.ID, 10),
		"assets": string(assets), "dist": dir, "checksums": path.Join(dir, release.ChecksumsName), "notes": path.Join(dir, release.NotesName), "image": "", "image-digest": "", "images": string(images),
	}
	if !r.Release.Draft {
		out["floating-tags"] = strings.Join(p.Verdict.GitTags, " ")
	}
	if len(r.Images) > 0 {
		first := r.Images[0]
		out["image-digest"] = string(first.Digest)
		out["image"] = cmp.Or(exactTag(first, r.Version), first.Repository+"@"+string(first.Digest))
	}
	return out, nil
}
