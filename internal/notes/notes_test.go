package notes_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/org/pgo-release/internal/history"
	"github.com/org/pgo-release/internal/notes"
	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/version"
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
		}(), "### Fixes\n\n- x ([#8](https://github.com/o/r/pull/8), closes [#5](https://github.com/o/r/issues/5), #6) by @octocat, @ann-b and @octo\n"},
		"a direct commit's author": {func() notes.Input {
			commits := line("one")
			commits[0].Email = "ann-b@users.noreply.github.com"
			return online(commits)
		}(), "### Other\n\n- one ([0000000](https://github.com/o/r/commit/0000000000000000000000000000000000000001)) by @ann-b\n"},
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

// Titles read as they were written, and do nothing.
func TestTitles(t *testing.T) {
	for title, want := range map[string]string{
		"Mend it":                        "### Other\n\n- Mend it",
		"FEAT(Core)!: drop it":           "### Breaking changes\n\n- **Core:** drop it",
		"feat(): x":                      "### Features\n\n- x",
		"feat(a): b: c":                  "### Features\n\n- **a:** b: c",
		"chore(deps-dev): bump x":        "### Dependencies\n\n<details><summary>1 change</summary>\n\n- **deps-dev:** bump x",
		"build(deps): bump x":            "### Dependencies\n\n<details><summary>1 change</summary>\n\n- **deps:** bump x",
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
		got := write(t, online(line("x (#1)"), pull(1, 1, title)))
		if !strings.Contains(got, want+" ([#1](https://github.com/o/r/pull/1)) by @octocat\n") {
			t.Errorf("%.40q: %q\nwant %q", title, got, want)
		}
	}
}

// large is a history that GitHub does not take whole.
func large(pulls, direct int) notes.Input {
	in := online(nil)
	for i := range pulls + direct {
		c := history.Commit{SHA: sha(i + 1), Subject: "direct", Time: day(1).Add(time.Duration(i) * time.Minute)}
		if i > 0 {
			c.Parents = []string{sha(i)}
		}
		if i < pulls {
			pr := pull(i+1, i+1, fmt.Sprintf("feat: %d %s", i+1, strings.Repeat("long ", 20)))
			pr.MergedAt, pr.Author = c.Time, fmt.Sprintf("user-%d", i%50)
			in.Range.Pulls = append(in.Range.Pulls, pr)
		}
		in.Range.Commits = append([]history.Commit{c}, in.Range.Commits...)
	}
	in.MergedBefore = map[string]bool{"user-7": false}
	in.Modules = notes.Modules{Direct: slices.Repeat([]notes.ModuleChange{{"example.com/x", "v1.0.0", "v1.1.0"}}, 20)}
	return in
}

// What is too long is left out in a fixed order, and the text says so.
func TestLength(t *testing.T) {
	in := large(100, 100)
	in.Tag, in.Previous, in.Repository = "v1.1.0", "v1.0.0", repository
	n := notes.New(in)
	whole := n.Whole()
	at := func(limit int) string {
		t.Helper()
		text, all := n.Markdown(limit)
		if all != (text == whole) || len(text) > limit || !strings.Contains(text, "**Full changelog**") {
			t.Fatalf("%d bytes of %d, whole is %v", len(text), limit, all)
		}
		return text
	}
	has := func(text string, direct, modules, contributors bool) {
		t.Helper()
		for word, want := range map[string]bool{"- direct": direct, "### Dependencies": modules, "### New contributors": contributors} {
			if strings.Contains(text, word) != want {
				t.Errorf("%q is there: %v", word, !want)
			}
		}
	}
	has(at(len(whole)), true, true, true)
	without := at(len(whole) - 1)
	has(without, false, true, true)
	less := at(len(without) - 1)
	has(less, false, false, true)
	least := at(len(less) - 1)
	has(least, false, false, false)
	if !strings.Contains(least, "\nThe complete notes are in RELEASE_NOTES.md.\n") || !strings.Contains(least, "- 100 long") {
		t.Errorf("ends in %s", least[len(least)-200:])
	}
	cut := at(5000)
	has(cut, false, false, false)
	if m := regexp.MustCompile(`(?m)^([0-9]+) more in RELEASE_NOTES.md$`).FindString(cut); m == "" || strings.Count(cut, "\n- ") >= 100 {
		t.Errorf("ends in %s", cut[len(cut)-200:])
	}
}

