package repo

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/org/pgo-release/internal/release"
)

// tree is the list of a commit's files.
type tree struct {
	commit string
	names  []string // sorted
}

func (r *Repo) tree(ctx context.Context, commit string) (tree, error) {
	out, err := r.gitTop(ctx, "ls-tree", "-r", "-z", "--name-only", commit)
	if err != nil {
		return tree{}, fmt.Errorf("listing the files of commit %s: %w", commit, err)
	}
	names := strings.Split(strings.TrimSuffix(out, "\x00"), "\x00")
	slices.Sort(names)
	return tree{commit: commit, names: names}, nil
}

func (t tree) has(name string) bool {
	_, ok := slices.BinarySearch(t.names, name)
	return ok
}

// moduleDir is the nearest directory at or above dir that holds a go.mod, as the go
// command finds it.
func (t tree) moduleDir(dir string) (string, error) {
	for at := path.Clean(dir); ; at = path.Dir(at) {
		if t.has(path.Join(at, "go.mod")) {
			return at, nil
		}
		if at == "." {
			return "", release.Reject("run go mod init and commit go.mod, or name the module's directory with -C",
				"not a Go module: commit %.7s has no go.mod in %q or above", t.commit, path.Clean(dir))
		}
	}
}

// read returns the content of files of the commit, in one call.
func (r *Repo) read(ctx context.Context, t tree, names []string) (map[string][]byte, error) {
	var input bytes.Buffer
	for _, name := range names {
		if strings.ContainsRune(name, '\n') {
			return nil, fmt.Errorf("reading %q: a line break in a file's name", name)
		}
		fmt.Fprintf(&input, "%s:%s\n", t.commit, name)
	}
	out, err := r.git.Feed(ctx, r.top, input.Bytes(), "git", append(slices.Clone(hardened), "cat-file", "--batch")...)
	if err != nil {
		return nil, fmt.Errorf("reading files of commit %s: %w", t.commit, err)
	}
	content := make(map[string][]byte, len(names))
	in := bufio.NewReader(bytes.NewReader(out))
	for _, name := range names {
		header, err := in.ReadString('\n')
		if err != nil {
			return nil, fmt.Errorf("reading %q of commit %s: %w", name, t.commit, err)
		}
		fields := strings.Fields(header)
		if len(fields) != 3 || fields[1] != "blob" {
			return nil, fmt.Errorf("reading %q of commit %s: git says %q", name, t.commit, strings.TrimSpace(header))
		}
		size, err := strconv.Atoi(fields[2])
		if err != nil {
			return nil, fmt.Errorf("reading %q of commit %s: %w", name, t.commit, err)
		}
		body := make([]byte, size+1) // and the line break that ends it
		if _, err := io.ReadFull(in, body); err != nil {
			return nil, fmt.Errorf("reading %q of commit %s: %w", name, t.commit, err)
		}
		content[name] = body[:size]
	}
	return content, nil
}
