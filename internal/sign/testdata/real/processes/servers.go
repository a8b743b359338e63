package processes

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"

	"github.com/org/pgo-release/internal/sign/testdata/real/setup"
	"github.com/org/pgo-release/internal/sign/testdata/real/stub"
)

// Options say what an instance consists of, beside Fulcio.
type Options struct {
	Claims   map[string]any // of the tokens
	Rekor1   bool
	Rekor2   int  // how many
	EveryLog bool // an entry in each log of the highest version, not in any one
	TSA      bool // a timestamp authority
	NoCTLog  bool
}

// Instance is a running Sigstore. Fulcio and the logs stand behind fronts, which count and
// can misbehave; the fronts' addresses are those in the signing config.
type Instance struct {
	Issuer    *stub.Issuer
	Tokens    *stub.Service
	Fulcio    *stub.Service
	Logs      []*stub.Service // in the order of Processes.Logs
	Processes struct {
		Fulcio, TSA *Process
		Logs        []*Process
	}
	Dir string // with the trusted root and the signing config

	bin    string
	parts  setup.Instance
	closer []func() error
}

// Start starts the servers, whose programs lie in bin, with their files below dir. Close
// ends them.
func Start(ctx context.Context, bin, dir string, o Options) (_ *Instance, err error) {
	i := &Instance{Dir: dir, bin: bin}
	i.parts.SinceWhen, i.parts.EveryLog = time.Now().Add(-time.Minute), o.EveryLog
	defer func() {
		if err != nil {
			err = errors.Join(err, i.Close())
		}
	}()
	if err := i.startIssuer(o.Claims); err != nil {
		return nil, fmt.Errorf("starting the issuer: %w", err)
	}
	if err := i.startFulcio(ctx, o); err != nil {
		return nil, err
	}
	if o.TSA { // before Rekor v1, which has the same port for its metrics and can do without
		if err := i.startTSA(ctx); err != nil {
			return nil, err
		}
	}
	for n := range o.Rekor2 {
		if err := i.startRekor2(ctx, n); err != nil {
			return nil, err
		}
	}
	if o.Rekor1 {
		if err := i.startRekor1(ctx); err != nil {
			return nil, err
		}
	}
	return i, i.parts.Write(dir)
}

// Close ends everything, the last started first.
func (i *Instance) Close() error {
	var errs []error
	for len(i.closer) > 0 {
		last := len(i.closer) - 1
		errs = append(errs, i.closer[last]())
		i.closer = i.closer[:last]
	}
	return errors.Join(errs...)
}

func (i *Instance) path(name string) string { return filepath.Join(i.Dir, name) }

// run starts a program of the instance.
func (i *Instance) run(ctx context.Context, p *Process) (*Process, error) {
	p.program = filepath.Join(i.bin, p.program)
	if p.dir == "" {
		p.dir = i.Dir
	}
	i.closer = append(i.closer, p.Kill)
	return p, p.Start(ctx)
}

// front puts a front before a server.
func (i *Instance) front(at *url.URL) (*stub.Service, error) {
	front, err := stub.Front(at.String())
	if err == nil {
		i.closer = append(i.closer, front.Close)
	}
	return front, err
}

func (i *Instance) startIssuer(claims map[string]any) (err error) {
	if i.Issuer, err = stub.NewIssuer(claims); err != nil {
		return err
	}
	if i.Tokens, err = stub.Serve(i.Issuer); err == nil {
		i.closer = append(i.closer, i.Tokens.Close)
	}
	return err
}

