package notes

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/org/pgo-release/internal/release"
)

// MaxBytes is how long the body of a release may get. GitHub refuses one of more than
// 125,000 characters.
const MaxBytes = 124_000

// untitled stands for a title in which nothing can be seen.
const untitled = "(no title)"

// omission is what is left out of the notes where they are too long.
type omission struct {
	direct       bool // commits that came without a pull request
	modules      bool // the dependencies
	contributors bool
}

// Markdown writes the notes as the body of a release: at most limit bytes, valid UTF-8,
// nothing in it that an author of a title could have made act. What does not fit is left
// out in this order: direct commits, dependencies, contributors, entries; whole is false
// then, and the text says where everything is.
func (n Notes) Markdown(limit int) (text string, whole bool) {
	if text = n.write(omission{}); len(text) <= limit {
		return text, true
	}
	hint := "\nThe complete notes are in " + release.NotesName + ".\n"
	for _, o := range []omission{{direct: true}, {direct: true, modules: true}, {direct: true, modules: true, contributors: true}} {
		if text = n.write(o); len(text)+len(hint) <= limit {
			return text + hint, false
		}
	}
	return n.cut(limit), false
}

// Whole writes all of the notes as Markdown, however long they are.
func (n Notes) Whole() string { return n.write(omission{}) }

// write writes everything but what is omitted.
func (n Notes) write(o omission) string {
	var out strings.Builder
	separate := func() {
		if out.Len() > 0 {
			out.WriteString("\n")
		}
	}
	if n.Initial {
		out.WriteString("Initial release.\n")
	}
	for _, s := range n.Sections {
		if s.Folded {
			continue
		}
		var lines strings.Builder
		for _, e := range s.Entries {
			if e.Number > 0 || !o.direct {
				lines.WriteString(n.item(e))
			}
		}
		if lines.Len() > 0 {
			separate()
			fmt.Fprintf(&out, "### %s\n\n%s", Escape(s.Title), lines.String())
		}
	}
	if text := n.dependencies(); text != "" && !o.modules {
		separate()
		out.WriteString(text)
	}
	if len(n.Contributors) > 0 && !o.contributors {
		separate()
		out.WriteString("### New contributors\n\n")
		for _, c := range n.Contributors {
			fmt.Fprintf(&out, "- %s made their first contribution in %s\n", mention(Person{Login: c.Login, Known: true}), link(c.Number, c.URL))
		}
	}
	if out.Len() == 0 {
		out.WriteString("No changes.\n")
	}
	return out.String() + n.footer()
}

// cut writes entries as long as there is room, and how many are missing.
func (n Notes) cut(limit int) string {
	var out strings.Builder
	end := n.footer()
	total, shown := 0, 0
	for _, s := range n.Sections {
		if !s.Folded {
			total += len(s.Entries)
		}
	}
	room := limit - len(end) - len("\n9999999 more in \n") - len(release.NotesName)
write:
	for _, s := range n.Sections {
		heading := "### " + Escape(s.Title) + "\n\n"
		if out.Len() > 0 {
			heading = "\n" + heading
		}
		for _, e := range s.Entries {
			e.More = nil
			line := heading + n.item(e)
			switch {
			case s.Folded, e.Number == 0: // left out before
				continue
			case out.Len()+len(line) > room:
				break write
			}
			out.WriteString(line)
			heading = ""
			shown++
		}
	}
	fmt.Fprintf(&out, "\n%d more in %s\n", total-shown, release.NotesName)
	return out.String() + end
}

// item is an entry as an item of a list; further lines of it are a list below.
func (n Notes) item(e Entry) string {
	var out strings.Builder
	out.WriteString("- ")
	if scope := Escape(e.Scope); scope != "" {
		out.WriteString("**" + scope + ":** ")
	}
	if text := Escape(e.Text); text != "" {
		out.WriteString(text)
	} else {
		out.WriteString(untitled)
	}
	out.WriteString(n.references(e))
	for i, name := range e.by(mention) {
		out.WriteString(name.before(i) + name.text)
	}
	out.WriteString("\n")
	for _, line := range e.More {
		if line = Escape(line); line != "" {
			out.WriteString("  - " + line + "\n")
		}
	}
	return out.String()
}

// name is one of several in a sentence.
type name struct {
	text string
	last bool
}

func (n name) before(i int) string {
	switch {
	case i == 0:
		return " by "
	case n.last:
		return " and "
	}
	return ", "
}

// by are the people of an entry.
func (e Entry) by(write func(Person) string) []name {
	var out []name
	for _, p := range e.Authors {
		out = append(out, name{text: write(p)})
	}
	if e.Unnamed > 0 {
		out = append(out, name{text: fmt.Sprintf("%d more", e.Unnamed)})
	}
	if len(out) > 0 {
		out[len(out)-1].last = true
	}
	return out
}