// Four thousand pull requests fit, and none is lost from the whole.
func TestManyPullRequests(t *testing.T) {
	in := large(4000, 0)
	in.Tag, in.Previous, in.Repository = "v1.1.0", "v1.0.0", repository
	n := notes.New(in)
	text, whole := n.Markdown(notes.MaxBytes)
	if whole || len(text) > notes.MaxBytes || len(text) < notes.MaxBytes*9/10 {
		t.Errorf("%d bytes, whole is %v", len(text), whole)
	}
	if got := strings.Count(n.Whole(), "\n- "); got != 4001 {
		t.Errorf("%d items", got)
	}
}

// sample has something of everything.
func sample() notes.Notes {
	commits := line("feat(cli)!: new flags (#1)", "fix: a <b> & `c` (#2)", "Bump x (#3)", "direct", "perf: faster (#5)")
	commits[1].Body = "Co-authored-by: Zoë <zoe@example.com>"
	in := online(commits, pull(1, 1, "feat(cli)!: new flags"), pull(2, 2, "fix: a <b> & `c` @all #9 https://evil.example"), pull(3, 3, "Bump x", "dependencies"), pull(5, 5, "perf: faster"))
	in.Range.Pulls[0].Closes = []history.Issue{{Number: 12, URL: "https://github.com/o/r/issues/12"}}
	in.Range.Pulls[3].Body = "Backport of #4\n\n```release-note\nTwice as fast\n- in all\n- but some cases\n```"
	in.Tag, in.Previous, in.Repository, in.Time = "v1.1.0", "v1.0.0", repository, day(20)
	in.MergedBefore = map[string]bool{"octocat": false}
	in.Modules = notes.Modules{Direct: []notes.ModuleChange{{"example.com/x", "v1.0.0", "v1.2.0"}, {"example.com/y", "", "v0.1.0"}}, Indirect: 3}
	in.Verdict = version.Verdict{
		Required: version.Major, Reasons: []version.Reason{{Bump: version.Major, Source: "pull request", Reference: "#1", Text: "feat(cli)!: new flags"}},
		Findings: []version.Finding{{Code: "B01", Level: version.Warning, Found: "v1.1.0 after v1.0.0", Rule: "a breaking change needs a new major version"}},
	}
	return notes.New(in)
}

func TestGolden(t *testing.T) {
	n := sample()
	text, err := n.JSON()
	if err != nil || !json.Valid(text) {
		t.Fatal(err)
	}
	page, err := n.HTML()
	if err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string]string{"notes.md": n.Whole(), "notes.json": string(text), "notes.html": string(page), "changelog.md": n.Changelog()} {
		file := filepath.Join("testdata", name)
		if *update {
			if err := os.MkdirAll("testdata", 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s differs; go test ./internal/notes -update writes it anew. Got\n%s", name, got)
		}
	}
}

func TestUpdateChangelog(t *testing.T) {
	n := sample()
	section := n.Changelog()
	other := strings.ReplaceAll(section, "v1.1.0", "v1.0.0")
	for name, c := range map[string]struct{ before, want, err string }{
		"empty":                       {"", "# Changelog\n\n" + section, ""},
		"introduction":                {"# Changes\n\nAll of them.\n", "# Changes\n\nAll of them.\n\n" + section, ""},
		"no line end":                 {"# Changes", "# Changes\n\n" + section, ""},
		"by hand":                     {"# Changes\n\n## 1.0.0\n\n- x\n", "# Changes\n\n" + section + "\n## 1.0.0\n\n- x\n", ""},
		"unreleased":                  {"# Changes\n\n## [Unreleased]\n\n- y\n\n## 1.0.0\n", "# Changes\n\n## [Unreleased]\n\n- y\n\n" + section + "\n## 1.0.0\n", ""},
		"above a section":             {"# Changes\n\n" + other, "# Changes\n\n" + section + "\n" + other, ""},
		"replaced":                    {"a\n" + strings.Replace(section, "faster", "slower", 1) + "b\n", "a\n" + section + "b\n", ""},
		"in a fence":                  {"# Changes\n\n```\n## 1.1.0\n```\n\n## 1.0.0\n", "# Changes\n\n```\n## 1.1.0\n```\n\n" + section + "\n## 1.0.0\n", ""},
		"written by hand":             {"# Changes\n\n## [1.1.0] - 2026-01-01\n", "", "written by hand"},
		"a section that does not end": {"<!-- pgo-release: v1.1.0 -->\n## x\n", "", "does not end"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := notes.UpdateChangelog(c.before, "v1.1.0", section)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("%v, want %q", err, c.err)
				}
				return
			}
			if err != nil || got != c.want {
				t.Fatalf("%v\n%s\nwant\n%s", err, got, c.want)
			}
			if again, err := notes.UpdateChangelog(got, "v1.1.0", section); err != nil || again != got {
				t.Errorf("again: %v\n%s", err, again)
			}
		})
	}
}

