package notes

import (
	"encoding/json"
	"time"

	"github.com/org/pgo-release/internal/history"
	"github.com/org/pgo-release/internal/version"
)

// Schema names the form of the notes' JSON.
const Schema = "https://github.com/org/pgo-release/schema/notes/v1"

// document is the JSON of notes.
type document struct {
	Schema       string            `json:"schema"`
	Tag          string            `json:"tag"`
	Previous     string            `json:"previousTag,omitempty"`
	Date         string            `json:"date"` // of the released commit, UTC
	URL          string            `json:"url,omitempty"`
	Initial      bool              `json:"initial"`
	Sections     []section         `json:"sections"`
	Modules      modules           `json:"modules"`
	Contributors []contributor     `json:"newContributors"`
	Commits      map[string]int    `json:"commits"` // number of the pull request that a commit came with, by hash
	RequiredBump version.Bump      `json:"requiredBump"`
	Reasons      []version.Reason  `json:"bumpReasons"`
	Warnings     []version.Finding `json:"warnings"`
	Markdown     string            `json:"markdown"` // all of it
}

type section struct {
	Title   string  `json:"title"`
	Entries []entry `json:"entries"`
}

type entry struct {
	Scope    string   `json:"scope,omitempty"`
	Text     string   `json:"text"` // as its author wrote it: not escaped
	More     []string `json:"more,omitempty"`
	Number   int      `json:"number,omitempty"`
	Commit   string   `json:"commit"`
	URL      string   `json:"url,omitempty"`
	Authors  []person `json:"authors"`
	Closes   []issue  `json:"closes,omitempty"`
	Origin   int      `json:"backportOf,omitempty"`
	Time     string   `json:"time"`     // merged or committed, UTC
	Markdown string   `json:"markdown"` // one item of a list
}

type person struct {
	Login string `json:"login,omitempty"`
	Name  string `json:"name,omitempty"`
}

type issue struct {
	Number int    `json:"number"`
	URL    string `json:"url"`
}

type contributor struct {
	Login  string `json:"login"`
	Number int    `json:"number"`
	URL    string `json:"url,omitempty"`
}

type modules struct {
	Direct   []moduleChange `json:"direct"`
	Indirect int            `json:"indirect"`
}

type moduleChange struct {
	Path string `json:"path"`
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
}

// JSON writes the notes for programs: indented, with a final newline.
func (n Notes) JSON() ([]byte, error) {
	d := document{
		Schema: Schema, Tag: n.Tag, Previous: n.Previous, Date: stamp(n.Time), URL: n.compareURL(), Initial: n.Initial,
		Sections: []section{}, Modules: modules{Direct: []moduleChange{}, Indirect: n.Modules.Indirect},
		Contributors: []contributor{}, Commits: map[string]int{}, RequiredBump: n.Verdict.Required,
		Reasons: append([]version.Reason{}, n.Verdict.Reasons...), Warnings: append([]version.Finding{}, n.Verdict.Warnings()...),
		Markdown: n.Whole(),
	}
	for _, s := range n.Sections {
		out := section{Title: s.Title}
		for _, e := range s.Entries {
			out.Entries = append(out.Entries, n.entry(e))
			for _, sha := range e.Commits {
				if e.Number > 0 {
					d.Commits[sha] = e.Number
				}
			}
		}
		d.Sections = append(d.Sections, out)
	}
	for _, c := range n.Modules.Direct {
		d.Modules.Direct = append(d.Modules.Direct, moduleChange(c))
	}
	for _, c := range n.Contributors {
		d.Contributors = append(d.Contributors, contributor(c))
	}
	text, err := json.MarshalIndent(d, "", "  ")
	return append(text, '\n'), err
}

func (n Notes) entry(e Entry) entry {
	out := entry{
		Scope: e.Scope, Text: e.Text, More: e.More, Number: e.Number, Commit: e.SHA, URL: e.URL,
		Authors: []person{}, Origin: e.Origin, Time: stamp(e.Time), Markdown: n.item(e),
	}
	for _, p := range e.Authors {
		out.Authors = append(out.Authors, person{p.Login, p.Name})
	}
	for _, i := range e.Closes {
		out.Closes = append(out.Closes, issue(history.Issue(i)))
	}
	return out
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
