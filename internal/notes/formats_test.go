package notes_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/org/pgo-release/internal/history"
	"github.com/org/pgo-release/internal/notes"
	"github.com/org/pgo-release/internal/version"
)

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
		"empty":                        {"", "# Changelog\n\n" + section, ""},
		"introduction":                 {"# Changes\n\nAll of them.\n", "# Changes\n\nAll of them.\n\n" + section, ""},
		"no line end":                  {"# Changes", "# Changes\n\n" + section, ""},
		"by hand":                      {"# Changes\n\n## 1.0.0\n\n- x\n", "# Changes\n\n" + section + "\n## 1.0.0\n\n- x\n", ""},
		"unreleased":                   {"# Changes\n\n## [Unreleased]\n\n- y\n\n## 1.0.0\n", "# Changes\n\n## [Unreleased]\n\n- y\n\n" + section + "\n## 1.0.0\n", ""},
		"above a section":              {"# Changes\n\n" + other, "# Changes\n\n" + section + "\n" + other, ""},
		"replaced":                     {"a\n" + strings.Replace(section, "faster", "slower", 1) + "b\n", "a\n" + section + "b\n", ""},
		"in a fence":                   {"# Changes\n\n```\n## 1.1.0\n```\n\n## 1.0.0\n", "# Changes\n\n```\n## 1.1.0\n```\n\n" + section + "\n## 1.0.0\n", ""},
		"lines of Windows":             {"\ufeff# Changes\r\n\r\n## 1.0.0\r\n", "\ufeff# Changes\r\n\r\n" + strings.ReplaceAll(section, "\n", "\r\n") + "\r\n## 1.0.0\r\n", ""},
		"in the order of versions":     {"# Changes\n\n## 2.0.0\n\n## v1.0.9 (old)\n", "# Changes\n\n## 2.0.0\n\n" + section + "\n## v1.0.9 (old)\n", ""},
		"other headings":               {"# Changes\n\n## About this file\n\nx\n\n# v1.0.0\n\n### v0.9.0\n", "# Changes\n\n## About this file\n\nx\n\n" + section + "\n# v1.0.0\n\n### v0.9.0\n", ""},
		"begins with a version":        {"## 1.0.0\n", section + "\n## 1.0.0\n", ""},
		"a template in a comment":      {"# Changes\n\n<!--\n## 1.1.0\n-->\n\n## 1.0.0\n", "# Changes\n\n<!--\n## 1.1.0\n-->\n\n" + section + "\n## 1.0.0\n", ""},
		"a fence of another kind":      {"~~~~\n## 1.1.0\n~~~\n<!-- pgo-release: v1.1.0 -->\n~~~~\n## 1.0.0\n", "~~~~\n## 1.1.0\n~~~\n<!-- pgo-release: v1.1.0 -->\n~~~~\n\n" + section + "\n## 1.0.0\n", ""},
		"no line end after the marker": {strings.TrimSuffix(section, "\n"), section, ""},
		"a section inside of one":      {"<!-- pgo-release: v1.1.0 -->\n<!-- pgo-release: v1.0.0 -->\n<!-- /pgo-release: v1.0.0 -->\n<!-- /pgo-release: v1.1.0 -->\n", "", "line 2: a section begins inside of another"},
		"an end without beginning":     {"<!-- /pgo-release: v1.0.0 -->\n", "", "line 1: the section of v1.0.0 ends"},
		"by hand, with more words":     {"# Changes\n\n## Release **v1.1.0**: big\n", "", "line 3: it has a section"},
		"written by hand":              {"# Changes\n\n## [1.1.0] - 2026-01-01\n", "", "written by hand"},
		"a section that does not end":  {"<!-- pgo-release: v1.1.0 -->\n## x\n", "", "does not end"},
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