// references are the pull request or commit of an entry, where it comes from and what
// it closes, in brackets.
func (n Notes) references(e Entry) string {
	var words []string
	switch {
	case e.Number > 0:
		words = append(words, link(e.Number, cmp.Or(e.URL, n.pullURL(e.Number))))
	case hash.MatchString(e.SHA) && n.Repository.Owner != "":
		words = append(words, fmt.Sprintf("[%.7s](%s/commit/%s)", e.SHA, n.Repository.URL(), e.SHA))
	case hash.MatchString(e.SHA):
		words = append(words, fmt.Sprintf("%.7s", e.SHA))
	}
	if e.Origin > 0 && e.Origin != e.Number {
		words = append(words, "from "+link(e.Origin, n.pullURL(e.Origin)))
	}
	for i, issue := range e.Closes {
		word := link(issue.Number, issue.URL)
		if i == 0 {
			word = "closes " + word
		}
		words = append(words, word)
	}
	if len(words) == 0 {
		return ""
	}
	return " (" + strings.Join(words, ", ") + ")"
}

// link is the number of a pull request or an issue, which leads there where it is known
// where that is.
func link(number int, url string) string {
	if safeURL(url) {
		return fmt.Sprintf("[#%d](%s)", number, url)
	}
	return fmt.Sprintf("#%d", number)
}

// pullURL is the page of a pull request of the repository, or empty.
func (n Notes) pullURL(number int) string {
	if n.Repository.Owner == "" {
		return ""
	}
	return fmt.Sprintf("%s/pull/%d", n.Repository.URL(), number)
}

// mention names a person, and tells those on GitHub who took part: a name in a message
// is anybody's to write.
func mention(p Person) string {
	if p.Known && login.MatchString(p.Login) {
		return "@" + p.Login
	}
	if name := Escape(p.Login + p.Name); name != "" {
		return name
	}
	return "(no name)"
}

// dependencies are the modules that changed, and the pull requests that did it, folded.
func (n Notes) dependencies() string {
	var entries []Entry
	for _, s := range n.Sections {
		if s.Folded {
			entries = append(entries, s.Entries...)
		}
	}
	m := n.Modules
	if len(entries) == 0 && len(m.Direct) == 0 && m.Indirect == 0 {
		return ""
	}
	var out strings.Builder
	title := dependencies
	if slices.ContainsFunc(n.Sections, func(s Section) bool { return !s.Folded && s.Title == dependencies }) {
		title = "Modules" // the repository has a category of that name
	}
	fmt.Fprintf(&out, "### %s\n\n<details><summary>%s</summary>\n\n", title, m.summary(len(entries)))
	if len(m.Direct) > 0 {
		out.WriteString("| module | from | to |\n|---|---|---|\n")
		for _, c := range m.Direct {
			fmt.Fprintf(&out, "| %s | %s | %s |\n", Escape(c.Path), Escape(cmp.Or(c.From, "new")), Escape(cmp.Or(c.To, "removed")))
		}
		out.WriteString("\n")
	}
	for _, e := range entries {
		out.WriteString(n.item(e))
	}
	if len(entries) > 0 {
		out.WriteString("\n")
	}
	out.WriteString("</details>\n")
	return out.String()
}

// summary says in a few words what changed.
func (m Modules) summary(pulls int) string {
	var words []string
	for _, part := range []struct {
		n         int
		one, many string
	}{
		{len(m.Direct), "direct module", "direct modules"}, {m.Indirect, "indirect module", "indirect modules"}, {pulls, "change", "changes"},
	} {
		switch {
		case part.n == 1:
			words = append(words, "1 "+part.one)
		case part.n > 1:
			words = append(words, fmt.Sprintf("%d %s", part.n, part.many))
		}
	}
	return strings.Join(words, ", ")
}

func (n Notes) footer() string {
	if at := n.compareURL(); at != "" {
		return "\n**Full changelog**: " + at + "\n"
	}
	return ""
}

// compareURL is the page with everything that changed; empty where it is not known.
func (n Notes) compareURL() string {
	if n.Repository.Owner == "" {
		return ""
	}
	from, to := pathOf(n.Previous), pathOf(n.Tag)
	if n.Previous == "" {
		return fmt.Sprintf("%s/commits/%s", n.Repository.URL(), to)
	}
	return fmt.Sprintf("%s/compare/%s...%s", n.Repository.URL(), from, to)
}

// pathOf is a tag as the end of a URL: the slashes of a module's prefix stay.
func pathOf(tag string) string { return strings.ReplaceAll(url.PathEscape(tag), "%2F", "/") }
