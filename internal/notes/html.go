package notes

import (
	"cmp"
	"fmt"
	"html/template"
	"strings"
)

// page is the HTML of notes. html/template escapes what it is given for the place in
// which it stands.
const page = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{{.Tag}}</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 48rem; margin: 2rem auto; padding: 0 1rem; color: #1f2328; background: #fff; overflow-wrap: break-word }
h1 { border-bottom: 1px solid #d1d9e0; padding-bottom: .3em }
a { color: #0969da; text-decoration: none }
table { border-collapse: collapse } td, th { border: 1px solid #d1d9e0; padding: .2em .8em; text-align: left }
.by, time { color: #59636e }
@media (prefers-color-scheme: dark) {
  body { color: #f0f6fc; background: #0d1117 } a { color: #4493f8 } .by, time { color: #9198a1 }
  h1, td, th { border-color: #3d444d }
}
</style>
</head>
<body>
<h1>{{.Tag}} <small><time>{{.Date}}</time></small></h1>
{{- if .Initial}}
<p>Initial release.</p>
{{- else if .Empty}}
<p>No changes.</p>
{{- end}}
{{- range .Sections}}
<h2>{{.Title}}</h2>
{{template "entries" .Entries}}
{{- end}}
{{- if .Dependencies}}
<h2>Dependencies</h2>
<details><summary>{{.Summary}}</summary>
{{- with .Modules}}
<table>
<tr><th>module</th><th>from</th><th>to</th></tr>
{{- range .}}
<tr><td>{{.Path}}</td><td>{{.From}}</td><td>{{.To}}</td></tr>
{{- end}}
</table>
{{- end}}
{{template "entries" .Folded}}
</details>
{{- end}}
{{- with .Contributors}}
<h2>New contributors</h2>
<ul>
{{- range .}}
<li>{{.Login}} made their first contribution in {{template "link" .Link}}</li>
{{- end}}
</ul>
{{- end}}
{{- with .Compare}}
<p><a href="{{.}}">Full changelog</a></p>
{{- end}}
</body>
</html>
{{define "link"}}{{if .URL}}<a href="{{.URL}}">{{.Text}}</a>{{else}}{{.Text}}{{end}}{{end}}
{{define "entries"}}{{if .}}<ul>
{{- range .}}
<li>{{with .Scope}}<strong>{{.}}:</strong> {{end}}{{.Text}}
{{- range $i, $l := .Links}}{{if $i}}, {{else}} ({{end}}{{$l.Before}}{{template "link" $l}}{{end}}{{if .Links}}){{end}}
{{- with .By}} <span class="by">by {{.}}</span>{{end}}
{{- with .More}}
<ul>
{{- range .}}
<li>{{.}}</li>
{{- end}}
</ul>
{{- end}}</li>
{{- end}}
</ul>{{end}}{{end}}`

// htmlLink leads to a page; URL is empty where it is not known to be safe.
type htmlLink struct{ Before, Text, URL string }

type htmlEntry struct {
	Scope, Text string
	Links       []htmlLink
	By          string
	More        []string
}

type htmlSection struct {
	Title   string
	Entries []htmlEntry
}

type htmlContributor struct {
	Login string
	Link  htmlLink
}

type htmlPage struct {
	Tag, Date, Summary, Compare string
	Initial, Empty              bool
	Sections                    []htmlSection
	Dependencies                bool
	Modules                     []ModuleChange
	Folded                      []htmlEntry
	Contributors                []htmlContributor
}

// HTML writes the notes as a page of its own, without scripts and outside resources.
func (n Notes) HTML() ([]byte, error) {
	p := htmlPage{
		Tag: clean(n.Tag), Date: n.Time.UTC().Format("2006-01-02"), Compare: n.compareURL(), Initial: n.Initial,
		Modules: n.Modules.Direct,
	}
	for _, s := range n.Sections {
		var entries []htmlEntry
		for _, e := range s.Entries {
			entries = append(entries, n.html(e))
		}
		if s.Folded {
			p.Folded = entries
		} else {
			p.Sections = append(p.Sections, htmlSection{clean(s.Title), entries})
		}
	}
	p.Summary = n.Modules.summary(len(p.Folded))
	p.Dependencies = p.Summary != ""
	p.Empty = len(p.Sections) == 0 && !p.Dependencies
	for _, c := range n.Contributors {
		p.Contributors = append(p.Contributors, htmlContributor{clean(c.Login), number("", c.Number, c.URL)})
	}
	parsed, err := template.New("notes").Parse(page)
	if err != nil {
		return nil, fmt.Errorf("writing the notes as HTML: %w", err)
	}
	var out strings.Builder
	if err := parsed.Execute(&out, p); err != nil {
		return nil, fmt.Errorf("writing the notes as HTML: %w", err)
	}
	return []byte(strings.TrimSpace(out.String()) + "\n"), nil
}

func number(before string, n int, url string) htmlLink {
	if !safeURL(url) {
		url = ""
	}
	return htmlLink{before, fmt.Sprintf("#%d", n), url}
}

// html is an entry for the page.
func (n Notes) html(e Entry) htmlEntry {
	out := htmlEntry{Scope: clean(e.Scope), Text: clean(e.Text)}
	if out.Text == "" {
		out.Text = untitled
	}
	switch {
	case e.Number > 0:
		out.Links = append(out.Links, number("", e.Number, cmp.Or(e.URL, n.pullURL(e.Number))))
	case hash.MatchString(e.SHA) && n.Repository.Owner != "":
		out.Links = append(out.Links, htmlLink{"", e.SHA[:7], n.Repository.URL() + "/commit/" + e.SHA})
	case hash.MatchString(e.SHA):
		out.Links = append(out.Links, htmlLink{"", e.SHA[:7], ""})
	}
	if e.Origin > 0 && e.Origin != e.Number {
		out.Links = append(out.Links, number("from ", e.Origin, n.pullURL(e.Origin)))
	}
	for i, issue := range e.Closes {
		before := ""
		if i == 0 {
			before = "closes "
		}
		out.Links = append(out.Links, number(before, issue.Number, issue.URL))
	}
	for i, name := range e.by(func(p Person) string { return clean(p.Login + p.Name) }) {
		out.By += strings.TrimPrefix(name.before(i), " by ") + name.text
	}
	for _, line := range e.More {
		if line = clean(line); line != "" {
			out.More = append(out.More, line)
		}
	}
	return out
}
