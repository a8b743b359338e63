package hub

import (
	"crypto/rand"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/org/pgo-release/internal/release"
)

// What GitHub takes (https://docs.github.com/repositories/releasing-projects-on-github/about-releases).
const (
	maxAssets    = 1000
	maxAssetSize = 2 << 30 // bytes; an asset must be smaller
)

// The states of an asset. GitHub's documentation of uploads names the first, its
// description of the API the second.
const (
	stateStarter  = "starter" // announced, its bytes have not all come
	stateUploaded = "uploaded"
)

// asset is a file of a release.
type asset struct {
	id          int64
	release     int64
	name        string
	label       string
	contentType string
	state       string
	size        int64
	content     content
	digest      release.Digest // empty while the state is starter
	object      string         // its name in the store
	createdAt   time.Time
	updatedAt   time.Time
	downloads   int
	late
}

// withAsset runs handle for the asset of that number, which whoever asks may see.
func (s *Server) withAsset(r *http.Request, number string, handle func(*asset) reply) reply {
	id, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return notFound()
	}
	rights := s.rights(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.assets[id]
	if a == nil || !s.releases[a.release].seenBy(rights) {
		return notFound()
	}
	return handle(a)
}

// assetsOf are the assets of a release, oldest first.
func (s *Server) assetsOf(p *page) []*asset {
	var out []*asset
	for _, a := range s.assets {
		if a.release == p.id {
			out = append(out, a)
		}
	}
	slices.SortFunc(out, func(a, b *asset) int { return int(a.id - b.id) })
	return out
}

func (s *Server) listAssets(r *http.Request, p *page) reply {
	var all []object
	for _, a := range s.assetsOf(p) {
		if !a.missed(r) {
			all = append(all, s.assetJSON(p, a))
		}
	}
	return s.paged(r, all)
}

// uploadAsset announces the asset, takes its bytes, and completes it: an upload that
// breaks off leaves an asset in state starter behind, as GitHub's does.
func (s *Server) uploadAsset(r *http.Request) reply {
	if r.ContentLength < 0 {
		return failure(http.StatusBadRequest, "Bad Content-Length: ")
	}
	var begun *asset
	out := s.withRelease(r, r.PathValue("id"), func(p *page) reply {
		a, bad := s.announce(r, p)
		begun = a
		return bad
	})
	if begun == nil {
		return out
	}
	kept, digest, err := s.keep(begun.id, r.Body, r.ContentLength)
	switch {
	case errors.Is(err, errStore):
		return failure(http.StatusInsufficientStorage, err.Error())
	case err != nil:
		return failure(http.StatusBadRequest, "Bad Content-Length: ")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.releases[begun.release]
	if s.assets[begun.id] == nil || p == nil {
		return notFound()
	}
	begun.state, begun.content, begun.digest = stateUploaded, kept, digest
	begun.updatedAt = time.Now().UTC()
	return created(s.assetJSON(p, begun))
}

// announce stores the asset without its bytes, or says why not.
func (s *Server) announce(r *http.Request, p *page) (*asset, reply) {
	query := r.URL.Query()
	name := assetName(query.Get("name"))
	if bad := s.refuseName(p, name); bad != nil {
		return nil, *bad
	}
	switch {
	case p.immutable:
		return nil, failure(http.StatusUnprocessableEntity, "Cannot upload assets to an immutable release.")
	case r.ContentLength == 0:
		return nil, invalid("ReleaseAsset", "size", "custom", "size must be greater than or equal to 1")
	case r.ContentLength >= maxAssetSize:
		return nil, invalid("ReleaseAsset", "size", "custom", "size must be less than 2147483648")
	case len(s.assetsOf(p)) >= maxAssets:
		return nil, invalid("ReleaseAsset", "", "custom", "file_count limited to 1000 assets per release")
	}
	s.lastID++
	now := time.Now().UTC()
	a := &asset{
		id: s.lastID, release: p.id, name: name, label: query.Get("label"), state: stateStarter,
		contentType: r.Header.Get("Content-Type"), size: r.ContentLength, object: rand.Text(),
		createdAt: now, updatedAt: now, late: newLate(s.lag),
	}
	if a.contentType == "" {
		a.contentType = "application/octet-stream"
	}
	s.assets[a.id] = a
	return a, reply{}
}

func (s *Server) refuseName(p *page, name string) *reply {
	var bad reply
	switch {
	case name == "":
		bad = invalid("ReleaseAsset", "name", "missing_field", "")
	case slices.ContainsFunc(s.assetsOf(p), func(a *asset) bool { return a.name == name }):
		bad = invalid("ReleaseAsset", "name", "already_exists", "")
	default:
		return nil
	}
	return &bad
}

var special = regexp.MustCompile(`[^A-Za-z0-9_+@-]+`)

// assetName is what GitHub makes of a name: runs of special characters become a dot,
// and it begins and ends with none.
func assetName(name string) string {
	name = strings.TrimRight(special.ReplaceAllString(name, "."), ".")
	if strings.HasPrefix(name, ".") {
		name = "default" + name
	}
	return name
}

// getAsset answers with the description, or sends whoever wants bytes to the store.
func (s *Server) getAsset(r *http.Request, a *asset) reply {
	if r.Header.Get("Accept") != "application/octet-stream" {
		return ok(s.assetJSON(s.releases[a.release], a))
	}
	if a.state != stateUploaded {
		return notFound()
	}
	a.downloads++
	return reply{status: http.StatusFound, header: map[string]string{"Location": s.objects.url() + a.object}}
}

func (s *Server) updateAsset(r *http.Request, number string) reply {
	var in struct {
		Name  *string `json:"name"`
		Label *string `json:"label"`
	}
	if bad := decode(r, &in); bad != nil {
		return *bad
	}
	return s.withAsset(r, number, func(a *asset) reply { return s.rename(a, in.Name, in.Label) })
}

func (s *Server) rename(a *asset, to, label *string) reply {
	p := s.releases[a.release]
	if p.immutable {
		return failure(http.StatusUnprocessableEntity, "Cannot change assets of an immutable release.")
	}
	if to != nil && assetName(*to) != a.name {
		name := assetName(*to)
		if bad := s.refuseName(p, name); bad != nil {
			return *bad
		}
		a.name = name
	}
	set(&a.label, label)
	a.updatedAt = time.Now().UTC()
	return ok(s.assetJSON(p, a))
}

func (s *Server) deleteAsset(a *asset) reply {
	if s.releases[a.release].immutable {
		return failure(http.StatusUnprocessableEntity, "Cannot delete asset from an immutable release.")
	}
	delete(s.assets, a.id)
	return noContent()
}
