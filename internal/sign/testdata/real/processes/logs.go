package processes

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"net/url"
	"os"
	"strconv"

	"github.com/sigstore/rekor-tiles/v2/pkg/note"
	"github.com/sigstore/sigstore-go/pkg/root"

	"github.com/org/pgo-release/internal/sign/testdata/real/setup"
)

// startRekor2 starts a Rekor v2 that keeps its tiles in files. A checkpoint a second is
// what the public instance makes, and what an entry waits for.
func (i *Instance) startRekor2(ctx context.Context, n int) error {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return fmt.Errorf("making the key of a log: %w", err)
	}
	name := "rekor2-" + strconv.Itoa(n)
	origin := name + ".test"
	_, id, err := note.KeyHash(origin, public)
	if err != nil {
		return fmt.Errorf("naming the key of log %q: %w", origin, err)
	}
	if err := setup.WriteKey(i.path(name+".key"), private); err != nil {
		return fmt.Errorf("writing the key of log %q: %w", origin, err)
	}
	ports, err := free(3)
	if err != nil {
		return err
	}
	dir := i.path(name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	process, err := i.run(ctx, &Process{
		program: "rekor-server-posix", dir: dir, ready: ports[0].JoinPath("healthz").String(),
		args: []string{
			"serve", "--http-address=127.0.0.1", "--http-port=" + ports[0].Port(), "--grpc-address=127.0.0.1", "--grpc-port=" + ports[1].Port(),
			"--http-metrics-port=" + ports[2].Port(), "--hostname=" + origin, "--storage-dir=" + i.path(name+"-tiles"),
			"--signer-filepath=" + i.path(name+".key"), "--checkpoint-interval=1s", "--persistent-antispam",
		},
	})
	if err != nil {
		return err
	}
	return i.addLog(process, ports[0], 2, &root.TransparencyLog{
		BaseURL: "https://" + origin, ID: id, ValidityPeriodStart: i.parts.SinceWhen,
		HashFunc: crypto.SHA256, PublicKey: public, SignatureHashFunc: crypto.SHA512,
	})
}

// startRekor1 starts a Rekor v1 with its Trillian.
func (i *Instance) startRekor1(ctx context.Context) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("making the key of a log: %w", err)
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return fmt.Errorf("encoding the key of a log: %w", err)
	}
	if err := setup.WriteKey(i.path("rekor1.key"), key); err != nil {
		return fmt.Errorf("writing the key of a log: %w", err)
	}
	ports, err := free(2)
	if err != nil {
		return err
	}
	if _, err := i.run(ctx, &Process{
		program: "trillian", ready: i.path("tree"), args: []string{"-address=" + ports[1].Host, "-tree-file=" + i.path("tree")},
	}); err != nil {
		return err
	}
	tree, err := os.ReadFile(i.path("tree"))
	if err != nil {
		return fmt.Errorf("reading the number of the tree: %w", err)
	}
	process, err := i.run(ctx, &Process{
		program: "rekor-server", ready: ports[0].JoinPath("api/v1/log").String(),
		args: []string{
			"serve", "--rekor_server.address=127.0.0.1", "--port=" + ports[0].Port(), "--rekor_server.hostname=rekor1.test",
			"--rekor_server.signer=" + i.path("rekor1.key"), "--enable_retrieve_api=false",
			"--trillian_log_server.address=127.0.0.1", "--trillian_log_server.port=" + ports[1].Port(), "--trillian_log_server.tlog_id=" + string(tree),
		},
	})
	if err != nil {
		return err
	}
	id := sha256.Sum256(der)
	return i.addLog(process, ports[0], 1, &root.TransparencyLog{
		BaseURL: "https://rekor1.test", ID: id[:], ValidityPeriodStart: i.parts.SinceWhen,
		HashFunc: crypto.SHA256, PublicKey: key.Public(), SignatureHashFunc: crypto.SHA256,
	})
}

// addLog makes a log known, by its front.
func (i *Instance) addLog(process *Process, at *url.URL, version uint32, trusted *root.TransparencyLog) error {
	front, err := i.front(at)
	if err != nil {
		return err
	}
	i.Processes.Logs, i.Logs = append(i.Processes.Logs, process), append(i.Logs, front)
	i.parts.Logs = append(i.parts.Logs, trusted)
	// Each is another operator's: of one operator's, only one is ever chosen.
	operator := "operator " + strconv.Itoa(len(i.Logs))
	i.parts.LogsAt = append(i.parts.LogsAt, setup.LogService(front.URL, version, operator, i.parts.SinceWhen))
	return nil
}
