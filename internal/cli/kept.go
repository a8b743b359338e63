package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/org/pgo-release/internal/github"
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
	page    *github.Page      // nil: there is no draft

	once  sync.Once
	sizes map[string]int64 // of the draft's bundles, by name
}

// maxKept bounds a bundle that is read, in bytes; longer ones are made anew.
const maxKept = 16 << 20

// newKept reads the bundles of dist/. What cannot be read is not there.
func newKept(s *session, o outside) *kept {
	k := &kept{session: s, outside: o, here: map[string][]byte{}}
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

// holding gives an earlier bundle of this name that holds for the subjects; nil: there
// is none.
func (k *kept) holding(ctx context.Context, name string, subjects []release.Asset) []byte {
	for _, find := range []func(context.Context, string) []byte{
		func(_ context.Context, name string) []byte { return k.here[name] }, k.download,
	} {
		if bundle := find(ctx, name); bundle != nil && k.check(name, bundle, subjects) == nil {
			return bundle
		}
	}
	return nil
}

// download fetches a bundle from the draft.
func (k *kept) download(ctx context.Context, name string) []byte {
	k.once.Do(func() {
		k.sizes = map[string]int64{}
		if k.page == nil || !k.page.Draft {
			return
		}
		assets, err := k.outside.github.Assets(ctx, *k.page)
		if err != nil {
			return // Ship asks again, and says so
		}
		for _, a := range assets {
			k.sizes[a.Name] = a.Size
		}
	})
	if size, ok := k.sizes[name]; !ok || size > maxKept {
		return nil
	}
	var text bytes.Buffer
	if err := k.outside.github.Download(ctx, *k.page, name, &text); err != nil {
		return nil
	}
	return text.Bytes()
}

// check verifies an earlier bundle against what was made now.
func (k *kept) check(name string, bundle []byte, subjects []release.Asset) error {
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
	return k.says(statement, signature, subjects)
}

// says demands that a statement says of the subjects what a new one would, but for the
// run that it speaks of.
func (k *kept) says(statement provenance.Statement, signature sign.Signature, subjects []release.Asset) error {
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
	switch {
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
	return howToVerify(s.plan, stockCommands(s.plan.Repository.String(), signature, sign.OriginOf(bundle))), nil
}
