package cli

import (
	"github.com/org/pgo-release/internal/engine"
	"github.com/org/pgo-release/internal/github"
	"github.com/org/pgo-release/internal/image"
	"github.com/org/pgo-release/internal/task"
)

// Pages is GitHub as Ship sees it in a release.
func Pages(client *github.Client) engine.Releases { return pages{client: client} }

// Registry is a registry as Ship sees it in a release.
func Registry(access image.Access) engine.Registry {
	return registry{access, image.Access{}, func(task.Event) {}}
}
