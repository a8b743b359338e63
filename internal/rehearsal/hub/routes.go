package hub

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// maxJSON bounds the body of a request that is not an upload, in bytes.
const maxJSON = 4 << 20

// reply is what a handler answers: a body that becomes JSON, or none.
type reply struct {
	status int
	header map[string]string
	body   any
}

// object is a JSON object; its fields are named as in GitHub's description of its API.
type object = map[string]any

func ok(body any) reply      { return reply{status: http.StatusOK, body: body} }
func created(body any) reply { return reply{status: http.StatusCreated, body: body} }
func noContent() reply       { return reply{status: http.StatusNoContent} }

const documentation = "https://docs.github.com/rest"

// failure is GitHub's "basic error".
func failure(status int, message string) reply {
	return reply{status: status, body: object{
		"message":           message,
		"documentation_url": documentation,
		"status":            strconv.Itoa(status),
	}}
}

func notFound() reply { return failure(http.StatusNotFound, "Not Found") }

// invalid is GitHub's "validation error" about one field. Code is one of GitHub's:
// missing_field, invalid, already_exists, or custom with a message.
func invalid(resource, field, code, message string) reply {
	problem := object{"resource": resource, "code": code}
	if field != "" {
		problem["field"] = field
	}
	if message != "" {
		problem["message"] = message
	}
	return reply{status: http.StatusUnprocessableEntity, body: object{
		"message":           "Validation Failed",
		"documentation_url": documentation,
		"errors":            []object{problem},
	}}
}

// apiRoutes are the API and the web pages. Only the one repository exists.
func (s *Server) apiRoutes() http.Handler {
	name := s.repo.Repository.String()
	api := "/repos/" + name
	mux := http.NewServeMux()
	mux.Handle("/", s.answer(func(*http.Request) reply { return notFound() }))
	mux.Handle("POST /graphql", s.answer(s.postGraphQL))
	mux.Handle("POST /api/graphql", s.answer(s.postGraphQL)) // where an Enterprise Server has it
	mux.Handle("GET "+api, s.answer(s.contents(s.getRepository)))
	mux.Handle("GET "+api+"/git/ref/tags/{tag...}", s.answer(s.contents(s.getTagRef)))
	mux.Handle("GET "+api+"/git/commits/{sha}", s.answer(s.contents(s.getCommit)))
	mux.Handle("GET "+api+"/git/tags/{sha}", s.answer(s.contents(s.getTagObject)))
	mux.Handle("POST "+api+"/attestations", s.answer(s.attesting(s.createAttestation)))
	mux.Handle("GET "+api+"/attestations/{digest}", s.answer(s.attesting(s.listAttestations)))
	mux.Handle("GET "+api+"/compare/{basehead...}", s.answer(s.contents(s.compare)))
	mux.Handle("GET "+api+"/pulls/{number}", s.answer(s.pulls(s.getPull)))
	mux.Handle("GET "+api+"/commits/{sha}/pulls", s.answer(s.pulls(s.listPullsOf)))
	mux.Handle("GET "+api+"/releases", s.answer(s.contents(s.listReleases)))
	mux.Handle("POST "+api+"/releases", s.answer(s.contents(s.createRelease)))
	mux.Handle(api+"/releases/{rest...}", s.answer(s.contents(s.routeReleases)))
	mux.HandleFunc("GET /"+name+"/releases/tag/{tag...}", s.showRelease)
	mux.HandleFunc("GET /"+name+"/releases/download/{rest...}", s.downloadAsset)
	return mux
}

func (s *Server) uploadRoutes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", s.answer(func(*http.Request) reply { return notFound() }))
	mux.Handle("POST /repos/"+s.repo.Repository.String()+"/releases/{id}/assets", s.answer(s.contents(s.uploadAsset)))
	return mux
}

