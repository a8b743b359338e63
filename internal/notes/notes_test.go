package notes_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/org/pgo-release/internal/history"
	"github.com/org/pgo-release/internal/notes"
	"github.com/org/pgo-release/internal/plan"
)

func sha(n int) string { return fmt.Sprintf("%040x", n) }

func day(n int) time.Time { return time.Date(2026, 3, n, 0, 0, 0, 0, time.UTC) }

// line is a history in which each commit has the one before it as parent, newest first.
func line(subjects ...string) []history.Commit {
	var out []history.Commit
	for i, s := range subjects {
		c := history.Commit{SHA: sha(i + 1), Subject: s, Author: "A", Time: day(i + 1)}
		if i > 0 {
			c.Parents = []string{sha(i)}
		}
		out = append([]history.Commit{c}, out...)
	}
	return out
}

func pull(number, merge int, title string, labels ...string) history.PullRequest {
	return history.PullRequest{
		Number: number, Title: title, URL: fmt.Sprintf("https://github.com/o/r/pull/%d", number),
		Author: "octocat", Labels: labels, MergeCommit: sha(merge), Base: "o/r", MergedAt: day(merge),
	}
}

var repository = plan.Repository{Owner: "o", Name: "r"}

// write is the notes without their footer.
func write(t *testing.T, in notes.Input) string {
	t.Helper()
	in.Tag, in.Previous, in.Repository = "v1.1.0", "v1.0.0", repository
	text, ok := strings.CutSuffix(notes.New(in).Markdown(), "\n**Full changelog**: https://github.com/o/r/compare/v1.0.0...v1.1.0\n")
	if !ok {
		t.Fatalf("no footer in\n%s", text)
	}
	return text
}

