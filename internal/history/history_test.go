package history_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/org/pgo-release/internal/history"
)

func TestNumbers(t *testing.T) {
	for subject, want := range map[string][]int{
		"Merge pull request #12 from o/b": {12}, "feat: x (#7)": {7}, "x (#7) y": nil, "fixes #7": nil,
		"x (#0)": nil, "x (#99999999999999999999)": nil, `Revert "x (#1)" (#2)`: {2},
	} {
		if got := history.Numbers(history.Commit{Subject: subject}); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %v, want %v", subject, got, want)
		}
	}
}

func TestParseTitle(t *testing.T) {
	for s, want := range map[string]history.Title{
		"feat: x":            {Kind: "feat", Text: "x"},
		"FIX(api)!:  drop y": {Kind: "fix", Scope: "api", Text: "drop y", Breaking: true},
		"revert( a ): b: c":  {Kind: "revert", Scope: "a", Text: "b: c"},
		"feature: x":         {},
		"prefix: feat: x":    {},
		"feat:x":             {},
		"feat (a): x":        {},
		"feat!(a): x":        {},
		"":                   {},
	} {
		if got, ok := history.ParseTitle(s); got != want || ok != (want.Kind != "") {
			t.Errorf("%q: %+v, %v", s, got, ok)
		}
	}
}

func TestBreakingFooter(t *testing.T) {
	for body, want := range map[string]bool{
		"x\n\nBREAKING CHANGE: y": true, "BREAKING-CHANGE: y": true, "x\r\n\r\nBREAKING CHANGE: y\r\n": true,
		"no BREAKING CHANGE: y": false, "BREAKING CHANGES: y": false, "breaking change: y": false, "": false,
	} {
		if got := history.BreakingFooter(body); got != want {
			t.Errorf("%q: %v", body, got)
		}
	}
}

// line reads a history, newest first: "hash parents subject", and a body after "|".
func line(lines ...string) []history.Commit {
	var out []history.Commit
	for _, l := range lines {
		l, body, _ := strings.Cut(l, "|")
		f := strings.SplitN(l, " ", 3)
		c := history.Commit{SHA: f[0], Subject: f[2], Body: strings.ReplaceAll(body, `\n`, "\n")}
		if f[1] != "-" {
			c.Parents = strings.Split(f[1], ",")
		}
		out = append(out, c)
	}
	return out
}

// short is changes in a few words: reference, title, and the branch's commits.
func short(changes []history.Change) string {
	var out []string
	for _, c := range changes {
		s := c.Reference() + " " + c.Title
		for _, b := range c.Branch {
			s += " +" + b.SHA
		}
		out = append(out, s)
	}
	return strings.Join(out, "\n")
}

