// Package registry is the OCI registry that the binary carries on loopback: olareg
// in memory, behind the address of any registry that a plan names. It is the only
// room that imports olareg.
package registry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/olareg/olareg"
	"github.com/olareg/olareg/config"
)

// Server is a running registry. It speaks the OCI distribution specification 1.1
// over plain HTTP, takes every push unless it is told otherwise, and forgets everything
// when it is closed. It takes referrers in either of the two ways of the specification.
type Server struct {
	address string
	server  *http.Server
	serving sync.WaitGroup
	handler http.Handler // what faults come before
	access  *access      // nil: everybody may do everything

	requests sync.RWMutex // held for reading by each of them, so that the store outlives them
	store    *olareg.Server
	closed   bool

	watching sync.Mutex // guards what follows; apart, because faults run handlers
	fault    func(http.Handler) http.Handler
	calls    []Call
	refusing bool             // pushes
	partial  map[string]int64 // bytes by the path of an upload that is not complete
	received []Upload
}

// Start brings a registry up; Close ends it.
func Start() (*Server, error) { return start(true, nil) }

// StartWithoutReferrers brings up a registry that has no referrers API, as ghcr.io has
// none: clients keep the list of what refers to an image under a tag.
func StartWithoutReferrers() (*Server, error) { return start(false, nil) }

func start(referrers bool, rules *access) (*Server, error) {
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("starting the registry: %w", err)
	}
	store := olareg.New(config.Config{
		Storage: config.ConfigStorage{StoreType: config.StoreMem, GC: config.ConfigGC{Frequency: -1}},
		API:     config.ConfigAPI{Referrer: config.ConfigAPIReferrer{Enabled: &referrers}},
	})
	s := &Server{address: listener.Addr().String(), store: store, access: rules, partial: map[string]int64{}}
	s.handler = s.count(http.HandlerFunc(s.serve))
	if rules != nil {
		s.handler = limited(s.handler)
	}
	s.handler = s.refuse(s.handler)
	if rules != nil { // outermost: who has no token learns nothing else
		s.handler = rules.admit(s.handler)
	}
	s.server = &http.Server{
		Handler: http.HandlerFunc(s.watch), ReadHeaderTimeout: 10 * time.Second,
		ErrorLog: log.New(io.Discard, "", 0), // what goes wrong in a request is the client's to report
	}
	s.serving.Go(func() {
		_ = s.server.Serve(listener)
		_ = listener.Close() // a server that is closed before it served leaves it open
	})
	return s, nil
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	s.requests.RLock()
	defer s.requests.RUnlock()
	if !s.closed {
		s.store.ServeHTTP(w, r)
	}
}

// Address is where the registry listens: host and port.
func (s *Server) Address() string { return s.address }

// Transport sends every request to this registry, whichever host it names: so that
// a rehearsal pushes to the very references that the release will have.
func (s *Server) Transport() http.RoundTripper {
	return redirect{to: s.address, next: http.DefaultTransport}
}

// Close ends the registry; connections are cut. Closing again does nothing.
func (s *Server) Close() error {
	err := s.server.Close()
	s.serving.Wait()
	s.requests.Lock()
	defer s.requests.Unlock()
	if !s.closed {
		s.closed = true
		err = errors.Join(err, s.store.Close())
	}
	return err
}

// schemeHeader is how proxies say which scheme a client used.
const schemeHeader = "X-Forwarded-Proto"

type redirect struct {
	to   string
	next http.RoundTripper
}

func (r redirect) RoundTrip(request *http.Request) (*http.Response, error) {
	redirected := request.Clone(request.Context())
	// Which address the client named decides where it is sent for a token; clients
	// follow no challenge that leads elsewhere, or from https to http.
	redirected.Host = cmp.Or(request.Host, request.URL.Host)
	redirected.Header.Set(schemeHeader, request.URL.Scheme)
	redirected.URL.Scheme, redirected.URL.Host = "http", r.to
	response, err := r.next.RoundTrip(redirected)
	if response != nil {
		response.Request = request // clients take the registry's address from it
	}
	return response, err
}
