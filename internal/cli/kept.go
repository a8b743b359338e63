package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/org/pgo-release/internal/github"
	"github.com/org/pgo-release/internal/pack"
	"github.com/org/pgo-release/internal/provenance"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/sign"
)

// kept are the bundles that earlier runs left, in dist/ and in the draft. Whoever left
// them is not believed: a bundle is kept when it verifies as a new one would.
type kept struct {
	session *session
	outside outside
	here    map[string][]byte // in dist/, by name
	page    *github.Page      // nil: there is none

	once sync.Once
	held map[string]release.Published // assets of the page, by name

	mu       sync.Mutex
	replaced []release.File // bundles of other runs that took the place of this one's
}

// maxKept bounds a bundle that is read, in bytes; longer ones are made anew.
const maxKept = 16 << 20

// newKept reads the bundles of dist/; page may be nil. What cannot be read is not there.
func newKept(s *session, o outside, page *github.Page) *kept {
	k := &kept{session: s, outside: o, here: map[string][]byte{}, page: page}
	if o.signer == nil || s.dist.Check() != nil {
		return k
	}
	found, err := os.ReadDir(string(s.dist))
	if err != nil {
		return k
	}
	for _, e := range found {
		if info, err := e.Info(); err != nil || !info.Mode().IsRegular() || info.Size() > maxKept || !strings.HasSuffix(e.Name(), release.BundleSuffix) {
			continue
		}
		if text, err := os.ReadFile(filepath.Join(string(s.dist), e.Name())); err == nil {
			k.here[e.Name()] = text
		}
	}
	return k
}

// holding gives an earlier bundle of this name that holds for the subjects and the images;
// nil: there is none.
func (k *kept) holding(ctx context.Context, name string, subjects []release.Asset, images []release.Image) []byte {
	for _, find := range []func(context.Context, string) []byte{
		func(_ context.Context, name string) []byte { return k.here[name] }, k.download,
	} {
		if bundle := find(ctx, name); bundle != nil && k.check(name, bundle, subjects, images) == nil {
			return bundle
		}
	}
	return nil
}

// download fetches a bundle from the page.
func (k *kept) download(ctx context.Context, name string) []byte {
	k.once.Do(func() {
		k.held = map[string]release.Published{}
		if k.page == nil {
			return
		}
		assets, err := k.outside.github.Assets(ctx, *k.page)
		if err != nil {
			return // Ship asks again, and says so
		}
		for _, a := range assets {
			k.held[a.Name] = a
		}
	})
	held, ok := k.held[name]
	if !ok || held.Size > maxKept {
		return nil
	}
	var text bytes.Buffer
	if err := k.outside.github.Download(ctx, held, &text); err != nil {
		return nil
	}
	return text.Bytes()
}

// take puts a bundle that another run has on the page in the place of this run's, where
// it holds for what signed holds; else nil.
func (k *kept) take(ctx context.Context, held release.Published, own release.Asset, signed release.Signed) (*release.File, error) {
	if held.Size > maxKept {
		return nil, nil
	}
	var text bytes.Buffer
	if err := k.outside.github.Download(ctx, held, &text); err != nil {
		return nil, err
	}
	if k.check(held.Name, text.Bytes(), signed.Signs(held.Name), signed.Images) != nil {
		return nil, nil
	}
	file, err := pack.WriteFile(own.Path, text.Bytes())
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.replaced = append(k.replaced, file)
	return &file, nil
}

// check verifies an earlier bundle against what was made now.
func (k *kept) check(name string, bundle []byte, subjects []release.Asset, images []release.Image) error {
	n := k.outside.notary
	if name != release.ProvenanceName {
		_, err := n.trust.VerifyBlob(bundle, subjects[0].Digest, n.want)
		return err
	}
	text, signature, err := n.trust.VerifyStatement(bundle, subjects[0].Digest, n.want)
	if err != nil {
		return err
	}
	statement, err := provenance.Parse(text)
	if err != nil {
		return err
	}
	return k.says(statement, signature, subjects, images)
}

// says demands that a statement says of the subjects and the images what a new one would,
// but for the run that it speaks of.
func (k *kept) says(statement provenance.Statement, signature sign.Signature, subjects []release.Asset, images []release.Image) error {
	p := k.session.plan
	content, err := p.Content()
	if err != nil {
		return err
	}
	about := statement.Subjects()
	for _, s := range subjects {
		if about[s.Name] != s.Digest {
			return fmt.Errorf("it does not speak of %q", s.Name)
		}
	}
	same := slices.EqualFunc(statement.Images(), images, func(named provenance.Image, made release.Image) bool {
		return named.Repository == made.Repository && named.Digest == made.Digest
	})
	switch {
	case !same:
		return errors.New("it speaks of another image")
	case len(about) != len(subjects):
		return errors.New("it speaks of more")
	case statement.BuildType() != provenance.BuildType || statement.ContentDigest() != content:
		return errors.New("it speaks of another plan")
	case statement.Commit() != p.Commit || statement.Tag() != p.Tag || statement.Repository() != p.Repository.URL():
		return errors.New("it speaks of another release")
	case statement.BuilderID() != builderOf(signature):
		return errors.New("it speaks of another builder")
	}
	return nil
}

// howToVerify says how users check what was signed.
func (s *session) howToVerify(n notary, signed release.Signed) (string, error) {
	bundle, err := os.ReadFile(signed.Bundle.Path)
	if err != nil {
		return "", err
	}
	signature, err := n.trust.VerifyBlob(bundle, signed.Checksums.Digest, n.want)
	if err != nil {
		return "", fmt.Errorf("verifying %q: %w", signed.Bundle.Name, err)
	}
	repository := s.plan.Repository.String()
	var images []string
	for _, i := range signed.Images {
		images = append(images, i.Reference())
	}
	return howToVerify(ownCommand(repository, s.plan.Tag, signature, s.values.List("branches")),
		stockCommands(repository, signature, sign.OriginOf(bundle), images)), nil
}
