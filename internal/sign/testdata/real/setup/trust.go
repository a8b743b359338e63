package setup

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	prototrustroot "github.com/sigstore/protobuf-specs/gen/pb-go/trustroot/v1"
	"github.com/sigstore/sigstore-go/pkg/root"

	"github.com/org/pgo-release/internal/rehearsal/sigstore"
	"github.com/org/pgo-release/internal/sign"
)

// Instance is a Sigstore instance in parts: what its trusted root and its signing config
// speak of.
type Instance struct {
	Authorities []root.CertificateAuthority
	CTLogs      []*root.TransparencyLog
	Stampers    []root.TimestampingAuthority
	Logs        []*root.TransparencyLog

	Fulcio    string         // address
	Stamping  string         // address of the timestamp authority; empty: none
	LogsAt    []root.Service // see LogService
	EveryLog  bool           // an entry in each log, not in any one
	SinceWhen time.Time      // when all of it became valid
}

// LogService is a log as a signing config names it. Of one operator's logs, only one is
// ever chosen.
func LogService(at string, version uint32, operator string, since time.Time) root.Service {
	return root.Service{URL: at, MajorAPIVersion: version, ValidityPeriodStart: since, Operator: operator}
}

// Write writes the trusted root and the signing config into a directory, under the names
// that the carried Sigstore gives them.
func (i Instance) Write(dir string) error {
	trusted, err := root.NewTrustedRoot(root.TrustedRootMediaType01, i.Authorities, byID(i.CTLogs), i.Stampers, byID(i.Logs))
	if err != nil {
		return fmt.Errorf("making the trusted root: %w", err)
	}
	config, err := i.signingConfig()
	if err != nil {
		return fmt.Errorf("making the signing config: %w", err)
	}
	for name, value := range map[string]json.Marshaler{sigstore.TrustedRootName: trusted, sigstore.SigningConfigName: config} {
		text, err := value.MarshalJSON()
		if err != nil {
			return fmt.Errorf("encoding %q: %w", name, err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return fmt.Errorf("writing %q: %w", name, err)
		}
	}
	return nil
}

func (i Instance) signingConfig() (*root.SigningConfig, error) {
	at := func(url string) []root.Service {
		if url == "" {
			return nil
		}
		return []root.Service{{URL: url, MajorAPIVersion: 1, ValidityPeriodStart: i.SinceWhen, Operator: "test"}}
	}
	one := root.ServiceConfiguration{Selector: prototrustroot.ServiceSelector_ANY}
	logs := one
	if i.EveryLog {
		logs.Selector = prototrustroot.ServiceSelector_ALL
	}
	return root.NewSigningConfig(root.SigningConfigMediaType02,
		at(i.Fulcio), at(sign.Issuer), i.LogsAt, logs, at(i.Stamping), one)
}

// Trust writes the files into a directory and reads them as a run does.
func (i Instance) Trust(dir string) (sign.Trust, error) {
	if err := i.Write(dir); err != nil {
		return sign.Trust{}, err
	}
	return sign.LoadTrust(filepath.Join(dir, sigstore.TrustedRootName), filepath.Join(dir, sigstore.SigningConfigName))
}

func byID(logs []*root.TransparencyLog) map[string]*root.TransparencyLog {
	out := map[string]*root.TransparencyLog{}
	for _, log := range logs {
		out[hex.EncodeToString(log.ID)] = log
	}
	return out
}