// startFulcio starts Fulcio with a CT log, or without.
func (i *Instance) startFulcio(ctx context.Context, o Options) error {
	web, err := stub.ServeWeb(i.Issuer)
	if err != nil {
		return fmt.Errorf("leading Fulcio to the issuer: %w", err)
	}
	i.closer = append(i.closer, web.Close)
	chain, err := setup.NewChain("fulcio", setup.Authority())
	if err != nil {
		return err
	}
	config, err := setup.FulcioConfig()
	if err != nil {
		return err
	}
	if err := errors.Join(
		setup.WriteCertificates(i.path("web.pem"), web.Certificate),
		setup.WriteCertificates(i.path("fulcio.pem"), chain.Below, chain.Root),
		setup.WriteKey(i.path("fulcio.key"), chain.Key),
		os.WriteFile(i.path("fulcio.yaml"), config, 0o644),
	); err != nil {
		return fmt.Errorf("writing Fulcio's files: %w", err)
	}
	ctLog := ""
	if !o.NoCTLog {
		if ctLog, err = i.startCTLog(); err != nil {
			return fmt.Errorf("starting the CT log: %w", err)
		}
	}
	ports, err := free(3)
	if err != nil {
		return err
	}
	i.Processes.Fulcio, err = i.run(ctx, &Process{
		program: "fulcio", ready: ports[0].JoinPath("healthz").String(), env: web.Env(i.path("web.pem")),
		args: []string{
			"serve", "--host=127.0.0.1", "--port=" + ports[0].Port(), "--grpc-host=127.0.0.1", "--grpc-port=" + ports[1].Port(),
			"--metrics-port=" + ports[2].Port(), "--legacy-unix-domain-socket=@fulcio-" + ports[0].Port(),
			"--ca=fileca", "--fileca-cert=" + i.path("fulcio.pem"), "--fileca-key=" + i.path("fulcio.key"),
			"--fileca-key-passwd=", "--fileca-watch=false", "--ct-log-url=" + ctLog, "--config-path=" + i.path("fulcio.yaml"),
		},
	})
	if err != nil {
		return err
	}
	if i.Fulcio, err = i.front(ports[0]); err != nil {
		return err
	}
	i.parts.Fulcio = i.Fulcio.URL
	i.parts.Authorities = []root.CertificateAuthority{&root.FulcioCertificateAuthority{
		Root: chain.Root, Intermediates: []*x509.Certificate{chain.Below}, ValidityPeriodStart: i.parts.SinceWhen, URI: i.Fulcio.URL,
	}}
	return nil
}

func (i *Instance) startCTLog() (string, error) {
	ctLog, err := stub.NewCTLog()
	if err != nil {
		return "", err
	}
	at, err := stub.Serve(ctLog)
	if err != nil {
		return "", err
	}
	i.closer = append(i.closer, at.Close)
	i.parts.CTLogs = []*root.TransparencyLog{ctLog.Trusted(at.URL, i.parts.SinceWhen)}
	return at.URL, nil
}

// startTSA starts the timestamp authority.
func (i *Instance) startTSA(ctx context.Context) error {
	template, err := setup.Stamper()
	if err != nil {
		return err
	}
	chain, err := setup.NewChain("tsa", template)
	if err != nil {
		return err
	}
	if err := errors.Join(
		setup.WriteCertificates(i.path("tsa.pem"), chain.Below, chain.Root), setup.WriteKey(i.path("tsa.key"), chain.Key),
	); err != nil {
		return fmt.Errorf("writing the timestamp authority's files: %w", err)
	}
	ports, err := free(1)
	if err != nil {
		return err
	}
	i.Processes.TSA, err = i.run(ctx, &Process{
		program: "timestamp-server", ready: ports[0].JoinPath("ping").String(),
		args: []string{
			"serve", "--host=127.0.0.1", "--port=" + ports[0].Port(), "--timestamp-signer=file", "--file-signer-passwd=",
			"--file-signer-key-path=" + i.path("tsa.key"), "--certificate-chain-path=" + i.path("tsa.pem"), "--disable-ntp-monitoring",
		},
	})
	if err != nil {
		return err
	}
	i.parts.Stamping = ports[0].JoinPath("api/v1/timestamp").String()
	i.parts.Stampers = []root.TimestampingAuthority{&root.SigstoreTimestampingAuthority{
		Root: chain.Root, Leaf: chain.Below, ValidityPeriodStart: i.parts.SinceWhen, URI: ports[0].String(),
	}}
	return nil
}

// free are different addresses on loopback where nothing listens.
func free(n int) ([]*url.URL, error) {
	var out []*url.URL
	seen := map[string]bool{}
	for len(out) < n {
		at, err := stub.FreeAddress()
		if err != nil {
			return nil, fmt.Errorf("looking for a free port: %w", err)
		}
		if !seen[at.Host] {
			seen[at.Host] = true
			out = append(out, at)
		}
	}
	return out, nil
}
