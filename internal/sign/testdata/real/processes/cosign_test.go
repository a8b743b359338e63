package processes_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sigstore/sigstore-go/pkg/bundle"

	"github.com/org/pgo-release/internal/sign"
	"github.com/org/pgo-release/internal/sign/testdata/real/setup"
)

// verifier is a cosign command line, as a user runs it.
type verifier struct {
	name, program  string
	flags, stamped []string // that a version wants for bundles, and for their timestamps
}

func cosigns() []verifier {
	return []verifier{
		{"cosign v2", *cosign2, []string{"--new-bundle-format"}, []string{"--use-signed-timestamps"}},
		{"cosign v3", *cosign3, nil, nil},
	}
}

// check verifies a bundle over a file; an attestation, where it holds a statement. It
// gives what cosign said.
func (v verifier) check(t *testing.T, trustedRoot, san, bundlePath, file string) (string, error) {
	t.Helper()
	b, err := bundle.LoadJSONFromPath(bundlePath)
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"verify-blob"}
	if b.GetDsseEnvelope() != nil {
		args = []string{"verify-blob-attestation", "--type", "slsaprovenance1"}
	}
	args = append(args, v.flags...)
	if stamps, err := b.Timestamps(); err == nil && len(stamps) > 0 {
		args = append(args, v.stamped...)
	}
	if entries, err := b.TlogEntries(); err == nil && len(entries) == 0 {
		args = append(args, "--insecure-ignore-tlog", "--insecure-ignore-sct") // the instance keeps no logs
	}
	args = append(args, "--trusted-root", trustedRoot, "--certificate-identity", san, "--certificate-oidc-issuer", sign.Issuer,
		"--bundle", bundlePath, file)
	command := exec.CommandContext(t.Context(), v.program, args...)
	command.Env = []string{"HOME=" + t.TempDir()} // so that no other trusted root can be near
	output, err := command.CombinedOutput()
	return string(output), err
}

// write writes an artifact and its bundle into a directory, and gives the paths.
func write(t *testing.T, dir string, i int, text []byte) (bundlePath, file string) {
	t.Helper()
	file = filepath.Join(dir, setup.File(i).Name)
	bundlePath = file + ".sigstore.json"
	for path, content := range map[string][]byte{file: setup.Content(i), bundlePath: text} {
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return bundlePath, file
}

// stockTools verifies a bundle over an artifact with both versions of cosign, and has them
// refuse it for another file and for another identity.
func stockTools(t *testing.T, trustedRoot, san, bundlePath, file string) {
	t.Helper()
	changed := filepath.Join(t.TempDir(), filepath.Base(file))
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)/2] ^= 1
	if err := os.WriteFile(changed, content, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, v := range cosigns() {
		if said, err := v.check(t, trustedRoot, san, bundlePath, file); err != nil || !strings.Contains(said, "Verified OK") {
			t.Errorf("%s: %s: %v: %s", v.name, file, err, said)
		}
		if said, err := v.check(t, trustedRoot, san, bundlePath, changed); err == nil {
			t.Errorf("%s: %s: changed, and accepted: %s", v.name, file, said)
		}
		if said, err := v.check(t, trustedRoot, strings.Replace(san, "v1.2.3", "v1.2.4", 1), bundlePath, file); err == nil {
			t.Errorf("%s: %s: accepted for another identity: %s", v.name, file, said)
		}
	}
}
