package engine_test

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/org/pgo-release/internal/engine"
	images "github.com/org/pgo-release/internal/image"
	"github.com/org/pgo-release/internal/pack"
	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/provenance"
	"github.com/org/pgo-release/internal/release"
)

// doubt is a release with something wrong, and the findings that say so: the rule, the
// subject, and a part of the reason.
type doubt struct {
	change func(s *suspect)
	want   []string
}

// raise demands of every doubt that exactly its findings do not hold.
func raise(t *testing.T, doubts map[string]doubt) {
	for name, d := range doubts {
		t.Run(name, func(t *testing.T) {
			s := newSuspect(t)
			s.claim.Images = nil // which takes longest to read
			d.change(s)
			got := failing(s.verify())
			for i, line := range got {
				if i >= len(d.want) {
					break
				}
				about, reason, _ := strings.Cut(strings.ReplaceAll(d.want[i], "IMAGE", s.image()), ": ")
				if !strings.HasPrefix(line, "FAIL "+about+": ") || !strings.Contains(line, reason) {
					t.Errorf("finding %q, want %q", line, d.want[i])
				}
			}
			if len(got) != len(d.want) {
				t.Errorf("findings\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(d.want, "\n"))
			}
		})
	}
}

const amd64SBOM, arm64SBOM, windowsSBOM = amd64 + release.SBOMSuffix, arm64 + release.SBOMSuffix, windows + release.SBOMSuffix

// unlisted are the findings where checksums.txt could not be read.
func unlisted(reason string, more ...string) []string {
	out := []string{"checksums checksums.txt: " + reason}
	for _, name := range []string{amd64, amd64SBOM, arm64, arm64SBOM, windows, windowsSBOM} {
		out = append(out, "complete "+name+": nobody vouches for it")
	}
	return append(out, more...)
}

const refused = "signature checksums.txt: verifying the bundle over "

func TestVerifyFiles(t *testing.T) {
	raise(t, map[string]doubt{
		"no checksums": {func(s *suspect) { s.remove(release.ChecksumsName) }, unlisted("missing",
			"signature checksums.txt.sigstore.json: checksums.txt is missing", "provenance provenance.sigstore.json: checksums.txt is missing")},
		"no checksums, unsigned": {func(s *suspect) {
			s.claim.Unsigned = true
			s.remove(release.ChecksumsName, release.ChecksumsBundleName, release.ProvenanceName)
		}, unlisted("missing")},
		"CRLF": {func(s *suspect) { s.edit(release.ChecksumsName, "\n", "\r\n") }, unlisted("line 1: name",
			refused, "provenance provenance.sigstore.json: does not match any digest in statement")},
		"empty checksums": {func(s *suspect) { s.write(release.ChecksumsName, "") }, unlisted("no lines",
			refused, "provenance provenance.sigstore.json: does not match any digest in statement")},
		"listed twice": {func(s *suspect) {
			text := string(read(s.T, s.path(release.ChecksumsName)))
			s.write(release.ChecksumsName, text+text)
		}, unlisted("line 7: name", refused, "provenance provenance.sigstore.json: does not match any digest in statement")},
		"missing archive": {func(s *suspect) { s.remove(arm64) }, []string{"checksums " + arm64 + ": listed in checksums.txt and missing"}},
		"missing SBOM": {func(s *suspect) { s.remove(arm64SBOM) }, []string{
			"checksums " + arm64SBOM + ": listed in checksums.txt and missing", "sbom " + arm64SBOM + ": missing"}},
		"changed byte in an SBOM": {func(s *suspect) { s.edit(amd64SBOM, "hello", "jello") }, []string{
			"checksums " + amd64SBOM + ": checksums.txt says "}},
		"cut archive": {func(s *suspect) {
			text := read(s.T, s.path(windows))
			s.write(windows, string(text[:len(text)-1]))
		}, []string{"checksums " + windows + ": digest ", "binary " + windows + ": reading archive "}},
		"extra file":  {func(s *suspect) { s.write("hello_1.2.3_plan9_amd64.tar.gz", "x") }, []string{"complete hello_1.2.3_plan9_amd64.tar.gz: nobody vouches for it"}},
		"extra empty": {func(s *suspect) { s.write("install.sh", "") }, []string{"complete install.sh: nobody vouches for it"}},
		"archive without SBOM": {func(s *suspect) { s.remove(arm64SBOM); s.seal(nil) }, []string{
			"complete " + arm64 + ": it has no SBOM " + arm64SBOM, "sbom " + arm64SBOM + ": missing"}},
		"SBOMs without archives": {func(s *suspect) { s.remove(amd64, arm64, windows); s.seal(nil) }, []string{
			"complete checksums.txt: it lists no archive", "complete " + amd64SBOM + ": does not list", "complete " + arm64SBOM + ": does not list", "complete " + windowsSBOM + ": does not list"}},
		"SBOM without archive": {func(s *suspect) { s.remove(arm64); s.seal(nil) }, []string{
			"complete " + arm64SBOM + ": an SBOM of an archive that checksums.txt does not list"}},
	})
}

func TestVerifySignatures(t *testing.T) {
	raise(t, map[string]doubt{
		"no bundle":     {func(s *suspect) { s.remove(release.ChecksumsBundleName) }, []string{"signature checksums.txt.sigstore.json: missing"}},
		"no provenance": {func(s *suspect) { s.remove(release.ProvenanceName) }, []string{"provenance provenance.sigstore.json: missing"}},
		"empty bundles": {func(s *suspect) { s.write(release.ChecksumsBundleName, ""); s.write(release.ProvenanceName, "{}") }, []string{
			refused, "provenance provenance.sigstore.json: verifying the attestation of "}},
		"bundles exchanged": {func(s *suspect) {
			blob, statement := read(s.T, s.path(release.ChecksumsBundleName)), read(s.T, s.path(release.ProvenanceName))
			s.write(release.ChecksumsBundleName, string(statement))
			s.write(release.ProvenanceName, string(blob))
		}, []string{refused, "provenance provenance.sigstore.json: content: found "}},
		"other repository": {func(s *suspect) { s.claim.Repository = "octo/other" }, []string{refused, "provenance provenance.sigstore.json: workflow: found "}},
		"other tag":        {func(s *suspect) { s.claim.Tag = "v1.2.4" }, []string{refused, "provenance provenance.sigstore.json: ref: found "}},
		"other trust":      {func(s *suspect) { s.verifier = verifier(s.other.trust) }, []string{refused, "provenance provenance.sigstore.json: checking against the trusted root"}},
		"list written anew": {func(s *suspect) {
			text := string(read(s.T, s.path(release.ChecksumsName)))
			first, rest, _ := strings.Cut(text, "\n")
			s.write(release.ChecksumsName, rest+first+"\n")
		}, []string{refused, "provenance provenance.sigstore.json: does not match any digest in statement"}},
		"other commit": {func(s *suspect) { s.claim.Commit = s.foreign.plan.Commit }, []string{
			refused, "provenance provenance.sigstore.json: commit: found ",
			"binary " + amd64 + ": hello says commit ", "binary " + arm64 + ": hello says commit ", "binary " + windows + ": hello.exe says commit "}},
		"signed and said to be unsigned": {func(s *suspect) { s.claim.Unsigned = true }, []string{
			"complete checksums.txt.sigstore.json: nobody vouches for it", "complete provenance.sigstore.json: nobody vouches for it"}},
		"bundle of another file beside one": {func(s *suspect) {
			s.all = true
			s.seal(nil)
			s.write(amd64+release.BundleSuffix, string(read(s.T, s.path(arm64+release.BundleSuffix))))
		}, []string{"signature " + amd64 + ": digest: found "}},
		"empty bundle beside a file": {func(s *suspect) {
			s.all = true
			s.seal(nil)
			s.write(amd64SBOM+release.BundleSuffix, "")
		}, []string{"signature " + amd64SBOM + ": parsing the bundle"}},
		"bundle of a file that is not there": {func(s *suspect) {
			s.write("evil.exe"+release.BundleSuffix, string(read(s.T, s.path(release.ChecksumsBundleName))))
		}, []string{"complete evil.exe.sigstore.json: nobody vouches for it"}},
	})
}

// Where every file was signed by itself, or one was, none may lack its bundle.
func TestVerifyAllMissing(t *testing.T) {
	names := []string{amd64, amd64SBOM, arm64, arm64SBOM, windows, windowsSBOM}
	sealed := func(missing ...string) func(s *suspect) {
		return func(s *suspect) {
			s.all = true
			s.seal(nil)
			for _, name := range missing {
				s.remove(name + release.BundleSuffix)
			}
		}
	}
	lacks := func(names ...string) (out []string) {
		for _, name := range names {
			out = append(out, "signature "+name+".sigstore.json: missing")
		}
		return out
	}
	raise(t, map[string]doubt{
		"one":            {sealed(arm64), lacks(arm64)},
		"all but one":    {sealed(names[1:]...), lacks(names[1:]...)},
		"all":            {sealed(names...), nil},
		"all, and asked": {func(s *suspect) { sealed(names...)(s); s.claim.All = true }, lacks(names...)},
		"none, asked":    {func(s *suspect) { sealed()(s); s.claim.All = true }, nil},
	})
}

// A bundle beside every file is more to hold, and nothing else.
func TestVerifyAll(t *testing.T) {
	s := newSuspect(t)
	s.all = true
	s.seal(nil)
	got := s.verify()
	if failed := failing(got); len(failed) > 0 {
		t.Error(failed)
	}
	for _, name := range []string{amd64, amd64SBOM, arm64, windows, release.ChecksumsName} {
		if !slices.ContainsFunc(got, func(line string) bool {
			return strings.HasPrefix(line, "ok signature "+name+": signed by https://github.com/")
		}) {
			t.Errorf("nothing says that %s is signed: %q", name, got)
		}
	}
}

// The statement is signed as it has to be, and speaks of something else.
func TestVerifyProvenance(t *testing.T) {
	restate := func(change func(p *plan.Plan, subjects []release.Asset) []release.Asset) func(s *suspect) {
		return func(s *suspect) { s.seal(change) }
	}
	raise(t, map[string]doubt{
		"missing subject": {restate(func(_ *plan.Plan, list []release.Asset) []release.Asset {
			return slices.DeleteFunc(list, func(a release.Asset) bool { return a.Name == arm64 || a.Name == amd64SBOM })
		}), []string{"provenance " + amd64SBOM + ": does not speak of it", "provenance " + arm64 + ": does not speak of it"}},
		// What the certificate says does not make up for what the statement says: a key
		// has no certificate, and one workflow may release for others.
		"other repository": {func(s *suspect) {
			s.seal(nil, `"repository":"https://github.com/octo/hello"`, `"repository":"https://github.com/octo/other"`)
		},
			[]string{`provenance provenance.sigstore.json: it speaks of repository "https://github.com/octo/other", want "https://github.com/octo/hello"`}},
		"repository in other letters": {func(s *suspect) {
			s.seal(nil, `"repository":"https://github.com/octo/hello"`, `"repository":"https://github.com/Octo/Hello"`)
		}, nil},
		"no repository": {func(s *suspect) { s.seal(nil, `"repository":"https://github.com/octo/hello"`, `"repository":""`) },
			[]string{`provenance provenance.sigstore.json: it speaks of repository "", want`}},
		"other tag": {func(s *suspect) { s.seal(nil, `"tag":"v1.2.3"`, `"tag":"v1.2.4"`) },
			[]string{`provenance provenance.sigstore.json: it speaks of tag "v1.2.4", want "v1.2.3"`}},
		"other build type": {func(s *suspect) { s.seal(nil, provenance.BuildType, provenance.WorkflowBuildType) },
			[]string{`provenance provenance.sigstore.json: its build type is "` + provenance.WorkflowBuildType + `", want "` + provenance.BuildType + `"`}},
		"other module": {func(s *suspect) { s.seal(nil, `"module":"github.com/octo/hello"`, `"module":"github.com/octo/other"`) }, []string{
			"sbom " + amd64SBOM + `: it names module "github.com/octo/hello", the provenance "github.com/octo/other"`,
			"sbom " + arm64SBOM + ": it names module", "sbom " + windowsSBOM + ": it names module"}},
		"no module": {func(s *suspect) { s.seal(nil, `"module":"github.com/octo/hello"`, `"module":""`) }, nil},
		"foreign subject": {restate(func(_ *plan.Plan, list []release.Asset) []release.Asset {
			return append(list, release.Asset{File: release.File{Name: "a\x1b[2J", Digest: digestOf(nil)}}, release.Asset{File: release.File{Name: "evil.exe", Digest: digestOf(nil)}})
		}), []string{`provenance "a\x1b[2J": a file that the release does not have`, "provenance evil.exe: a file that the release does not have"}},
		"other digest": {restate(func(_ *plan.Plan, list []release.Asset) []release.Asset {
			for i := range list {
				if list[i].Name == windows {
					list[i].Digest = digestOf([]byte("other"))
				}
			}
			return list
		}), []string{"provenance " + windows + ": speaks of digest " + string(digestOf([]byte("other"))) + ", want "}},
		"foreign builder": {func(s *suspect) {
			s.authority.builder = "https://github.com/evil/builder/.github/workflows/build.yml@refs/heads/main"
			s.seal(nil)
		}, []string{`provenance provenance.sigstore.json: it speaks of builder "https://github.com/evil/builder/.github/workflows/build.yml@refs/heads/main", want the signer, "https://github.com/octo/`}},
		"other commit": {func(s *suspect) {
			s.seal(func(p *plan.Plan, list []release.Asset) []release.Asset {
				p.Commit = s.foreign.plan.Commit
				return list
			})
		}, []string{"provenance provenance.sigstore.json: it speaks of commit "}},
	})
}

func TestVerifySBOMs(t *testing.T) {
	raise(t, map[string]doubt{
		"other version": {func(s *suspect) { s.edit(amd64SBOM, `"versionInfo": "v1.2.3"`, `"versionInfo": "v1.2.4"`); s.seal(nil) },
			[]string{"sbom " + amd64SBOM + ": it names github.com/octo/hello v1.2.4, want v1.2.3"}},
		"other archive": {func(s *suspect) {
			s.edit(amd64SBOM, digestOf(read(s.T, s.path(amd64))).Hex(), digestOf(nil).Hex())
			s.seal(nil)
		}, []string{"sbom " + amd64SBOM + ": it describes an archive with digest " + string(digestOf(nil))}},
		"exchanged": {func(s *suspect) { s.write(arm64SBOM, string(read(s.T, s.path(amd64SBOM)))); s.seal(nil) },
			[]string{"sbom " + arm64SBOM + ": it describes an archive with digest "}},
		"no SPDX": {func(s *suspect) { s.write(amd64SBOM, "{}"); s.seal(nil) }, []string{"sbom " + amd64SBOM + ": parsing SPDX document: "}},
		"a module that would not show": {func(s *suspect) {
			sbom := s.verifier.SBOM
			s.verifier.SBOM = func(content []byte) (engine.Bill, error) {
				b, err := sbom(content)
				b.Module, b.Version = "a\x1b[2J\nok", "v\u202e"
				return b, err
			}
		}, []string{
			"sbom " + amd64SBOM + `: it names "a\x1b[2J\nok" "v\u202e", want`, "sbom " + arm64SBOM + ": it names", "sbom " + windowsSBOM + ": it names"}},
	})
}

func TestVerifyBinaries(t *testing.T) {
	raise(t, map[string]doubt{
		"other version": {func(s *suspect) { s.repack(amd64, s.later.Units[0].Binary); s.seal(nil) },
			[]string{"binary " + amd64 + `: hello says version "v1.2.4", want v1.2.3`}},
		"other commit": {func(s *suspect) { s.repack(amd64, s.foreign.Units[0].Binary); s.seal(nil) },
			[]string{"binary " + amd64 + ": hello says commit "}},
		"a second one": {func(s *suspect) {
			second := s.later.Units[0].Binary
			second.Name = "helper"
			s.repack(windows, s.genuine.Units[2].Binary, second)
			s.seal(nil)
		}, []string{"binary " + windows + ": helper says version "}},
		"no Go program": {func(s *suspect) { s.repack(arm64); s.seal(nil) }, []string{"binary " + arm64 + ": it holds no Go program"}},
		"another version is claimed": {func(s *suspect) { s.claim.Version = "1.2.4" }, []string{
			"sbom " + amd64SBOM + ": want v1.2.4", "sbom " + arm64SBOM + ": want v1.2.4", "sbom " + windowsSBOM + ": want v1.2.4",
			"binary " + amd64 + ": want v1.2.4", "binary " + arm64 + ": want v1.2.4", "binary " + windows + ": want v1.2.4"}},
		"another program": {func(s *suspect) {
			evil := filepath.Join(t.TempDir(), "hello")
			s.check(os.WriteFile(evil, []byte("x"), 0o755))
			_, _, err := pack.Archive(s.Context(), plan.FormatTarGz, s.path(amd64), []pack.Entry{{Name: "hello", Path: evil, Mode: 0o755}}, s.genuine.plan.Time)
			s.check(err)
		}, []string{"checksums " + amd64 + ": digest ", "binary " + amd64 + ": it holds no Go program"}},
	})
}

func TestVerifyImage(t *testing.T) {
	build := func(s *suspect, binaries map[string]release.File) {
		s.Helper()
		p := s.genuine.plan.Images[0]
		spec := images.Spec{Plan: p, Time: s.genuine.plan.Time}
		for _, target := range p.Platforms {
			spec.Binaries = append(spec.Binaries, images.Binary{Target: target, Files: []release.File{binaries[target.Arch]}})
		}
		at := filepath.Join(s.TempDir(), "image")
		made, err := images.Build(s.Context(), []images.Spec{spec}, at, images.Access{})
		s.check(err)
		s.claim.Images = []engine.ClaimedImage{{Reference: at, Digest: made[0].Digest}}
	}
	instead := func(content engine.ImageContent, err error) func(s *suspect) {
		return func(s *suspect) {
			s.claim.Images = []engine.ClaimedImage{{Reference: "ghcr.io/octo/hello:1.2.3"}}
			s.verifier.Image = func(context.Context, engine.ClaimedImage) (engine.ImageContent, error) { return content, err }
		}
	}
	s := newSuspect(t)
	own := map[string]release.File{"amd64": s.genuine.Units[0].Binary, "arm64": s.genuine.Units[1].Binary}
	with := func(arch string, binary release.File) map[string]release.File {
		out := maps.Clone(own)
		out[arch] = binary
		return out
	}
	const registry = "image ghcr.io/octo/hello:1.2.3: "
	foreign := with("amd64", s.foreign.Units[0].Binary)
	labelled := func(s *suspect) {
		evil := s.genuine.plan.Images[0]
		evil.Labels = map[string]string{"team": "evil"}
		s.genuine.plan.Images = []plan.ImagePlan{evil}
		build(s, own)
		s.claim.Images[0].Digest = ""
	}
	// Nobody signed which image it is, so its programs are all that can be compared.
	unsigned := func(change func(s *suspect)) func(s *suspect) {
		return func(s *suspect) {
			change(s)
			s.claim.Unsigned = true
			s.remove(release.ChecksumsBundleName, release.ProvenanceName)
		}
	}
	raise(t, map[string]doubt{
		"the same again": {func(s *suspect) { build(s, own) }, nil},
		// The same programs, in an image that the release did not make.
		"another image":           {labelled, []string{"image IMAGE: which the provenance does not name: it names ghcr.io/octo/hello@" + string(s.claim.Images[0].Digest)}},
		"another image, unsigned": {unsigned(labelled), nil},
		"named by nobody": {func(s *suspect) {
			s.seal(func(p *plan.Plan, list []release.Asset) []release.Asset { p.Images = nil; return list })
			build(s, own)
		}, []string{"image IMAGE: the provenance names no image"}},
		"nothing that names it": {func(s *suspect) { build(s, own); s.remove(release.ProvenanceName) },
			[]string{"provenance provenance.sigstore.json: missing", "image IMAGE: no provenance that could be verified names it"}},
		"foreign binary": {unsigned(func(s *suspect) { build(s, foreign) }), []string{"image IMAGE: hello of linux/amd64 is in no archive for it"}},
		"of another platform": {unsigned(func(s *suspect) { build(s, with("arm64", own["amd64"])) }),
			[]string{"image IMAGE: hello of linux/arm64 is in no archive for it"}},
		"other digest": {func(s *suspect) { build(s, own); s.claim.Images[0].Digest = digestOf(nil) }, []string{"image IMAGE: it has no image \"" + string(digestOf(nil))}},
		"gone":         {func(s *suspect) { s.claim.Images = []engine.ClaimedImage{{Reference: s.path("nothing")}} }, []string{"image IMAGE: reading layout "}},
		"not in the archives any more": {func(s *suspect) {
			s.repack(amd64, s.foreign.Units[0].Binary)
			s.seal(nil)
			build(s, own)
		}, []string{"binary " + amd64 + ": hello says commit ", "image IMAGE: hello of linux/amd64 is in no archive for it"}},

		// Beside the programs there are the files that the provenance names, and no other.
		"another file": {func(s *suspect) {
			build(s, own)
			read := s.verifier.Image
			s.verifier.Image = func(ctx context.Context, image engine.ClaimedImage) (engine.ImageContent, error) {
				content, err := read(ctx, image)
				content.Files[release.Target{OS: "linux", Arch: "amd64"}] = []string{"/etc/passwd"}
				return content, err
			}
		}, []string{`image IMAGE: linux/amd64 holds the files ["/etc/passwd"] beside its programs, want []`}},
		"nothing in it":  {unsigned(instead(engine.ImageContent{}, nil)), []string{registry + "it has no platform"}},
		"an empty one":   {unsigned(instead(engine.ImageContent{Platforms: map[release.Target]map[string]release.Digest{{OS: "linux", Arch: "arm"}: {}}}, nil)), []string{registry + "linux/arm holds no program"}},
		"unreachable":    {unsigned(instead(engine.ImageContent{}, errors.New("no such host"))), []string{registry + "no such host"}},
		"like another's": {unsigned(instead(engine.ImageContent{Platforms: map[release.Target]map[string]release.Digest{{OS: "linux", Arch: "arm"}: {"hello": own["arm64"].Digest}}}, nil)), []string{registry + "hello of linux/arm is in no archive for it"}},
		"under another name": {unsigned(instead(engine.ImageContent{Platforms: map[release.Target]map[string]release.Digest{{OS: "linux", Arch: "arm64"}: {"/usr/local/bin/sh": own["arm64"].Digest}}}, nil)),
			[]string{registry + "sh of linux/arm64 is in no archive for it"}},
	})
}
