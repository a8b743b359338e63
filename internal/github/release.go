package github

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	gh "github.com/google/go-github/v60/github"

	"github.com/org/pgo-release/internal/release"
)

// Draft is a release that is to be opened.
type Draft struct {
	Tag        string
	Commit     string // what Tag names, or is to be made at when the remote has no such tag
	Title      string
	Body       string // Markdown, at most 125,000 characters
	Prerelease bool
	// Again puts the draft in the place of one for another commit.
	Again bool
	// Rewrite tells whether the text of a draft that is there gives way to Body; nil: never.
	Rewrite func(found Page) bool
}

// Page is a release as GitHub holds it. A Page that goes into a method needs no more than
// ID, Tag and Draft; whatever else the method has to know it asks GitHub for.
type Page struct {
	ID         int64
	Tag        string
	URL        string // of the page that people see; a draft's shows it to those who may write
	Draft      bool
	Body       string
	Prerelease bool
	Immutable  bool // its assets and its tag cannot change any more

	title  string
	target string // commit or branch at which publishing makes the tag, when there is none
	upload string // template of the address for uploads
}

// Find looks for the release of a tag; nil when there is none
// (https://docs.github.com/rest/releases/releases#list-releases). A published one
// wins. Of several drafts with the same text, which runs at the same time leave, the
// oldest is taken (see Settle). Other drafts of one tag are a Problem of class Rejected
// that names their addresses: which of them people work on is not for a program to guess.
func (c *Client) Find(ctx context.Context, tag string) (*Page, error) {
	fail := func(err error) (*Page, error) {
		return nil, fmt.Errorf("finding the release of tag %q: %w", tag, err)
	}
	page, err := c.published(ctx, tag)
	if err != nil {
		return fail(err)
	}
	if page != nil {
		return page, nil
	}
	pages, err := c.pages(ctx, tag)
	if err != nil {
		return fail(err)
	}
	if len(pages) == 0 {
		return nil, nil
	}
	if !slices.ContainsFunc(pages, func(p Page) bool { return !pages[0].twin(p) }) || !pages[0].Draft {
		return &pages[0], nil
	}
	return fail(tooMany(pages))
}

// tooMany says that a tag has drafts among which people have to choose.
func tooMany(pages []Page) error {
	var urls []string
	for _, p := range pages {
		urls = append(urls, p.URL)
	}
	return release.Reject("delete all but one of them and run again",
		"it has %d drafts: %s", len(pages), strings.Join(urls, ", "))
}

// twin tells whether two pages say the same, as those do that two runs of a release
// make.
func (p Page) twin(other Page) bool {
	return p.Tag == other.Tag && p.title == other.title && p.Body == other.Body
}

// published asks for the release that users see under a tag, one request for what is
// the common case of a run that has nothing left to do.
func (c *Client) published(ctx context.Context, tag string) (*Page, error) {
	var found releaseJSON
	_, err := c.call(ctx, http.MethodGet, "releases/tags/"+escaped(tag), nil, &found)
	if status(err) == http.StatusNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	page, err := found.page()
	return &page, err
}

