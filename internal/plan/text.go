package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/org/pgo-release/internal/release"
)

// Text is the plan for people, as `plan` prints it. Lines hold no control characters.
func (p Plan) Text() (string, error) {
	digest, err := p.Digest()
	if err != nil {
		return "", err
	}
	var out strings.Builder
	fmt.Fprintf(&out, "%s %s\n\n", p.Project, p.Version)
	table := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(table, "  %s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	row("tag", "%s", p.Tag)
	row("commit", "%s, %s", p.Commit, p.Time.UTC().Format(time.RFC3339))
	if p.Verdict.Previous != "" {
		row("previous", "%s", p.Verdict.Previous)
	} else if !p.Snapshot {
		row("previous", "none: the first release")
	}
	row("module", "%s", p.Module.Path)
	row("toolchain", "%s", p.Toolchain)
	if p.Environment != Production && p.Environment != "" {
		row("environment", "%s", p.Environment)
	}
	if p.Repository.Owner != "" && !p.Snapshot {
		row("release", "%s on %s", p.standing(), p.Repository.URL())
	}
	if p.Promote {
		row("", "only what an earlier run made of this commit")
	}
	switch {
	case p.Sign == SignNone:
		row("signatures", "NONE: nobody will be able to check where the release comes from")
	case p.Sign == SignKey && !p.Snapshot:
		row("signatures", "with a key")
	case !p.Snapshot:
		row("signatures", "keyless, with the identity of the workflow")
	}
	if len(p.Include) > 0 {
		row("include", "%s", strings.Join(p.Include, " "))
	}
	for _, command := range p.Prepare {
		row("prepare", "%s", command)
	}
	for _, f := range p.Verdict.Warnings() {
		row("warning", "%s", f)
	}
	row("digest", "%s", digest)
	if err := table.Flush(); err != nil {
		return "", err
	}
	p.listUnits(&out)
	for _, i := range p.Images {
		fmt.Fprintf(&out, "\nimage\n  %s\n", i.Repository)
		if i.Base != nil {
			fmt.Fprintf(&out, "    base       %s@%s\n", i.Base.Name, i.Base.Digest)
		}
		fmt.Fprintf(&out, "    tags       %s\n    platforms  %s\n    entrypoint %s\n",
			cmp.Or(strings.Join(i.Tags, " "), "none, by digest"), join(i.Platforms), strings.Join(slices.Concat(i.Entrypoint, i.Cmd), " "))
		for _, f := range i.Files {
			fmt.Fprintf(&out, "    file       %s\n", f.Path)
		}
	}
	return out.String(), nil
}

// standing says how the release page presents the version.
func (p Plan) standing() string {
	var words []string
	if p.Draft {
		words = append(words, "draft")
	}
	switch {
	case p.Verdict.Prerelease:
		words = append(words, "prerelease")
	case p.Verdict.Latest:
		words = append(words, "latest")
	default:
		words = append(words, "stable, not latest")
	}
	return strings.Join(words, ", ")
}

func (p Plan) listUnits(out *strings.Builder) {
	var builds []string
	of := map[string][]Unit{}
	for _, u := range p.Units {
		if !slices.Contains(builds, u.Build) {
			builds = append(builds, u.Build)
		}
		of[u.Build] = append(of[u.Build], u)
	}
	for _, name := range builds {
		units := of[name]
		fmt.Fprintf(out, "\nbuild %s (%s)\n", name, units[0].Main)
		for _, u := range units {
			fmt.Fprintf(out, "  %-16s %s\n", u.Target, u.Archive)
		}
	}
	if len(p.Files) > 0 {
		fmt.Fprintf(out, "\nin every archive\n  %s\n", strings.Join(p.Files, " "))
	}
	fmt.Fprintf(out, "\nbeside the archives\n  an SBOM each (%s), %s", release.SBOMSuffix, release.ChecksumsName)
	if p.SignAll {
		fmt.Fprintf(out, ", a bundle of every file (%s)", release.BundleSuffix)
	}
	if p.Sign != SignNone && !p.Snapshot {
		fmt.Fprintf(out, ", %s, %s", release.ChecksumsBundleName, release.ProvenanceName)
	}
	out.WriteString("\n")
}

func join(targets []release.Target) string {
	var words []string
	for _, t := range targets {
		words = append(words, t.String())
	}
	return strings.Join(words, " ")
}
