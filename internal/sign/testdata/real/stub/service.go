package stub

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/org/pgo-release/internal/rehearsal/sigstore"
)

// Service is a listener on loopback that counts what it is asked.
type Service struct {
	URL string // without a final slash

	listener net.Listener
	server   *http.Server
	healthy  http.Handler
	handler  atomic.Pointer[http.Handler]
	calls    atomic.Int64
}

// Serve starts a handler on a free port; Close ends it.
func Serve(healthy http.Handler) (*Service, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Service{URL: "http://" + listener.Addr().String(), listener: listener, healthy: healthy}
	s.Inject(nil)
	s.server = &http.Server{
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          log.New(io.Discard, "", 0), // what goes wrong here is seen by the client
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.calls.Add(1)
			(*s.handler.Load()).ServeHTTP(w, r)
		}),
	}
	go func() { _ = s.server.Serve(listener) }() // ends with Close, which reports
	return s, nil
}

// Front starts a service that passes everything on to another server. Where that one
// does not answer, neither does the front.
func Front(at string) (*Service, error) {
	to, err := url.Parse(at)
	if err != nil {
		return nil, fmt.Errorf("parsing the address %q: %w", at, err)
	}
	proxy := httputil.NewSingleHostReverseProxy(to)
	proxy.ErrorLog = log.New(io.Discard, "", 0)
	proxy.ErrorHandler = func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }
	return Serve(proxy)
}

// Inject puts a fault before the service, from its next request on; nil takes it away.
func (s *Service) Inject(fault sigstore.Fault) {
	h := s.healthy
	if fault != nil {
		h = fault(h)
	}
	s.handler.Store(&h)
}

// Calls is the number of requests so far, failed ones included.
func (s *Service) Calls() int64 { return s.calls.Load() }

// Close cuts all connections and frees the port.
func (s *Service) Close() error {
	// The server closes the listener once it serves, which may be later than now.
	_ = s.listener.Close()
	if err := s.server.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("closing the service at %q: %w", s.URL, err)
	}
	return nil
}

// reply answers in JSON.
func reply(w http.ResponseWriter, status int, text []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(text) // the client has gone; nobody is left to tell
}
