package setup

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/sigstore/fulcio/pkg/config"
	"go.yaml.in/yaml/v3"

	"github.com/org/pgo-release/internal/sign"
)

// FulcioConfig is the configuration of the public Fulcio, as the module carries it, with
// GitHub as the only issuer: what a token's claims become in a certificate is then what
// they become there.
func FulcioConfig() ([]byte, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/sigstore/fulcio").Output()
	if err != nil {
		return nil, fmt.Errorf("asking where Fulcio's module lies: %w", err)
	}
	path := filepath.Join(strings.TrimSpace(string(out)), "config", "identity", "config.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading Fulcio's configuration: %w", err)
	}
	var whole config.FulcioConfig
	if err := yaml.Unmarshal(text, &whole); err != nil {
		return nil, fmt.Errorf("parsing Fulcio's configuration %q: %w", path, err)
	}
	issuer, ok := whole.OIDCIssuers[sign.Issuer]
	if !ok {
		return nil, fmt.Errorf("parsing Fulcio's configuration %q: no issuer %q", path, sign.Issuer)
	}
	return yaml.Marshal(config.FulcioConfig{
		OIDCIssuers:      map[string]config.OIDCIssuer{sign.Issuer: issuer},
		CIIssuerMetadata: map[string]config.IssuerMetadata{issuer.CIProvider: whole.CIIssuerMetadata[issuer.CIProvider]},
	})
}
