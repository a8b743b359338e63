// Command trillian is Trillian's log server and sequencer in one process over its storage
// in memory, so that a Rekor v1 runs without a database. It makes one tree and writes the
// tree's number into a file, by which a caller also knows that it is ready.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/google/trillian"
	"github.com/google/trillian/extension"
	tlog "github.com/google/trillian/log"
	"github.com/google/trillian/monitoring"
	"github.com/google/trillian/quota"
	"github.com/google/trillian/server"
	"github.com/google/trillian/server/admin"
	"github.com/google/trillian/server/interceptor"
	"github.com/google/trillian/storage"
	_ "github.com/google/trillian/storage/memory" // registers the provider
	"github.com/google/trillian/util/clock"
	"github.com/google/trillian/util/election2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/durationpb"
)

func main() {
	address := flag.String("address", "127.0.0.1:8090", "where to listen")
	treeFile := flag.String("tree-file", "tree", "file to write the number of the tree into")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, *address, *treeFile); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		fmt.Fprintln(os.Stderr, "trillian:", err)
		os.Exit(1)
	}
}

// serve runs the log until the context ends.
func serve(ctx context.Context, address, treeFile string) error {
	provider, err := storage.NewProvider("memory", monitoring.InertMetricFactory{})
	if err != nil {
		return fmt.Errorf("making the storage: %w", err)
	}
	registry := extension.Registry{
		AdminStorage: provider.AdminStorage(), LogStorage: provider.LogStorage(), QuotaManager: quota.Noop(),
		ElectionFactory: election2.NoopFactory{}, MetricFactory: monitoring.InertMetricFactory{},
	}
	services := grpc.NewServer(grpc.UnaryInterceptor(interceptor.ErrorWrapper))
	trillian.RegisterTrillianAdminServer(services, admin.New(registry, nil))
	trillian.RegisterTrillianLogServer(services, newUnique(server.NewTrillianLogRPCServer(registry, clock.System)))
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, services.Stop)()
	ended := make(chan error, 1)
	go func() { ended <- services.Serve(listener) }()
	go tlog.NewOperationManager(tlog.OperationInfo{
		Registry: registry, BatchSize: 1000, NumWorkers: 1, RunInterval: 20 * time.Millisecond, TimeSource: clock.System,
	}, tlog.NewSequencerManager(registry, 0)).OperationLoop(ctx)
	if err := plant(ctx, address, treeFile); err != nil {
		return fmt.Errorf("making the tree: %w", err)
	}
	return <-ended
}

// plant makes the tree, through the server's own interface.
func plant(ctx context.Context, address, treeFile string) error {
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer connection.Close()
	tree, err := trillian.NewTrillianAdminClient(connection).CreateTree(ctx, &trillian.CreateTreeRequest{Tree: &trillian.Tree{
		TreeState: trillian.TreeState_ACTIVE, TreeType: trillian.TreeType_LOG, MaxRootDuration: durationpb.New(time.Hour),
	}})
	if err != nil {
		return err
	}
	if _, err := trillian.NewTrillianLogClient(connection).InitLog(ctx, &trillian.InitLogRequest{LogId: tree.TreeId}); err != nil {
		return err
	}
	// Whole or not at all: its appearance is the sign that it may be read.
	part := treeFile + ".part"
	if err := os.WriteFile(part, []byte(strconv.FormatInt(tree.TreeId, 10)), 0o644); err != nil {
		return err
	}
	return os.Rename(part, treeFile)
}