// What a release-note block says.
func TestBlocks(t *testing.T) {
	const fence = "```"
	for body, want := range map[string]string{
		fence + "release-note\nThe parser accepts\nempty input.\n\nAnd more.\n" + fence:                               "The parser accepts empty input.|And more.",
		fence + "Release-Notes\n# Title\ntext\n- one\n  more\n* two\n1. three\n" + fence:                              "Title|text|one more|two|three",
		"````\n" + fence + "release-note\nan example\n" + fence + "\n````\n" + fence + "release-note\nreal\n" + fence: "real",
		"~~~release-note\na\n" + fence + "\nb\n~~~":                                                                   "a " + "\\`\\`\\` b",
		fence + "release-note\nopen":                             "open",
		fence + "release-note\nNONE\n" + fence:                   "",
		fence + "release-note\n\"n/a\".\n" + fence:               "",
		fence + "release-note\n" + fence:                         "",
		fence + "\nrelease-note\n" + fence:                       "title",
		"release-note":                                           "title",
		"<!--\n" + fence + "release-note\nx\n" + fence + "\n-->": "title",
	} {
		pr := pull(1, 1, "title")
		pr.Body = body
		got := strings.TrimPrefix(write(t, online(line("x (#1)"), pr)), "### Other\n\n- ")
		got = strings.Replace(strings.TrimSuffix(got, "\n"), " ([#1](https://github.com/o/r/pull/1)) by @octocat", "", 1)
		if got = strings.ReplaceAll(got, "\n  - ", "|"); got != want && (want != "" || got != "No changes.") {
			t.Errorf("%q: %q, want %q", body, got, want)
		}
	}
}

// One pull request cannot take the room of all.
func TestGreedy(t *testing.T) {
	greedy := pull(1, 1, "one")
	greedy.Body = "```release-note\n" + strings.Repeat("- "+strings.Repeat("@", 300)+"\n", 250) + "```"
	commits := line("a (#1)", "b (#2)")
	commits[1].Body = strings.Repeat("Co-authored-by: x <%d@example.com>\n", 1)
	for i := range 3000 {
		commits[0].Body += fmt.Sprintf("Co-authored-by: x <user%d@users.noreply.github.com>\n", i)
	}
	text := write(t, online(commits, greedy, pull(2, 2, "two")))
	if strings.Count(text, "\n  - ") != 19 || !strings.Contains(text, " and 2993 more\n") || strings.Contains(text, "@user") {
		t.Errorf("%d bytes, ends in %.300q", len(text), text[max(0, len(text)-300):])
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

// No table breaks, no section begins and no marker ends by what stands in a module's
// path, a category's title or a co-author's name.
func FuzzStructure(f *testing.F) {
	for _, s := range []string{"a|b", "</details>", "\n## x", "<!-- /pgo-release: v1.1.0 -->", "`", "\\", "\u2028", "@all", "```\n"} {
		f.Add(s, s, s)
	}
	row := regexp.MustCompile(`^\| (?:[^|\\]|\\.)* \| (?:[^|\\]|\\.)* \| (?:[^|\\]|\\.)* \|$`)
	f.Fuzz(func(t *testing.T, path, title, name string) {
		commits := line("x (#1)")
		commits[0].Body = "Co-authored-by: " + name + " <x@y.example>\nCo-authored-by: Z <" + name + "@users.noreply.github.com>\n"
		in := online(commits, pull(1, 1, "one"))
		in.Tag, in.Repository = "v1.1.0", repository
		in.Modules = notes.Modules{Direct: []notes.ModuleChange{{Path: path, From: title, To: name}}}
		in.Categories = &notes.Categories{Categories: []notes.Category{{Title: title, Labels: []string{"*"}}}}
		section := notes.New(in).Changelog()
		lines := strings.Split(section, "\n")
		var headings, rows, items, details int
		for _, l := range lines {
			headings += strings.Count(l[:min(1, len(l))], "#")
			if strings.HasPrefix(l, "|") {
				rows++
				if l != "|---|---|---|" && !row.MatchString(l) {
					t.Fatalf("row %q", l)
				}
			}
			if strings.HasPrefix(l, "- ") {
				items++
			}
			details += strings.Count(l, "details>")
			if strings.Contains(strings.ReplaceAll(l, "@octocat", ""), "@") && regexp.MustCompile(`@[A-Za-z0-9]`).MatchString(strings.ReplaceAll(l, "@octocat", "")) {
				t.Fatalf("mention in %q", l)
			}
		}
		if headings != 3 || rows != 3 || items != 1 || details != 2 || strings.Count(section, "<!--") != 2 || !utf8.ValidString(section) {
			t.Fatalf("%d headings, %d rows, %d items in\n%s", headings, rows, items, section)
		}
		if got, err := notes.UpdateChangelog(section, "v1.1.0", section); err != nil || got != section {
			t.Fatalf("%v\n%q", err, got)
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