func TestHistories(t *testing.T) {
	for name, c := range map[string]struct {
		in   notes.Input
		want string
	}{
		"nothing": {notes.Input{}, "No changes.\n"},
		"sections and their order": {notes.Input{
			Commits: line("a (#1)", "b (#2)", "c (#3)", "d (#4)", "e (#5)", "f (#6)"),
			PullRequests: []history.PullRequest{
				pull(6, 6, "Bump x", "dependencies"), pull(5, 5, "fix(api)!: drop field"), pull(4, 4, "docs: say more"),
				pull(3, 3, "feat(cli): add flag"), pull(2, 2, "prefix: not a type"), pull(1, 1, "Mend it", "bug"),
			},
		}, `### Breaking changes

- **api:** drop field ([#5](https://github.com/o/r/pull/5)) by @octocat

### Features

- **cli:** add flag ([#3](https://github.com/o/r/pull/3)) by @octocat

### Fixes

- Mend it ([#1](https://github.com/o/r/pull/1)) by @octocat

### Documentation

- say more ([#4](https://github.com/o/r/pull/4)) by @octocat

### Other

- prefix: not a type ([#2](https://github.com/o/r/pull/2)) by @octocat

### Dependencies

- Bump x ([#6](https://github.com/o/r/pull/6)) by @octocat
`},
		"commits only": {notes.Input{Commits: line("feat: one", "two")}, `### Features

- one ([0000000](https://github.com/o/r/commit/0000000000000000000000000000000000000001))

### Other

- two ([0000000](https://github.com/o/r/commit/0000000000000000000000000000000000000002))
`},
		"a rebase merge is one entry": {notes.Input{
			Commits: line("one", "two", "three"), PullRequests: []history.PullRequest{pull(20, 3, "All three"), pull(20, 3, "All three")},
			Of: map[string][]int{sha(1): {20}, sha(2): {20}, sha(3): {20}},
		}, "### Other\n\n- All three ([#20](https://github.com/o/r/pull/20)) by @octocat\n"},
		"a merge commit and its branch": {notes.Input{
			Commits: []history.Commit{
				{SHA: sha(9), Parents: []string{sha(1), sha(2)}, Subject: "Merge pull request #7 from o/branch", Time: day(9)},
				{SHA: sha(2), Parents: []string{sha(1)}, Subject: "on the branch", Time: day(2)},
			},
			PullRequests: []history.PullRequest{pull(7, 9, "The branch")},
		}, "### Other\n\n- The branch ([#7](https://github.com/o/r/pull/7)) by @octocat\n"},
		"a fork's upstream number": {notes.Input{
			Commits:      line("sync (#7)"),
			PullRequests: []history.PullRequest{pull(7, 99, "Unrelated")},
			Of:           map[string][]int{sha(1): {7}},
		}, "### Other\n\n- sync \\(#&#8203;7\\) ([0000000](https://github.com/o/r/commit/0000000000000000000000000000000000000001))\n"},
		"left out": {notes.Input{
			Commits: line("a (#1)", "b (#2)", "c (#3)"),
			PullRequests: []history.PullRequest{
				pull(1, 1, "one", "Skip-Changelog"), pull(2, 2, "two", "internal"), pull(3, 3, "three"),
			},
			Of:            map[string][]int{sha(1): {1}, sha(2): {2}, sha(3): {3}},
			Configuration: plan.Notes{ExcludeLabels: []string{"internal", "skip-changelog"}, ExcludeAuthors: []string{"nobody"}},
		}, "### Other\n\n- three ([#3](https://github.com/o/r/pull/3)) by @octocat\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := write(t, c.in); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// Titles read as they were written, and do nothing.
func TestTitles(t *testing.T) {
	for title, want := range map[string]string{
		"Mend it":                        "### Other\n\n- Mend it",
		"FEAT(Core)!: drop it":           "### Breaking changes\n\n- **Core:** drop it",
		"feat(): x":                      "### Features\n\n- x",
		"feat(a): b: c":                  "### Features\n\n- **a:** b: c",
		"chore(deps-dev): bump x":        "### Dependencies\n\n- **deps-dev:** bump x",
		"build(deps): bump x":            "### Dependencies\n\n- **deps:** bump x",
		`Revert "a"`:                     "### Reverts\n\n- Revert \"a\"",
		"- a":                            `- \- a`,
		"---":                            `- \---`,
		"10. b":                          `- 10\. b`,
		"1.2.3 is out":                   `- 1\.2.3 is out`,
		"1) c":                           `- 1\) c`,
		"# d":                            "- #&#8203; d",
		"@all a@b.c #1 gh-2 GH-3 high-4": "- @&#8203;all a@&#8203;b.c #&#8203;1 gh&#8203;-2 GH&#8203;-3 high-4",
		"https://x www.y <b> &lt;":       "- https:&#8203;//x www&#8203;.y &lt;b&gt; &amp;lt;",
		"a\r\nb\u2028c\td":               "- a b c d",
		"":                               "- (no title)",
		"\u200b\u202e\u3164":             "- (no title)",
		strings.Repeat("é", 301):         "- " + strings.Repeat("é", 299) + "…",
		strings.Repeat("é", 300):         "- " + strings.Repeat("é", 300),
	} {
		got := write(t, notes.Input{Commits: line("x (#1)"), PullRequests: []history.PullRequest{pull(1, 1, title)}})
		if !strings.Contains(got, want+" ([#1](https://github.com/o/r/pull/1)) by @octocat\n") {
			t.Errorf("%.40q: %q\nwant %q", title, got, want)
		}
	}
}

// What is too long is cut at an entry, and says how much is missing.
func TestLength(t *testing.T) {
	var in notes.Input
	for i := range 4000 {
		in.Commits = append(in.Commits, history.Commit{SHA: sha(i + 1)})
		in.PullRequests = append(in.PullRequests, pull(i+1, i+1, strings.Repeat("long ", 20)))
	}
	text := write(t, in)
	if !regexp.MustCompile(`by @octocat\n\n[0-9]+ more\n$`).MatchString(text) {
		t.Errorf("ends in %q", text[len(text)-80:])
	}
}

// Whatever stands in a title, what comes out is one inert line.
func FuzzTitle(f *testing.F) {
	for _, s := range []string{
		"feat: @all <img onerror=x> %0A::error::x", "a\n::error::b", "# heading", "- list", "1. list", "```", "|a|b|",
		"https://evil.example", "\u202eabc", "a\u200bb", "\xff", "![x](y)", "<!-- -->", "#1 GH-2 o/r#3", strings.Repeat("é", 400), "\u115f", "&lt;",
	} {
		f.Add(s)
	}
	inert := regexp.MustCompile(`@[A-Za-z0-9]|#[0-9]|://|<|^\s*([-+*>]|[0-9]+[.)])\s|[\x00-\x1f\x7f]|[\x{200b}-\x{200f}\x{202a}-\x{202e}\x{2066}-\x{2069}]`)
	plain := regexp.MustCompile("(^|[^\\\\])(\\\\\\\\)*[`*_\\[\\]|]") // a sign that no backslash guards
	f.Fuzz(func(t *testing.T, title string) {
		in := notes.Input{Repository: repository, Commits: line("x (#1)"), PullRequests: []history.PullRequest{pull(1, 1, title)}}
		text := notes.New(in).Markdown()
		if !utf8.ValidString(text) || len(text) > notes.MaxBytes {
			t.Fatalf("%d bytes, valid %v", len(text), utf8.ValidString(text))
		}
		_, text, _ = strings.Cut(text, "\n\n- ")
		entry, rest, ok := strings.Cut(text, " ([#1](https://github.com/o/r/pull/1)) by @octocat\n")
		if !ok || strings.Contains(rest, "pull/1") {
			t.Fatalf("%q is not one line", text)
		}
		if scope, after, ok := strings.Cut(entry, ":** "); ok && strings.HasPrefix(scope, "**") {
			entry = strings.TrimPrefix(scope, "**") + after
		}
		if at := inert.FindString(strings.ReplaceAll(entry, "&#8203;", "&zwsp;")); at != "" {
			t.Fatalf("%q acts in %q", at, entry)
		}
		if at := plain.FindString(entry); at != "" {
			t.Fatalf("%q is Markdown in %q", at, entry)
		}
	})
}
