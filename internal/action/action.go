// Package action is GitHub Actions as a job sees it: what the runner says in its
// environment, and what it is told in files and commands
// (https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands).
// It is the only room that imports go-githubactions.
package action

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/sethvargo/go-githubactions"
)

// Runner is the runner of the job that this process is part of.
type Runner struct {
	getenv   func(string) string
	commands *githubactions.Action
}

// Detect tells whether this process runs in GitHub Actions. Commands to the runner,
// such as masks, are written to out.
func Detect(getenv func(string) string, out io.Writer) (*Runner, bool) {
	if getenv("GITHUB_ACTIONS") != "true" {
		return nil, false
	}
	return &Runner{getenv: getenv, commands: githubactions.New(
		githubactions.WithGetenv(getenv), githubactions.WithWriter(lasting{out}),
	)}, true
}

// lasting is a writer that never fails: the library panics when a command cannot be
// written, and a stream that is gone shows no secret either.
type lasting struct{ w io.Writer }

func (l lasting) Write(p []byte) (int, error) {
	_, _ = l.w.Write(p)
	return len(p), nil
}

// Tag is the tag that started the run; empty when a branch or a pull request did.
func (r *Runner) Tag() string {
	tag, ok := strings.CutPrefix(r.getenv("GITHUB_REF"), "refs/tags/")
	if !ok {
		return ""
	}
	return tag
}

// maxEvent bounds the event's file, in bytes.
const maxEvent = 32 << 20

// event is what is read of the webhook event that started the run
// (https://docs.github.com/en/webhooks/webhook-events-and-payloads).
type event struct {
	Inputs     map[string]any `json:"inputs"` // of workflow_dispatch; null without any
	Deployment struct {
		Environment string `json:"environment"`
	} `json:"deployment"`
	Ref     string `json:"ref"`      // of push and delete
	RefType string `json:"ref_type"` // of delete
	Deleted bool   `json:"deleted"`  // of push
	Action  string `json:"action"`   // of release
	Release struct {
		Tag string `json:"tag_name"`
	} `json:"release"`
	PullRequest struct {
		Head struct {
			Repository struct {
				Name string `json:"full_name"`
			} `json:"repo"` // null where it was deleted
		} `json:"head"`
	} `json:"pull_request"`
}

// event reads the event; there is none where the environment names no file.
func (r *Runner) event() (e event, err error) {
	path := r.getenv("GITHUB_EVENT_PATH")
	if path == "" {
		return event{}, nil
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return event{}, fmt.Errorf("reading the event: %w", err)
	case !info.Mode().IsRegular() || info.Size() > maxEvent:
		return event{}, fmt.Errorf("reading the event %q: want a file of at most %d bytes", path, maxEvent)
	}
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &e)
	}
	if err != nil {
		return event{}, fmt.Errorf("reading the event %q: %w", path, err)
	}
	return e, nil
}

// Inputs are the inputs of a workflow that was dispatched, as text, by their names in
// lower case; none for any other event. Nobody must guess what could not be read: where
// to release may hang on it.
func (r *Runner) Inputs() (map[string]string, error) {
	if r.getenv("GITHUB_EVENT_NAME") != "workflow_dispatch" {
		return nil, nil
	}
	e, err := r.event()
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for name, value := range e.Inputs {
		text, ok := value.(string)
		if !ok {
			text = fmt.Sprint(value)
		}
		out[strings.ToLower(name)] = strings.TrimSpace(text)
	}
	return out, nil
}

// Environment is the environment of GitHub that the event deploys to; empty where the
// event is no deployment.
func (r *Runner) Environment() string {
	e, _ := r.event()
	return e.Deployment.Environment
}

