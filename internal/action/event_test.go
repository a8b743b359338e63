package action_test

import (
	"os"
	"path/filepath"
	"testing"
)

// What an event deleted is named, and nothing else is taken for a deletion.
func TestDeleted(t *testing.T) {
	for name, c := range map[string]struct{ event, payload, tag, want string }{
		"tag that was pushed":     {"push", `{"ref":"refs/tags/v1.2.3","deleted":false}`, "", ""},
		"tag that was deleted":    {"push", `{"ref":"refs/tags/v1.2.3","deleted":true}`, "v1.2.3", `"refs/tags/v1.2.3"`},
		"branch":                  {"push", `{"ref":"refs/heads/x","deleted":true}`, "", `"refs/heads/x"`},
		"delete":                  {"delete", `{"ref":"v1.2.3","ref_type":"tag"}`, "v1.2.3", `the tag "v1.2.3"`},
		"delete, without a kind":  {"delete", `{}`, "", `the ref ""`},
		"create":                  {"create", `{"ref":"v1.2.3","ref_type":"tag","deleted":true}`, "", ""},
		"release":                 {"release", `{"action":"published","release":{"tag_name":"v1.2.3"}}`, "", ""},
		"release that is gone":    {"release", `{"action":"deleted","release":{"tag_name":"v1.2.3"}}`, "v1.2.3", `the release "v1.2.3"`},
		"release that was hidden": {"release", `{"action":"unpublished","release":{"tag_name":"v1.2.3"}}`, "v1.2.3", `the release "v1.2.3"`},
		"label of a pull request": {"pull_request", `{"action":"deleted"}`, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := runner(t, map[string]string{"GITHUB_EVENT_NAME": c.event, "GITHUB_EVENT_PATH": payload(t, c.payload)})
			if tag, got, err := r.Deleted(); err != nil || got != c.want || tag != c.tag {
				t.Errorf("%q: %q, %v, want %q: %q", tag, got, err, c.tag, c.want)
			}
		})
	}
	r := runner(t, map[string]string{"GITHUB_EVENT_NAME": "push", "GITHUB_EVENT_PATH": payload(t, `{"deleted":`)})
	if _, got, err := r.Deleted(); err == nil {
		t.Errorf("a broken event: %q", got)
	}
}

func TestForked(t *testing.T) {
	for text, want := range map[string]bool{
		`{"pull_request":{"head":{"repo":{"full_name":"mallory/hello"}}}}`: true,
		`{"pull_request":{"head":{"repo":{"full_name":"Octo/Hello"}}}}`:    false,
		`{"pull_request":{"head":{"repo":null}}}`:                          false,
		`{}`: false,
		`{`:  false,
	} {
		env := map[string]string{"GITHUB_EVENT_NAME": "pull_request", "GITHUB_REPOSITORY": "octo/hello", "GITHUB_EVENT_PATH": payload(t, text)}
		if got := runner(t, env).Forked(); got != want {
			t.Errorf("%s: %t", text, got)
		}
		env["GITHUB_EVENT_NAME"] = "pull_request_target"
		if runner(t, env).Forked() {
			t.Errorf("%s: it has the rights of the repository", text)
		}
	}
}

// payload is a file that holds an event.
func payload(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "event.json")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
