// Package plan turns what the user wants (Config) and what the repository is
// (Facts) into a Plan: everything that a release will make and publish, with every
// name in it. It is pure: the same input gives the same bytes, and whatever can be
// rejected without doing anything is rejected here, before the first compile.
package plan

// Config is what the user wants: the file .pgo-release.yaml, then the scalar options
// on top of it. The zero value is a valid configuration. Fields tagged yaml:"-" are
// options only. The doc comments are the descriptions of the file's JSON Schema.
type Config struct {
	Project   string   `yaml:"project" json:"project,omitempty" jsonschema:"description=Name of the project; default: the last element of the module path"`
	Builds    []Build  `yaml:"builds" json:"builds,omitempty" jsonschema:"description=What to compile; default: every main package in the module's root and in cmd/*"`
	Platforms []string `yaml:"platforms" json:"platforms,omitempty" jsonschema:"description=os/arch or os/arch/variant; default: linux\\, darwin and windows on amd64 and arm64,example=linux/arm/v7"`
	Include   []string `yaml:"include" json:"include,omitempty" jsonschema:"description=Patterns of files that the repository does not hold and the build needs\\, relative to the module; copied into the clone"`
	Prepare   []string `yaml:"prepare" json:"prepare,omitempty" jsonschema:"description=Commands to run in the clone before compiling\\, one per line\\, without a shell"`
	Archives  Archives `yaml:"archives" json:"archives,omitzero" jsonschema:"description=How binaries are packed"`
	Image     Image    `yaml:"image" json:"image,omitzero" jsonschema:"description=The container image; of several\\, what they have in common"`
	Images    []Image  `yaml:"images" json:"images,omitempty" jsonschema:"description=Several container images instead of one with all programs"`
	Sign      string   `yaml:"sign" json:"sign,omitempty" jsonschema:"enum=keyless,enum=key,enum=all,enum=none,description=How the release is signed: keyless with the identity of the workflow\\, with the key of the option key\\, all for a signature beside every file as well\\, or none; default: keyless"`
	Notes     Notes    `yaml:"notes" json:"notes,omitzero" jsonschema:"description=The release notes"`

	Environments map[string]Environment `yaml:"environments" json:"environments,omitempty" jsonschema:"description=What a release to an environment does otherwise\\, by the environment's name; production and staging are built in"`

	VersionPolicy   string `yaml:"version-policy" json:"version-policy,omitempty" jsonschema:"enum=off,enum=warn,enum=standard,enum=strict,description=How strictly versions are judged; default: standard"`
	API             string `yaml:"api" json:"api,omitempty" jsonschema:"enum=compare,enum=ignore,description=What the exported Go API counts for the version; ignore: its packages are not meant for others; default: compare"`
	PrereleaseStyle string `yaml:"prerelease-style" json:"prerelease-style,omitempty" jsonschema:"enum=dotted,enum=any,description=How a prerelease is written; default: dotted\\, as in rc.1"`

	Key            string `yaml:"-" json:"-"` // to sign with instead of the workflow's identity; only whether there is one counts here
	Tag            string `yaml:"-" json:"-"` // what to release when HEAD carries no tag
	Repository     string `yaml:"-" json:"-"` // owner/name on GitHub; empty: from the facts
	PreviousTag    string `yaml:"-" json:"-"` // that the notes start from; empty: decided by the version policy
	AllowRetracted bool   `yaml:"-" json:"-"` // the version only carries retractions
	Snapshot       bool   `yaml:"-" json:"-"` // the working tree as it is
	Draft          bool   `yaml:"-" json:"-"` // leave the release a draft
	Environment    string `yaml:"-" json:"-"` // that is released to; empty: production
}

// Build is one program.
type Build struct {
	Name      string            `yaml:"name" json:"name,omitempty" jsonschema:"description=What the archives are called; default: the name of the binary"`
	Main      string            `yaml:"main" json:"main" jsonschema:"required,description=Directory of the main package\\, relative to the module,example=./cmd/app"`
	Binary    string            `yaml:"binary" json:"binary,omitempty" jsonschema:"description=Name of the executable without .exe; default: the name of the package's directory"`
	Platforms []string          `yaml:"platforms" json:"platforms,omitempty" jsonschema:"description=Platforms of this build; default: the platforms of the file"`
	Ldflags   []string          `yaml:"ldflags" json:"ldflags,omitempty" jsonschema:"description=Linker flags\\, instead of -s -w and the three -X main.version\\, main.commit and main.date; may use {{.Version}} {{.Tag}} {{.Commit}} {{.Date}} {{.Os}} {{.Arch}}"`
	Tags      []string          `yaml:"tags" json:"tags,omitempty" jsonschema:"description=Go build tags"`
	Env       map[string]string `yaml:"env" json:"env,omitempty" jsonschema:"description=Environment of the go command; may use the fields of ldflags"`
}

// Archives says how binaries are packed.
type Archives struct {
	Format  string   `yaml:"format" json:"format,omitempty" jsonschema:"enum=tar.gz,enum=tar.zst,enum=zip,description=Default: tar.gz"`
	Windows string   `yaml:"windows" json:"windows,omitempty" jsonschema:"enum=tar.gz,enum=tar.zst,enum=zip,description=Format for Windows; default: zip"`
	Files   []string `yaml:"files" json:"files,omitempty" jsonschema:"description=Patterns of files beside the binary\\, relative to the module; default: LICENSE*\\, README*\\, CHANGELOG*"`
}

// Notes says what the release notes leave out.
type Notes struct {
	ExcludeLabels  []string `yaml:"exclude-labels" json:"exclude-labels,omitempty" jsonschema:"description=Labels of pull requests that are not listed; default: ignore-for-release\\, skip-changelog\\, release-note-none"`
	ExcludeAuthors []string `yaml:"exclude-authors" json:"exclude-authors,omitempty" jsonschema:"description=Logins whose pull requests are not listed"`
}
