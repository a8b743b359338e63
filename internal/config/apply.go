package config

import (
	"slices"

	"github.com/org/pgo-release/internal/plan"
)

// NoImage is the value of the option image for no image at all.
const NoImage = "none"

// Apply puts the options that were given on top of the file's configuration. Platforms
// that were given replace those of every build; an image that was given is made even
// where the file skips it. cfg itself is not changed.
func Apply(cfg plan.Config, v Values) plan.Config {
	platforms := v.List("platforms")
	if v.Bool("single-target") {
		platforms = []string{plan.Host()}
	}
	if len(platforms) > 0 {
		cfg.Platforms = platforms
		cfg.Builds = slices.Clone(cfg.Builds)
		for i := range cfg.Builds {
			cfg.Builds[i].Platforms = nil
		}
	}
	switch image := v.String("image"); image {
	case "":
	case NoImage:
		cfg.Image.Skip = true
	default:
		cfg.Image.Repository, cfg.Image.Skip = image, false
	}
	if sign := v.String("sign"); sign != "" {
		cfg.Sign = sign
	}
	if policy := v.String("version-policy"); policy != "" {
		cfg.VersionPolicy = policy
	}
	if style := v.String("prerelease-style"); style != "" {
		cfg.PrereleaseStyle = style
	}
	if api := v.String("api"); api != "" {
		cfg.API = api
	}
	cfg.Key = v.String("key")
	cfg.Tag = v.String("tag")
	cfg.PreviousTag = v.String("previous-tag")
	cfg.AllowRetracted = v.Bool("allow-retracted")
	cfg.Repository = v.String("repository")
	cfg.Snapshot = v.Bool("snapshot")
	cfg.Draft = v.Bool("draft")
	cfg.Environment = v.String("environment")
	return cfg
}