// Whatever stands in a title or a body, what comes out is inert.
func FuzzPullRequest(f *testing.F) {
	for _, s := range []string{
		"feat: @all <img onerror=x> %0A::error::x", "a\n::error::b", "# heading", "- list", "1. list", "```", "|a|b|",
		"https://evil.example", "\u202eabc", "a\u200bb", "\xff", "![x](y)", "<!-- -->", "#1 GH-2 o/r#3", strings.Repeat("é", 400), "\u115f", "&lt;",
	} {
		f.Add(s, "```release-note\n"+s+"\n```", s)
	}
	inert := regexp.MustCompile(`@[A-Za-z0-9]|#[0-9]|://|<|^\s*([-+*>]|[0-9]+[.)])\s|[\x00-\x1f\x7f]|[\x{200b}-\x{200f}\x{202a}-\x{202e}\x{2066}-\x{2069}]`)
	plain := regexp.MustCompile("(^|[^\\\\])(\\\\\\\\)*[`*_\\[\\]|]") // a sign that no backslash guards
	f.Fuzz(func(t *testing.T, title, body, trailer string) {
		commits := line("x (#1)")
		commits[0].Body = "Co-authored-by: " + trailer + " <x@example.com>"
		in := online(commits, pull(1, 1, title))
		in.Repository, in.Range.Pulls[0].Body = repository, body
		n := notes.New(in)
		text, _ := n.Markdown(notes.MaxBytes)
		if !utf8.ValidString(text) || len(text) > notes.MaxBytes {
			t.Fatalf("%d bytes, valid %v", len(text), utf8.ValidString(text))
		}
		page, err := n.HTML()
		if err != nil || strings.Contains(string(page), "<img") || strings.Contains(string(page), "<script") || strings.Count(string(page), "</ul>") > 2 {
			t.Fatalf("%v\n%s", err, page)
		}
		if text, err := n.JSON(); err != nil || !json.Valid(text) {
			t.Fatal(err)
		}
		if strings.HasPrefix(text, "No changes.") {
			return // the body wanted it hidden
		}
		_, items, _ := strings.Cut(strings.TrimSuffix(text, "\n**Full changelog**: https://github.com/o/r/commits/\n"), "\n\n- ")
		for i, item := range strings.Split(strings.TrimSuffix(items, "\n"), "\n") {
			if i > 0 {
				rest, ok := strings.CutPrefix(item, "  - ")
				if !ok {
					t.Fatalf("%q is no item", item)
				}
				item = rest
			}
			before, after, ok := strings.Cut(item, " ([#1](https://github.com/o/r/pull/1)")
			if ok != (i == 0) {
				t.Fatalf("line %d is %q", i, item)
			}
			item = regexp.MustCompile(`^, from \[#[0-9]+\]\(https://github.com/o/r/pull/[0-9]+\)`).ReplaceAllString(after, "")
			item = before + strings.Replace(item, ") by @octocat", "", 1)
			if scope, rest, ok := strings.Cut(item, ":** "); ok && strings.HasPrefix(scope, "**") {
				item = strings.TrimPrefix(scope, "**") + rest
			}
			if at := inert.FindString(strings.ReplaceAll(item, "&#8203;", "&zwsp;")); at != "" {
				t.Fatalf("%q acts in %q", at, item)
			}
			if at := plain.FindString(item); at != "" {
				t.Fatalf("%q is Markdown in %q", at, item)
			}
		}
	})
}

func BenchmarkMarkdown(b *testing.B) {
	in := large(5000, 0)
	in.Tag, in.Previous, in.Repository = "v1.1.0", "v1.0.0", repository
	for b.Loop() {
		n := notes.New(in)
		if text, _ := n.Markdown(notes.MaxBytes); len(text) == 0 {
			b.Fatal("empty")
		}
	}
}
