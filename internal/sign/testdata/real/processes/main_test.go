package processes_test

import (
	"flag"
	"fmt"
	"net"
	"os"
	"testing"
)

var (
	bin     = flag.String("bin", "", "directory with the servers' programs, see .ci/sigstore")
	cosign2 = flag.String("cosign2", "", "cosign v2")
	cosign3 = flag.String("cosign3", "", "cosign v3")
	product = flag.String("product", "", "pgo-release")
)

// TestMain refuses to run where something is missing: a test that is left out proves
// nothing.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := prepared(); err != nil {
		fmt.Fprintf(os.Stderr, "%v; run .ci/sigstore\n", err)
		os.Exit(1)
	}
	m.Run()
}

func prepared() error {
	for name, path := range map[string]string{"bin": *bin, "cosign2": *cosign2, "cosign3": *cosign3, "product": *product} {
		if _, err := os.Stat(path); err != nil {
			return fmt.Errorf("reading the flag -%s: %w", name, err)
		}
	}
	interfaces, err := net.Interfaces()
	if err != nil {
		return fmt.Errorf("listing the network interfaces: %w", err)
	}
	up := false
	for _, i := range interfaces {
		if i.Flags&net.FlagLoopback == 0 && i.Flags&net.FlagUp != 0 {
			return fmt.Errorf("network interface %q: the servers may be started where there is none but loopback", i.Name)
		}
		up = up || i.Flags&net.FlagLoopback != 0 && i.Flags&net.FlagUp != 0
	}
	if !up {
		return fmt.Errorf("network interface \"lo\": it is down")
	}
	return nil
}
