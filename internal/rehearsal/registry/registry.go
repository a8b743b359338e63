// Package registry is the OCI registry that the binary carries on loopback: olareg
// in memory, behind the address of any registry that a plan names. It is the only
// room that imports olareg.
package registry

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/olareg/olareg"
	"github.com/olareg/olareg/config"
)

// Server is a running registry. It speaks the OCI distribution specification 1.1
// over plain HTTP, takes every push, and forgets everything when it is closed.
type Server struct {
	address string
	store   *olareg.Server
	server  *http.Server
}

// Start brings a registry up; Close ends it.
func Start() (*Server, error) {
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("starting the registry: %w", err)
	}
	store := olareg.New(config.Config{
		Storage: config.ConfigStorage{StoreType: config.StoreMem, GC: config.ConfigGC{Frequency: -1}},
	})
	s := &Server{
		address: listener.Addr().String(), store: store,
		server: &http.Server{Handler: store, ReadHeaderTimeout: 10 * time.Second},
	}
	go func() { _ = s.server.Serve(listener) }()
	return s, nil
}

// Address is where the registry listens: host and port.
func (s *Server) Address() string { return s.address }

// Transport sends every request to this registry, whichever host it names: so that
// a rehearsal pushes to the very references that the release will have.
func (s *Server) Transport() http.RoundTripper {
	return redirect{to: s.address, next: http.DefaultTransport}
}

// Close ends the registry; connections are cut.
func (s *Server) Close() error {
	err := s.server.Close()
	if closing := s.store.Close(); err == nil {
		err = closing
	}
	return err
}

type redirect struct {
	to   string
	next http.RoundTripper
}

func (r redirect) RoundTrip(request *http.Request) (*http.Response, error) {
	redirected := request.Clone(request.Context())
	redirected.URL.Scheme, redirected.URL.Host = "http", r.to
	response, err := r.next.RoundTrip(redirected)
	if response != nil {
		response.Request = request // clients take the registry's address from it
	}
	return response, err
}