// Deleted is what the event deleted: the tag, empty for another ref, and what it is in
// words, empty where it deleted nothing. Nobody must guess what could not be read: the run is
// for another commit then.
func (r *Runner) Deleted() (tag, what string, err error) {
	name := r.getenv("GITHUB_EVENT_NAME")
	if name != "push" && name != "delete" && name != "release" {
		return "", "", nil
	}
	e, err := r.event()
	switch {
	case err != nil:
		return "", "", err
	case name == "push" && e.Deleted:
		if after, ok := strings.CutPrefix(e.Ref, "refs/tags/"); ok {
			tag = after
		}
		return tag, fmt.Sprintf("%q", e.Ref), nil
	case name == "delete":
		if e.RefType == "tag" {
			tag = e.Ref
		}
		return tag, fmt.Sprintf("the %s %q", cmp.Or(e.RefType, "ref"), e.Ref), nil
	case name == "release" && (e.Action == "deleted" || e.Action == "unpublished"):
		return e.Release.Tag, fmt.Sprintf("the release %q", e.Release.Tag), nil
	}
	return "", "", nil
}

// Forked tells whether the event is about a pull request from another repository, whose
// runs get few rights.
func (r *Runner) Forked() bool {
	e, _ := r.event()
	head := e.PullRequest.Head.Repository.Name
	name := r.getenv("GITHUB_EVENT_NAME") // others about pull requests have the rights of the repository
	return (name == "pull_request" || strings.HasPrefix(name, "pull_request_review")) && head != "" && !strings.EqualFold(head, r.getenv("GITHUB_REPOSITORY"))
}

// server is where the repository's pages are: https://github.com but on GitHub
// Enterprise Server.
func (r *Runner) server() string {
	if url := r.getenv("GITHUB_SERVER_URL"); url != "" {
		return strings.TrimSuffix(url, "/")
	}
	return "https://github.com"
}

// InvocationID is the URI of this run and attempt.
func (r *Runner) InvocationID() string {
	return fmt.Sprintf("%s/%s/actions/runs/%s/attempts/%s", r.server(),
		r.getenv("GITHUB_REPOSITORY"), r.getenv("GITHUB_RUN_ID"), r.getenv("GITHUB_RUN_ATTEMPT"))
}

// Mask makes the runner replace a secret in the log with asterisks.
func (r *Runner) Mask(secret string) {
	if secret != "" {
		r.commands.AddMask(secret)
	}
}

// Outputs sets the outputs of the step, in the order of their names. The delimiter is
// random, so that no value can end itself and begin another output.
func (r *Runner) Outputs(values map[string]string) error {
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(values)) {
		delimiter := "pgo-release-" + rand.Text()
		fmt.Fprintf(&text, "%s<<%s\n%s\n%s\n", name, delimiter, values[name], delimiter)
	}
	return r.appendTo("GITHUB_OUTPUT", text.String())
}

// maxSummary is how long the file of a step's summary may get, in bytes; the runner
// shows nothing of a longer one.
const maxSummary = 1 << 20

// Summary adds Markdown to the job's summary. What is too long for the runner, with
// what the file holds already, is cut at a line.
func (r *Runner) Summary(markdown string) error {
	const variable = "GITHUB_STEP_SUMMARY"
	room := maxSummary
	if info, err := os.Stat(r.getenv(variable)); err == nil {
		room -= int(min(info.Size(), maxSummary))
	}
	return r.appendTo(variable, shorten(markdown, room))
}

// cutNotice stands where a summary was cut.
const cutNotice = "\n\n(cut: the summary was longer than GitHub shows)\n"

// shorten cuts a text to fewer bytes than limit, at a line where there is one; it is
// empty where not even the notice has room.
func shorten(text string, limit int) string {
	if len(text) < limit {
		return text
	}
	room := limit - len(cutNotice) - 1
	if room < 0 {
		return ""
	}
	text = text[:room]
	if at := strings.LastIndexByte(text, '\n'); at > 0 {
		text = text[:at]
	}
	return strings.ToValidUTF8(text, "") + cutNotice
}

// appendTo adds text to the file that the runner named in a variable. Where it named
// none, there is nobody to tell.
func (r *Runner) appendTo(variable, text string) error {
	path := r.getenv(variable)
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("writing to %s: %w", variable, err)
	}
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("writing to %s: %w", variable, err)
	}
	return nil
}