// pages lists the releases of a tag, the published one first, then drafts, oldest
// first. Only the list of all releases has drafts: by its tag GitHub finds none.
func (c *Client) pages(ctx context.Context, tag string) ([]Page, error) {
	var out []Page
	err := each(ctx, c, "releases", func(r releaseJSON) error {
		if r.TagName != tag {
			return nil
		}
		page, err := r.page()
		out = append(out, page)
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(out, order)
	return out, nil
}

// order puts the published page before drafts, and older ones before newer ones.
func order(a, b Page) int {
	if a.Draft != b.Draft {
		if b.Draft {
			return -1
		}
		return 1
	}
	return cmp.Compare(a.ID, b.ID)
}

// Open finds the release of a tag, or makes a draft of it. A release that exists keeps
// its title and its text, whoever wrote them, unless d.Rewrite says otherwise. A tag that
// names another commit on the remote is a Problem of class Rejected; so is, where the tag
// is still to be made, a draft that would make it at another commit, unless d.Again. One
// that would make it at a branch gets d.Commit as its target.
func (c *Client) Open(ctx context.Context, d Draft) (Page, error) {
	found, err := c.Find(ctx, d.Tag)
	if err != nil {
		return Page{}, err
	}
	if found != nil && !found.Draft {
		return *found, nil
	}
	commit, err := c.TagCommit(ctx, d.Tag)
	if err != nil {
		return Page{}, err
	}
	if commit != "" && d.Commit != "" && commit != d.Commit {
		return Page{}, otherCommit(d.Tag, commit, d.Commit)
	}
	edit := releaseEdit{TagName: d.Tag}
	if commit == "" {
		// With the tag there the target is meaningless, and naming it can cost the
		// permission to change workflows.
		edit.TargetCommitish = d.Commit
	}
	if found == nil {
		draft, full := true, edit
		full.Name, full.Body, full.Draft, full.Prerelease = d.Title, d.Body, &draft, &d.Prerelease
		var made Page // by this run, or by another at the same time
		made, err = c.create(ctx, full)
		found = &made
	}
	page := *found
	if err == nil && page.Draft {
		page, err = c.adjust(ctx, page, edit, d)
	}
	if err != nil {
		return Page{}, fmt.Errorf("opening the release of tag %q: %w", d.Tag, untaggable(edit, err))
	}
	return page, nil
}

func otherCommit(tag, commit, want string) error {
	return release.Reject("release the commit that the tag names, or choose another version",
		"opening the release of tag %q: on GitHub the tag names commit %s, not %s", tag, commit, want)
}

// adjust makes a draft that is there fit.
func (c *Client) adjust(ctx context.Context, found Page, edit releaseEdit, d Draft) (Page, error) {
	retarget := edit.TargetCommitish != "" && found.target != edit.TargetCommitish
	if retarget && fullCommit.MatchString(found.target) && !d.Again {
		return Page{}, release.Reject("look at the draft; to make the release anew in its place: --rebuild",
			"the draft %s is of commit %s, not %s", found.URL, found.target, edit.TargetCommitish)
	}
	if d.Rewrite != nil && d.Rewrite(found) && !sameText(found.Body, d.Body) {
		edit.Name, edit.Body = d.Title, d.Body
	}
	if !retarget && edit.Body == "" {
		return found, nil
	}
	return c.edit(ctx, found, edit, func(p Page) bool {
		return (edit.TargetCommitish == "" || p.target == edit.TargetCommitish) && (edit.Body == "" || sameText(p.Body, edit.Body))
	})
}

// sameText compares texts as GitHub may keep them: with other line ends, and without
// blanks at the end.
func sameText(a, b string) bool {
	plain := func(text string) string { return strings.TrimSpace(strings.ReplaceAll(text, "\r\n", "\n")) }
	return plain(a) == plain(b)
}

// untaggable adds what may stand behind the refusal of a tag that is to be made.
func untaggable(edit releaseEdit, err error) error {
	var a *answer
	switch {
	case !errors.As(err, &a):
	case strings.Contains(a.text, "immutable release"):
		return release.Reject("release the next version: an immutable release's tag can never be used again, not even when the release is deleted", "%w", a)
	case strings.Contains(a.text, "Cannot create ref"), strings.Contains(a.text, "protected"):
		return release.Refuse("a rule of the repository says who may make such tags: push the tag yourself (git push origin "+edit.TagName+
			"), or let GitHub Actions bypass the rule (Settings, Rules)", "%w", a)
	case edit.TargetCommitish != "" && (a.status == http.StatusForbidden || a.status == http.StatusNotFound):
		return release.Refuse("give the job permissions: contents: write; where that is given, the commit has other workflow files than the default branch, "+
			"and a workflow's token may not tag it: push the tag yourself (git push origin "+edit.TagName+")", "%w", a)
	}
	return err
}

// create makes the draft (https://docs.github.com/rest/releases/releases#create-a-release).
func (c *Client) create(ctx context.Context, draft releaseEdit) (Page, error) {
	own := false
	page, err := settle(ctx, c, func() (Page, error) {
		var made releaseJSON
		if _, err := c.call(ctx, http.MethodPost, "releases", draft, &made); err != nil {
			return Page{}, err
		}
		own = true
		return made.page()
	}, func() (Page, bool, error) {
		found, err := c.Find(ctx, draft.TagName)
		if found == nil {
			return Page{}, false, err
		}
		return *found, true, nil
	})
	if err != nil || !own {
		return page, err
	}
	return c.yield(ctx, page)
}

// reread asks for a release by its number
// (https://docs.github.com/rest/releases/releases#get-a-release).
func (c *Client) reread(ctx context.Context, id int64) (Page, error) {
	var r releaseJSON
	if _, err := c.call(ctx, http.MethodGet, fmt.Sprintf("releases/%d", id), nil, &r); err != nil {
		return Page{}, err
	}
	return r.page()
}

// edit changes a release until done says that it has become what it should
// (https://docs.github.com/rest/releases/releases#update-a-release).
func (c *Client) edit(ctx context.Context, page Page, edit releaseEdit, done func(Page) bool) (Page, error) {
	path := fmt.Sprintf("releases/%d", page.ID)
	after, err := settle(ctx, c, func() (Page, error) {
		var r releaseJSON
		if _, err := c.call(ctx, http.MethodPatch, path, edit, &r); err != nil {
			return Page{}, err
		}
		return r.page()
	}, func() (Page, bool, error) {
		p, err := c.reread(ctx, page.ID)
		return p, err == nil && done(p), err
	})
	if err == nil && (after.Tag != edit.TagName || !done(after)) {
		err = fmt.Errorf("GitHub took the change and did not make it: tag %q, draft %t, target %q",
			line(after.Tag), after.Draft, line(after.target))
	}
	return after, err
}

// Publish makes a draft public, and its tag at the commit where there is none
// (https://docs.github.com/rest/releases/releases#update-a-release). latest says
// whether it becomes the repository's latest release; a prerelease never does. A page
// that is public already is returned as it is. A tag, or a draft for a tag, of another
// commit is a Problem of class Rejected.
func (c *Client) Publish(ctx context.Context, page Page, commit string, latest, prerelease bool) (Page, error) {
	if !page.Draft {
		return page, nil
	}
	fail := func(err error) (Page, error) {
		return Page{}, fmt.Errorf("publishing the release of tag %q: %w", page.Tag, err)
	}
	named, err := c.TagCommit(ctx, page.Tag)
	if err != nil {
		return fail(err)
	}
	now, err := c.reread(ctx, page.ID)
	if err != nil {
		return fail(err)
	}
	if !now.Draft {
		return now, nil
	}
	draft := false
	edit := releaseEdit{TagName: page.Tag, Draft: &draft, Prerelease: &prerelease, MakeLatest: fmt.Sprint(latest && !prerelease)}
	switch {
	case named == commit:
	case named != "":
		return fail(otherCommit(page.Tag, named, commit))
	case now.target != commit:
		return fail(release.Reject("look at the draft, and run again", "the draft %s is of %q now, not of commit %s", now.URL, line(now.target), commit))
	default: // sent again, so that the tag cannot end up at the default branch
		edit.TargetCommitish = commit
	}
	after, err := c.edit(ctx, page, edit, func(p Page) bool { return !p.Draft })
	if err != nil {
		return fail(untaggable(edit, err))
	}
	return after, nil
}

// CheckWrite asks GitHub for generated notes, which only a token that may write
// releases gets, and which changes nothing
// (https://docs.github.com/rest/releases/releases#generate-release-notes-content-for-a-release).
// previous may be empty. An error of class Authorisation says that it may not. GitHub
// judges the permission first: where it has something against the tags after that, or no
// time to write notes, there is no error.
func (c *Client) CheckWrite(ctx context.Context, tag, previous string) error {
	options := &gh.GenerateNotesOptions{TagName: tag}
	if previous != "" {
		options.PreviousTagName = &previous
	}
	for try := 1; ; try++ {
		_, _, err := c.api.Repositories.GenerateReleaseNotes(ctx, c.repo.Owner, c.repo.Name, options)
		err = cause(err)
		switch {
		case err == nil, status(err) == http.StatusUnprocessableEntity, try == maxTries && status(err) >= http.StatusInternalServerError:
			return nil
		case try == maxTries, !unsure(ctx, err):
			return fmt.Errorf("checking that the token may write releases of %q: %w", c.repo, err)
		}
		if err := c.wait(ctx, backoff(try)); err != nil {
			return err
		}
	}
}

// HasCommit tells whether GitHub has a commit, so that a tag can be made there
// (https://docs.github.com/rest/git/commits#get-a-commit-object).
func (c *Client) HasCommit(ctx context.Context, commit string) (bool, error) {
	_, err := c.call(ctx, http.MethodGet, "git/commits/"+commit, nil, nil)
	if s := status(err); s == http.StatusNotFound || s == http.StatusUnprocessableEntity {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("looking for commit %q in %q: %w", commit, c.repo, err)
	}
	return true, nil
}
