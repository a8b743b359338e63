package release_test

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"github.com/org/pgo-release/internal/release"
)

const helloHex = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

func TestDigest(t *testing.T) {
	h := sha256.New()
	h.Write([]byte("hello"))
	sum := release.Sum(h)
	if sum != "sha256:"+helloHex || sum.Hex() != helloHex {
		t.Errorf("%s, %s", sum, sum.Hex())
	}
	for _, text := range []string{helloHex, "sha256:" + helloHex} {
		if got, err := release.ParseDigest(text); err != nil || got != sum {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

func TestParseDigestRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":          "",
		"prefix alone":     "sha256:",
		"prefix twice":     "sha256:sha256:" + helloHex,
		"other algorithm":  "sha512:" + helloHex,
		"upper case":       strings.ToUpper(helloHex),
		"one upper":        "A" + helloHex[1:],
		"prefix in upper":  "SHA256:" + helloHex,
		"short":            helloHex[:62],
		"odd":              helloHex[:63],
		"long":             helloHex + "00",
		"SHA-512":          helloHex + helloHex,
		"not hexadecimal":  "g" + helloHex[1:],
		"blank before":     " " + helloHex,
		"line break after": helloHex + "\n",
	} {
		if got, err := release.ParseDigest(text); err == nil || got != "" || !strings.Contains(err.Error(), fmt.Sprintf("digest %q: want 64", text)) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// FuzzParseDigest: whatever is accepted has one form, which is read as itself.
func FuzzParseDigest(f *testing.F) {
	for _, seed := range []string{helloHex, "sha256:" + helloHex, "", "sha256:", strings.Repeat("é", 32), strings.ToUpper(helloHex)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		digest, err := release.ParseDigest(text)
		if err != nil {
			if digest != "" {
				t.Errorf("%q: an error and %q", text, digest)
			}
			return
		}
		if len(digest.Hex()) != 64 || string(digest) != "sha256:"+digest.Hex() || strings.TrimPrefix(text, "sha256:") != digest.Hex() {
			t.Errorf("%q became %q", text, digest)
		}
		if again, err := release.ParseDigest(string(digest)); err != nil || again != digest {
			t.Errorf("%q, then %q, %v", digest, again, err)
		}
	})
}

func file(name string) release.File { return release.File{Name: name} }

func made() release.Made {
	return release.Made{
		Units: []release.Unit{
			{Target: release.Target{OS: "linux", Arch: "amd64"}, Binary: file("app"), Archive: file("linux.tar.gz"), SBOM: file("linux.spdx")},
			{Target: release.Target{OS: "windows", Arch: "amd64"}, Binary: file("app.exe"), Archive: file("windows.zip"), SBOM: file("windows.spdx")},
		},
		Checksums: file("checksums.txt"),
	}
}

func list(assets []release.Asset) string {
	var out []string
	for _, a := range assets {
		line := fmt.Sprintf("%s %s", a.Kind, a.Name)
		if a.Target != nil {
			line += " " + a.Target.String()
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}

// What is attested and what may be published: every archive and SBOM in the order of
// the units, and never a bare executable.
func TestAssets(t *testing.T) {
	subjects := `archive linux.tar.gz linux/amd64
sbom linux.spdx linux/amd64
archive windows.zip windows/amd64
sbom windows.spdx windows/amd64`
	bundle, provenance := file("bundle"), file("provenance")
	if got := list(made().Subjects()); got != subjects {
		t.Errorf("subjects:\n%s", got)
	}
	for name, c := range map[string]struct {
		signed release.Signed
		want   string
	}{
		"unsigned": {release.Signed{Made: made()}, "\nchecksums checksums.txt"},
		"signed": {release.Signed{Made: made(), Bundle: &bundle, Provenance: &provenance},
			"\nchecksums checksums.txt\nbundle bundle\nprovenance provenance"},
	} {
		if got := list(c.signed.Assets()); got != subjects+c.want {
			t.Errorf("%s:\n%s", name, got)
		}
	}
}