// routeReleases finds the handler below releases/, where names and numbers stand in
// the same place and tags may hold slashes.
func (s *Server) routeReleases(r *http.Request) reply {
	rest := r.PathValue("rest")
	if tag, found := strings.CutPrefix(rest, "tags/"); found && r.Method == http.MethodGet {
		return s.getReleaseByTag(tag)
	}
	switch r.Method + " " + rest {
	case "GET latest":
		return s.getLatestRelease()
	case "POST generate-notes":
		return s.generateNotes(r)
	}
	number, assets := strings.CutSuffix(rest, "/assets")
	if assets && r.Method == http.MethodGet {
		return s.withRelease(r, number, func(p *page) reply { return s.listAssets(r, p) })
	}
	if number, found := strings.CutPrefix(rest, "assets/"); found {
		switch r.Method {
		case http.MethodGet:
			return s.withAsset(r, number, func(a *asset) reply { return s.getAsset(r, a) })
		case http.MethodPatch:
			return s.updateAsset(r, number)
		case http.MethodDelete:
			return s.withAsset(r, number, s.deleteAsset)
		}
		return notFound()
	}
	switch r.Method {
	case http.MethodGet:
		return s.withRelease(r, rest, func(p *page) reply { return ok(s.releaseJSON(p)) })
	case http.MethodPatch:
		return s.updateRelease(r, rest)
	case http.MethodDelete:
		return s.withRelease(r, rest, s.deleteRelease)
	}
	return notFound()
}

// answer makes a handler of a function: it asks for a token, keeps to the rate limits
// and writes JSON.
func (s *Server) answer(handle func(*http.Request) reply) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out := failure(http.StatusUnauthorized, "Bad credentials")
		if s.authorised(r) {
			refusal := s.throttled(r)
			if refusal == nil {
				var header map[string]string
				header, refusal = s.allowed(r)
				for name, value := range header {
					w.Header().Set(name, value)
				}
			}
			if refusal != nil {
				out = *refusal
			} else {
				out = handle(r)
			}
		}
		if out.status >= 400 {
			drain(r)
		}
		out.write(w)
	})
}

// drain takes the rest of a request: an answer to half of one would cut the connection
// under the client.
func drain(r *http.Request) {
	_, _ = io.CopyN(io.Discard, r.Body, maxAssetSize)
}

func (out reply) write(w http.ResponseWriter) {
	for name, value := range out.header {
		w.Header().Set(name, value)
	}
	if out.body == nil {
		w.WriteHeader(out.status)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(out.status)
	// The connection is all that can fail here, and nobody is left to tell.
	_ = json.NewEncoder(w).Encode(out.body)
}

// decode reads the JSON body of a request; the reply is nil when that worked.
func decode(r *http.Request, into any) *reply {
	text, err := io.ReadAll(io.LimitReader(r.Body, maxJSON+1))
	if err == nil && len(text) > maxJSON {
		err = fmt.Errorf("more than %d bytes", maxJSON)
	}
	if err == nil && len(text) > 0 {
		err = json.Unmarshal(text, into)
	}
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &kind):
		r := invalid("Release", kind.Field, "invalid", "")
		return &r
	case err != nil:
		r := failure(http.StatusBadRequest, "Problems parsing JSON")
		return &r
	}
	return nil
}

// paged cuts the page that the request asks for out of all, and links to the others
// (https://docs.github.com/rest/using-the-rest-api/using-pagination-in-the-rest-api).
func (s *Server) paged(r *http.Request, all []object) reply {
	query := r.URL.Query()
	size, number := 30, 1
	if n, err := strconv.Atoi(query.Get("per_page")); err == nil && n > 0 {
		size = min(n, 100)
	}
	if n, err := strconv.Atoi(query.Get("page")); err == nil && n > 0 {
		number = n
	}
	last := max(1, (len(all)+size-1)/size)
	out := ok([]object{})
	if number <= last {
		out = ok(append([]object{}, all[(number-1)*size:min(number*size, len(all))]...))
	}
	var links []string
	link := func(page int, rel string) {
		query.Set("page", strconv.Itoa(page))
		links = append(links, fmt.Sprintf("<%s%s?%s>; rel=%q", s.URL(), r.URL.Path[1:], query.Encode(), rel))
	}
	if number > 1 {
		link(1, "first")
		link(min(number-1, last), "prev")
	}
	if number < last {
		link(number+1, "next")
		link(last, "last")
	}
	if links != nil {
		out.header = map[string]string{"Link": strings.Join(links, ", ")}
	}
	return out
}
