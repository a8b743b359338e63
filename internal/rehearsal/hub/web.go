package hub

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// visible tells whether whoever asks may see the web pages of the repository.
func (s *Server) visible(r *http.Request) bool {
	return !s.repo.Private || s.rights(r).Contents >= Read
}

// showRelease is the page of a published release, as plain text.
func (s *Server) showRelease(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	p := s.published(r.PathValue("tag"))
	var text strings.Builder
	if p != nil {
		fmt.Fprintf(&text, "%s %s\n\n%s\n\n", s.repo.Repository, p.tag, p.body)
		for _, a := range s.assetsOf(p) {
			fmt.Fprintf(&text, "%s  %d  %s\n", a.name, a.size, s.downloadURL(p, a))
		}
	}
	s.mu.Unlock()
	if p == nil || !s.visible(r) {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte(text.String()))
}

// downloadAsset is a link of a published release: releases/download/TAG/NAME. Tags may
// hold slashes, names of assets do not.
func (s *Server) downloadAsset(w http.ResponseWriter, r *http.Request) {
	rest := r.PathValue("rest")
	cut := strings.LastIndex(rest, "/")
	var object string
	if cut > 0 && s.visible(r) {
		s.mu.Lock()
		if p := s.published(rest[:cut]); p != nil {
			for _, a := range s.assetsOf(p) {
				if a.name == rest[cut+1:] && a.state == stateUploaded {
					a.downloads++
					object = a.object
				}
			}
		}
		s.mu.Unlock()
	}
	if object == "" {
		http.NotFound(w, r)
		return
	}
	http.Redirect(w, r, s.objects.url()+object, http.StatusFound)
}

// objectRoutes are the store: whoever knows the name of an object may read it.
func (s *Server) objectRoutes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{object}", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			// The real stores answer so too: the name is the authorisation.
			http.Error(w, "Only one auth mechanism allowed", http.StatusBadRequest)
			return
		}
		var found *content
		s.mu.Lock()
		for _, a := range s.assets {
			if a.object == r.PathValue("object") && a.state == stateUploaded {
				found = &a.content
			}
		}
		s.mu.Unlock()
		if found == nil {
			http.NotFound(w, r)
			return
		}
		file, err := found.open()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		defer file.Close() //nolint:errcheck // only read
		w.Header().Set("Content-Type", "application/octet-stream")
		http.ServeContent(w, r, "", time.Time{}, file)
	})
	return mux
}
