package notes_test

import (
	"flag"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/org/pgo-release/internal/history"
	"github.com/org/pgo-release/internal/notes"
	"github.com/org/pgo-release/internal/plan"
)

var update = flag.Bool("update", false, "write the golden files anew")

func sha(n int) string { return fmt.Sprintf("%040x", n) }

func day(n int) time.Time { return time.Date(2026, 3, n, 0, 0, 0, 0, time.UTC) }

// line is a history in which each commit has the one before it as parent, newest first.
func line(subjects ...string) []history.Commit {
	var out []history.Commit
	for i, s := range subjects {
		c := history.Commit{SHA: sha(i + 1), Subject: s, Author: "A", Email: "a@example.com", Time: day(i + 1)}
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

// online is a range whose pull requests GitHub was asked for.
func online(commits []history.Commit, pulls ...history.PullRequest) notes.Input {
	return notes.Input{Range: history.Range{Commits: commits, Pulls: pulls, Online: true, Repository: "o/r"}}
}

// with changes an input.
func with(in notes.Input, change func(*notes.Input)) notes.Input {
	change(&in)
	return in
}

const footer = "\n**Full changelog**: https://github.com/o/r/compare/v1.0.0...v1.1.0\n"

// write is the notes without their footer.
func write(t *testing.T, in notes.Input) string {
	t.Helper()
	in.Tag, in.Previous, in.Repository = "v1.1.0", "v1.0.0", repository
	n := notes.New(in)
	text, whole := n.Markdown(notes.MaxBytes)
	if whole != (text == n.Whole()) {
		t.Errorf("whole is %v", whole)
	}
	text, ok := strings.CutSuffix(text, footer)
	if !ok {
		t.Fatalf("no footer in\n%s", text)
	}
	return text
}

func TestHistories(t *testing.T) {
	body := func(pr history.PullRequest, body string) history.PullRequest { pr.Body = body; return pr }
	for name, c := range map[string]struct {
		in   notes.Input
		want string
	}{
		"nothing": {notes.Input{}, "No changes.\n"},
		"sections and their order": {with(online(line("a (#1)", "b (#2)", "c (#3)", "d (#4)", "e (#5)", "f (#6)", "g (#7)"),
			pull(7, 7, "Look at this", "release-note"), pull(6, 6, "Bump x", "dependencies"), pull(5, 5, "fix(api)!: drop field"), pull(4, 4, "docs: say more"),
			pull(3, 3, "feat(cli): add flag"), pull(2, 2, "prefix: not a type"), pull(1, 1, "Mend it", "bug"),
		), func(in *notes.Input) {
			in.Modules = notes.Modules{Direct: []notes.ModuleChange{{Path: "example.com/x", From: "v1.0.0", To: "v1.1.0"}}, Indirect: 2}
			in.MergedBefore = map[string]bool{"octocat": false}
		}), `### Breaking changes

- **api:** drop field ([#5](https://github.com/o/r/pull/5)) by @octocat

### Highlights

- Look at this ([#7](https://github.com/o/r/pull/7)) by @octocat

### Features

- **cli:** add flag ([#3](https://github.com/o/r/pull/3)) by @octocat

### Fixes

- Mend it ([#1](https://github.com/o/r/pull/1)) by @octocat

### Documentation

- say more ([#4](https://github.com/o/r/pull/4)) by @octocat

### Other

- prefix: not a type ([#2](https://github.com/o/r/pull/2)) by @octocat

### Dependencies

<details><summary>1 direct module, 2 indirect modules, 1 change</summary>

| module | from | to |
|---|---|---|
| example.com/x | v1.0.0 | v1.1.0 |

- Bump x ([#6](https://github.com/o/r/pull/6)) by @octocat

</details>

### New contributors

- @octocat made their first contribution in [#1](https://github.com/o/r/pull/1)
`},
		"commits only": {notes.Input{Range: history.Range{Commits: line("feat: one", "two (#9)")}}, `### Features

- one ([0000000](https://github.com/o/r/commit/0000000000000000000000000000000000000001))

### Other

- two ([#9](https://github.com/o/r/pull/9))
`},
		"a rebase merge is one entry": {with(online(line("one", "two", "three"), pull(20, 3, "All three"), pull(20, 3, "All three")), func(in *notes.Input) {
			in.Range.Of = map[string][]int{sha(1): {20}, sha(2): {20}, sha(3): {20}}
		}), "### Other\n\n- All three ([#20](https://github.com/o/r/pull/20)) by @octocat\n"},
		"a merge commit and its branch": {online([]history.Commit{
			{SHA: sha(9), Parents: []string{sha(1), sha(2)}, Subject: "Merge pull request #7 from o/branch", Time: day(9)},
			{SHA: sha(2), Parents: []string{sha(1)}, Subject: "on the branch", Time: day(2)},
		}, pull(7, 9, "The branch")), "### Other\n\n- The branch ([#7](https://github.com/o/r/pull/7)) by @octocat\n"},
		"a promotion": {online([]history.Commit{
			{SHA: sha(9), Parents: []string{sha(1), sha(4)}, Subject: "Merge pull request #50 from o/develop", Time: day(9)},
			{SHA: sha(4), Parents: []string{sha(3)}, Subject: "feat: two (#42)", Time: day(4)},
			{SHA: sha(3), Parents: []string{sha(1)}, Subject: "feat: one (#41)", Time: day(3)},
		}, pull(50, 9, "Promote"), pull(42, 4, "feat: two"), pull(41, 3, "feat: one")),
			"### Features\n\n- one ([#41](https://github.com/o/r/pull/41)) by @octocat\n- two ([#42](https://github.com/o/r/pull/42)) by @octocat\n"},
		"a fork's upstream number": {with(online(line("sync (#7)"), pull(7, 99, "Unrelated")), func(in *notes.Input) {
			in.Range.Of = map[string][]int{sha(1): {7}}
		}), "### Other\n\n- sync \\(#&#8203;7\\) ([0000000](https://github.com/o/r/commit/0000000000000000000000000000000000000001))\n"},
		"a pair of reverts": {online(line("feat: x (#30)", `Revert "feat: x" (#31)`, "fix: y (#32)"),
			pull(30, 1, "feat: x"), body(pull(31, 2, `Revert "feat: x"`), "Reverts o/r#30"), pull(32, 3, "fix: y"),
		), "### Fixes\n\n- y ([#32](https://github.com/o/r/pull/32)) by @octocat\n"},
		"a revert of something older": {online(line(`Revert "feat: x" (#31)`), body(pull(31, 1, `Revert "feat: x"`), "Reverts o/r#3")),
			"### Reverts\n\n- Revert \"feat: x\" ([#31](https://github.com/o/r/pull/31)) by @octocat\n"},
		"a backport": {online(line("fix: x (#35)"), body(pull(35, 1, "fix: x"), "Backport of #30.")),
			"### Fixes\n\n- x ([#35](https://github.com/o/r/pull/35), from [#30](https://github.com/o/r/pull/30)) by @octocat\n"},
		"shipped with the previous line": {with(online(line("fix: x (#30)", "feat: z (#33)"), pull(30, 1, "fix: x"), pull(33, 2, "feat: z")), func(in *notes.Input) {
			other := line("fix: x (#35)")
			other[0].SHA = sha(100)
			in.Shipped = history.Range{Commits: other, Online: true, Pulls: []history.PullRequest{body(pull(35, 100, "fix: x"), "Backport of #30.")}, Repository: "o/r"}
		}), "### Features\n\n- z ([#33](https://github.com/o/r/pull/33)) by @octocat\n"},
		"left out": {with(online(line("a (#1)", "b (#2)", "c (#3)", "d (#4)"),
			pull(1, 1, "one", "Skip-Changelog"), pull(2, 2, "two", "internal"), pull(3, 3, "three"), body(pull(4, 4, "four"), "```release-note\nNONE\n```\n"),
		), func(in *notes.Input) {
			in.Configuration = plan.Notes{ExcludeLabels: []string{"internal", "skip-changelog"}, ExcludeAuthors: []string{"nobody"}}
		}), "### Other\n\n- three ([#3](https://github.com/o/r/pull/3)) by @octocat\n"},
		"an author left out": {with(online(line("a (#1)", "b (#2)"), pull(1, 1, "one"), history.PullRequest{Number: 2, Title: "two", Author: "renovate[bot]", Bot: true, MergeCommit: sha(2)}), func(in *notes.Input) {
			in.Configuration = plan.Notes{ExcludeAuthors: []string{"renovate"}}
		}), "### Other\n\n- one ([#1](https://github.com/o/r/pull/1)) by @octocat\n"},
		"the words of a block": {online(line("a (#1)"), body(pull(1, 1, "chore: stuff"), "Text\r\n<!--\r\n```release-note\r\nold\r\n```\r\n-->\r\n~~~release-note\r\n## Faster\r\n\r\n- twice as *fast*\r\n~~~\r\n")),
			"### Other\n\n- Faster ([#1](https://github.com/o/r/pull/1)) by @octocat\n  - twice as \\*fast\\*\n"},
		"linked issues and co-authors": {func() notes.Input {
			commits := line("fix: x (#8)")
			commits[0].Body = "Co-authored-by: Ann B <1+ann-b@users.noreply.github.com>\nCo-Authored-By: <b> @all <x@example.com>\r\nco-authored-by: Octo <octo@users.noreply.github.com>\nCo-authored-by: A <a@example.com>\nCo-authored-by: dependabot[bot] <49699333+dependabot[bot]@users.noreply.github.com>\n"
			pr := pull(8, 1, "fix: x")
			pr.Closes = []history.Issue{{Number: 5, URL: "https://github.com/o/r/issues/5"}, {Number: 6, URL: "javascript:alert(1)"}}
			return online(commits, pr)
		}(), "### Fixes\n\n- x ([#8](https://github.com/o/r/pull/8), closes [#5](https://github.com/o/r/issues/5), #6) by @octocat, ann-b and octo\n"},
		"a direct commit's author": {func() notes.Input {
			commits := line("one")
			commits[0].Email = "ann-b@users.noreply.github.com"
			return online(commits)
		}(), "### Other\n\n- one ([0000000](https://github.com/o/r/commit/0000000000000000000000000000000000000001)) by ann-b\n"},
		"an app is nobody": {online(line("a (#1)"), history.PullRequest{Number: 1, Title: "one", Author: "dependabot[bot]", Bot: true, MergeCommit: sha(1)}),
			"### Other\n\n- one ([#1](https://github.com/o/r/pull/1))\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := write(t, c.in); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// GitHub's own rules, where .github/release.yml gives them.
func TestCategories(t *testing.T) {
	in := online(line("a (#1)", "b (#2)", "c (#3)", "d (#4)", "e (#5)", "direct"),
		pull(1, 1, "one", "Bug"), pull(2, 2, "two", "bug", "shiny"), pull(3, 3, "three", "hidden"), pull(4, 4, "four"),
		history.PullRequest{Number: 5, Title: "five", Labels: []string{"bug"}, Author: "app[bot]", Bot: true, MergeCommit: sha(5), MergedAt: day(5)})
	in.Categories = &notes.Categories{
		Exclude: notes.Exclusion{Labels: []string{"hidden"}},
		Categories: []notes.Category{
			{Title: "Bugs", Labels: []string{"bug"}, Exclude: notes.Exclusion{Labels: []string{"shiny"}, Authors: []string{"app"}}},
			{Title: "Shiny <b>", Labels: []string{"shiny"}},
		},
	}
	want := `### Bugs

- one ([#1](https://github.com/o/r/pull/1)) by @octocat

### Shiny &lt;b&gt;

- two ([#2](https://github.com/o/r/pull/2)) by @octocat

### Other Changes

- four ([#4](https://github.com/o/r/pull/4)) by @octocat
- five ([#5](https://github.com/o/r/pull/5))
- direct ([0000000](https://github.com/o/r/commit/0000000000000000000000000000000000000006))
`
	if got := write(t, in); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	in.Categories.Categories = append([]notes.Category{{Title: "All", Labels: []string{"*"}, Exclude: notes.Exclusion{Authors: []string{"OCTOCAT"}}}}, in.Categories.Categories...)
	if got := write(t, in); !strings.HasPrefix(got, "### All\n\n- five ([#5](https://github.com/o/r/pull/5))\n- direct ") {
		t.Errorf("got\n%s", got)
	}
}

// A first release lists its history up to a point.
func TestFirstRelease(t *testing.T) {
	for n, want := range map[int]string{1: "### Other\n\n- x (", 250: "### Other\n\n- x (", 251: "Initial release.\n"} {
		in := notes.Input{Tag: "v1.0.0", Range: history.Range{Commits: line(slices.Repeat([]string{"x"}, n)...)}}
		if got := notes.New(in).Whole(); !strings.HasPrefix(got, want) {
			t.Errorf("%d changes: %.80s", n, got)
		}
	}
}

// Who is new: as far as it is known, by the first pull request, and people only.
func TestContributors(t *testing.T) {
	by := func(pr history.PullRequest, author string, bot bool) history.PullRequest {
		pr.Author, pr.Bot = author, bot
		return pr
	}
	in := online(line("a (#1)", "b (#2)", "c (#3)", "d (#4)", "e (#5)"),
		by(pull(1, 1, "one"), "bob", false), by(pull(2, 2, "two"), "bob", false), by(pull(3, 3, "three"), "Ann", false),
		by(pull(4, 4, "four"), "app[bot]", true), by(pull(5, 5, "five"), "old", false))
	in.MergedBefore = map[string]bool{"bob": false, "Ann": false, "app[bot]": false, "old": true}
	want := []notes.Contributor{{"Ann", 3, "https://github.com/o/r/pull/3"}, {"bob", 1, "https://github.com/o/r/pull/1"}}
	if got := notes.New(in).Contributors; !reflect.DeepEqual(got, want) {
		t.Errorf("%v", got)
	}
	in.Range.Pulls[0].Labels = []string{"skip-changelog"} // bob's first one
	if got := notes.New(in).Contributors; len(got) != 1 || got[0].Login != "Ann" {
		t.Errorf("a first one that is not listed: %v", got)
	}
	in.MergedBefore = nil
	if got := notes.New(in).Contributors; got != nil {
		t.Errorf("nothing is known: %v", got)
	}
}

func TestDiffModules(t *testing.T) {
	const from = "module a\n\nrequire (\n\tb v1.0.0\n\tc v1.0.0\n\td v1.0.0 // indirect\n\te v1.0.0\n\tf v1.0.0 // indirect\n)\n"
	const to = "module a\n\nrequire (\n\tb v1.2.0\n\te v1.0.0\n\td v1.1.0 // indirect\n\tf v1.0.1\n\tg v0.1.0 // indirect\n)\n"
	got, err := notes.DiffModules([]byte(from), []byte(to))
	want := notes.Modules{Direct: []notes.ModuleChange{{"b", "v1.0.0", "v1.2.0"}, {"c", "v1.0.0", ""}, {"f", "v1.0.0", "v1.0.1"}}, Indirect: 2}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := notes.DiffModules([]byte("require (\n"), []byte(to)); err == nil {
		t.Error("a broken go.mod is compared")
	}
}