func TestChanges(t *testing.T) {
	for name, c := range map[string]struct {
		commits []history.Commit
		pulls   []history.PullRequest
		of      map[string][]int
		online  bool
		want    string
	}{
		"nothing": {},
		"squash merges and a direct commit": {
			commits: line("c b feat: z (#3)", "b a direct", "a - fix: x (#1)"),
			want:    "#3 feat: z\nb direct\n#1 fix: x"},
		"a merge with its branch, by message": {
			commits: line("m a,c Merge pull request #7 from o/b|feat: seven\\n\\nmore", "c b two", "b a one", "a - zero"),
			want:    "#7 feat: seven +c +b\na zero"},
		"a merge whose pull request is known": {
			commits: line("m a,b Merge pull request #7 from o/b|feat: seven", "b a one", "a - zero"),
			pulls:   []history.PullRequest{{Number: 7, Title: "Seven", MergeCommit: "m", Base: "O/R"}},
			want:    "#7 Seven +b\na zero"},
		"a rebase merge is one change": {
			commits: line("c b three", "b a two", "a - one"),
			pulls:   []history.PullRequest{{Number: 20, Title: "All", MergeCommit: "c"}},
			of:      map[string][]int{"a": {20}, "b": {20}, "c": {20}},
			want:    "#20 All +b +a"},
		"a number that belongs to somebody else": {
			commits: line("a - sync (#7)"), of: map[string][]int{"a": {7}}, online: true,
			pulls: []history.PullRequest{{Number: 7, Title: "Unrelated", MergeCommit: "zzz"}, {Number: 8, MergeCommit: "a", Base: "up/stream"}},
			want:  "a sync (#7)"},
		"a promotion of two": {
			commits: line("p a,m Merge pull request #50 from o/develop|Promote", "m d,c Merge pull request #42 from o/c|feat: two", "c d two", "d b direct", "b a feat: one (#41)", "a - zero"),
			want:    "#50 Promote +d\n#42 feat: two +c\n#41 feat: one\na zero"},
		"a branch that mentions an issue": {
			commits: line("m a,b Merge pull request #7 from o/b|seven", "b a fix (#3)", "a - zero"), online: true,
			pulls: []history.PullRequest{{Number: 7, Title: "Seven", MergeCommit: "m"}},
			want:  "#7 Seven +b\na zero"},
		"nested merges belong to the oldest that brought them": {
			commits: line("n m,d Merge branch 'd'", "d c four", "m a,c Merge branch 'c'", "c b three", "b a two", "a - one"),
			want:    "d four\nc three\nb two\na one"},
		"the first parent lies outside": {
			commits: line("m x,b Merge branch 'b'", "b y two"), want: "b two"},
		"a merge that brings nothing": {commits: line("m a,x Merge tag 'v1'", "a - one"), want: "m Merge tag 'v1'\na one"},
		"a stacked pull request": {
			commits: line("m a,d Merge pull request #10 from o/b|feat!: new", "d c own two", "c b fix: small (#9)", "b a own one", "a - zero"), online: true,
			pulls: []history.PullRequest{{Number: 10, Title: "feat!: new", MergeCommit: "m"}, {Number: 9, Title: "fix: small", MergeCommit: "c"}},
			want:  "#10 feat!: new +d +b\n#9 fix: small\na zero"},
		"a promotion that says it breaks": {
			commits: line("m a,b Merge pull request #10 from o/develop|feat!: all", "b a fix: small (#9)", "a - zero"), online: true,
			pulls: []history.PullRequest{{Number: 10, Title: "feat!: all", MergeCommit: "m"}, {Number: 9, Title: "fix: small", MergeCommit: "b"}},
			want:  "#10 feat!: all\n#9 fix: small\na zero"},
		"an issue's number in a branch, by message": {
			commits: line("m a,c Merge pull request #10 from o/b|feat: new", "c b parse (#7)", "b a own", "a - zero"),
			want:    "#10 feat: new +c +b\na zero"},
		"a squash that quotes a revert": {
			commits: line("c b feat: other (#3)|* one\\n\\nThis reverts commit bbbbbbb.", "bbbbbbb a feat: x", "a - fix: y"),
			want:    "#3 feat: other"},
		"a part of a revert": {
			commits: line("ccccccc bbbbbbb Revert \"feat: x\"|This reverts commit bbbbbbb partially.", "bbbbbbb a feat: x", "a - fix: y"),
			want:    "ccccccc Revert \"feat: x\"\nbbbbbbb feat: x\na fix: y"},
		"a number beats a title": {
			commits: line("c b Revert \"fix: typo (#1)\" (#3)", "b a fix: typo (#2)", "a - fix: y"),
			want:    "#3 Revert \"fix: typo (#1)\"\n#2 fix: typo\na fix: y"},
		"a revert of another repository's": {
			commits: line("c b feat: big (#6)|Reverts x/y#5", "b a feat: five (#5)", "a - fix: y"),
			want:    "#6 feat: big\n#5 feat: five\na fix: y"},
		"a revert of a part of a pull request": {
			commits: line("d m Revert \"feat: b\"|This reverts commit bbbbbbb.", "m a,ccccccc Merge pull request #5 from o/b|both", "ccccccc bbbbbbb feat: c", "bbbbbbb a feat: b", "a - zero"),
			want:    "d Revert \"feat: b\"\n#5 both +ccccccc\na zero"},
		"a revert by commit": {
			commits: line("abcdef3 abcdef2 Revert \"feat: x\"|This reverts commit abcdef1.", "abcdef2 abcdef1 fix: y", "abcdef1 - feat: x"),
			want:    "abcdef2 fix: y"},
		"a revert by pull request": {
			commits: line("c b Revert \"feat: x\" (#31)|Reverts o/r#30", "b a fix: y", "a - feat: x (#30)"),
			want:    "b fix: y"},
		"a revert by title": {
			commits: line("c b Revert \"feat: x (#30)\" (#31)", "b a fix: y", "a - feat: x (#30)"),
			want:    "b fix: y"},
		"a revert of a revert restores": {
			commits: line("c bbbbbbb Revert \"Revert \"feat: x\"\"|This reverts commit bbbbbbb.", "bbbbbbb aaaaaaa Revert \"feat: x\"|This reverts commit aaaaaaa.", "aaaaaaa - feat: x"),
			want:    "aaaaaaa feat: x"},
		"a revert of what is older than the range": {
			commits: line("c b Revert \"feat: x\"|This reverts commit 0123456.", "b - fix: y"),
			want:    "c Revert \"feat: x\"\nb fix: y"},
		"a revert inside of a branch": {
			commits: line("m a,ccccccc Merge branch 'c'", "ccccccc bbbbbbb Revert \"feat!: x\"|This reverts commit bbbbbbb.", "bbbbbbb a feat!: x", "a - fix: y"),
			want:    "a fix: y"},
		"a revert of a commit of a branch": {
			commits: line("d m Revert \"feat!: x\"|This reverts commit bbbbbbb.", "m a,ccccccc Merge branch 'c'", "ccccccc bbbbbbb fix: z", "bbbbbbb a feat!: x", "a - fix: y"),
			want:    "ccccccc fix: z\na fix: y"},
		"a commit that is its own parent": {commits: line("a a loop"), want: "a loop"},
	} {
		t.Run(name, func(t *testing.T) {
			r := history.Range{Commits: c.commits, Pulls: c.pulls, Of: c.of, Online: c.online, Repository: "o/r"}
			if got := short(r.Changes()); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// A pull request's labels and body are its change's.
func TestChangeOfPullRequest(t *testing.T) {
	pull := history.PullRequest{Number: 7, Title: "Seven", Body: "BREAKING CHANGE: x", Labels: []string{"a"}, MergeCommit: "a"}
	got := history.Range{Commits: line("a - one (#7)"), Pulls: []history.PullRequest{pull}}.Changes()
	if len(got) != 1 || !history.BreakingFooter(got[0].Body) || !history.HasLabel(got[0].Labels(), "b", "A") || got[0].Revert {
		t.Errorf("%+v", got)
	}
}

// Commits that do not count take their changes with them.
func TestWithin(t *testing.T) {
	r := history.Range{Commits: line("m b,c Merge branch 'c'", "c b on it", "b a direct", "a - first"), Within: map[string]bool{"c": true, "a": true}}
	if got := short(r.Changes()); got != "c on it\na first" {
		t.Errorf("got\n%s", got)
	}
	r.Within = map[string]bool{}
	if got := r.Changes(); len(got) != 0 {
		t.Errorf("got\n%s", short(got))
	}
}

// What only one of two lines has.
func TestWithout(t *testing.T) {
	main := history.Range{Commits: line(
		"f e fix: from the old line|(cherry picked from commit bbbbbbb1)", "e d feat: new (#33)", "d c fix: x (#30)", "c b fix: y", "b - fix: forward (#41)|Cherry-pick of #40",
	)}.Changes()
	old := history.Range{Commits: line(
		"bbbbbbb1 z fix: urgent", "z y fix: x (backport #30) (#35)", "y x fix: y|x\\n(cherry picked from commit c)", "x w fix: y|(cherry picked from commit cccccccc)", "w - fix: old (#40)",
	)}.Changes()
	main[3].Commit.SHA = "cccccccccccc"
	if got := short(history.Without(main, old)); got != "#33 feat: new" {
		t.Errorf("left:\n%s", got)
	}
	if got := short(history.Without(main, nil)); strings.Count(got, "\n") != 4 {
		t.Errorf("left of all:\n%s", got)
	}
}

// Long histories are no matter of minutes.
func BenchmarkChanges(b *testing.B) {
	var commits []history.Commit
	for i := 10_000; i > 0; i-- {
		c := history.Commit{SHA: fmt.Sprintf("%040x", i), Parents: []string{fmt.Sprintf("%040x", i-1)}, Subject: fmt.Sprintf("feat: x (#%d)", i)}
		if i%3 == 0 {
			c.Parents = append(c.Parents, fmt.Sprintf("%040x", i-2))
		}
		commits = append(commits, c)
	}
	for b.Loop() {
		history.Range{Commits: commits}.Changes()
	}
}
