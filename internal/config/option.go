// Package config turns what the user says into a plan.Config: the scalar options,
// from flags, inputs of the action and the environment, and the file
// .pgo-release.yaml. One table holds every option once; the command line, action.yml
// and the README's table come from it, and the file's JSON Schema comes from the types
// of package plan.
package config

import "slices"

// Kind says what an option's value is.
type Kind string

// The kinds of options.
const (
	KindString    Kind = "string"
	KindBool      Kind = "bool"      // true or false
	KindList      Kind = "list"      // separated by commas or line ends
	KindDirectory Kind = "directory" // of this machine
	KindFile      Kind = "file"      // of this machine; relative to the option directory
)

// Option is one scalar option.
type Option struct {
	Name         string   // of the flag, in kebab case and without dashes
	Short        string   // one-letter flag; empty: none
	Input        string   // of the action; empty: the action does not have it
	Env          string   // environment variable that gives it; empty: none
	Default      string   // value when nobody says otherwise
	InputDefault string   // value that action.yml writes into the workflow's place; empty: none
	Help         string   // one sentence, without a full stop
	Kind         Kind     //
	Choices      []string // the values there are; nil: any
	Secret       bool     // never printed
	Action       bool     // of the action alone: the command line says it otherwise
	Commands     []string // that take it; nil: all
}

// Takes tells whether a command takes the option.
func (o Option) Takes(command string) bool {
	return o.Commands == nil || slices.Contains(o.Commands, command)
}

// DefaultFile is the configuration file that is read where it exists.
const DefaultFile = ".pgo-release.yaml"

// The commands that only some options belong to.
const (
	cmdCheck    = "check"
	cmdNotes    = "notes"
	cmdPlan     = "plan"
	cmdBuild    = "build"
	cmdRehearse = "rehearse"
	cmdRelease  = "release"
	cmdVerify   = "verify"
	cmdAttest   = "attest"
)

// Modes are the commands that the action runs, the default one first.
func Modes() []string { return []string{cmdRelease, cmdCheck, cmdPlan, cmdRehearse} }

// modeOption is the input of the action that says which command it runs.
const modeOption = "mode"

// Options is the table, in the order of help: what is released, how, with what
// rights, then what every command has. The caller may change the slice.
func Options() []Option {
	planning := []string{cmdPlan, cmdBuild, cmdRehearse, cmdRelease}
	judging := append([]string{cmdCheck}, planning...)
	what := []Option{
		{Name: modeOption, Input: modeOption, InputDefault: cmdRelease, Kind: KindString, Choices: Modes(), Action: true, Commands: []string{},
			Help: "What the action does: release, check whether the version may be released or which one comes next, plan, or rehearse"},
		{Name: "tag", Input: "tag", Kind: KindString, Commands: append(slices.Clone(judging), cmdVerify),
			Help: "Version tag to release, such as v1.2.3, or auto for the one that comes next; without it, the tag that points at the commit; or the one that a directory to verify is of"},
		{Name: "environment", Input: "environment", Kind: KindString, Commands: planning,
			Help: "Environment to release to: production, staging for a draft that production publishes, or one of the configuration; without it, production"},
	}
	return slices.Concat(what, policyOptions(judging), []Option{
		{Name: "platforms", Input: "platforms", Kind: KindList, Commands: planning,
			Help: "Platforms as os/arch or os/arch/variant, instead of those of the configuration"},
		{Name: "repository", Input: "repository", Env: "GITHUB_REPOSITORY", Kind: KindString,
			Commands: append(slices.Clone(judging), cmdNotes, cmdVerify, cmdAttest),
			Help:     "Repository on GitHub as OWNER/NAME; without it, the one that the remote origin names"},
		{Name: "image", Input: "image", Kind: KindString, Commands: []string{cmdPlan, cmdBuild, cmdRehearse, cmdRelease, cmdVerify},
			Help: "Repository of the container image, such as ghcr.io/owner/app, or none"},
		{Name: "plain-http", Input: "plain-http", Kind: KindBool, Default: "false", Commands: append(slices.Clone(planning), cmdVerify, cmdAttest),
			Help: "Reach registries of images without TLS; those on this machine are in any case"},
		{Name: "draft", Input: "draft", Kind: KindBool, Default: "false", Commands: []string{cmdPlan, cmdRehearse, cmdRelease},
			Help: "Leave the release a draft"},
		{Name: "single-target", Kind: KindBool, Default: "false", Commands: []string{cmdBuild},
			Help: "Build for this machine's platform only"},
		{Name: "snapshot", Kind: KindBool, Default: "false", Commands: []string{cmdBuild},
			Help: "Build the working tree as it is, with a version that says so"},
		{Name: "docker-tar", Kind: KindBool, Default: "false", Commands: []string{cmdBuild},
			Help: "Write dist/image.tar as well, for docker load"},
		{Name: "format", Kind: KindString, Default: "md", Choices: []string{"md", "json", "html", "changelog"}, Commands: []string{cmdNotes},
			Help: "Format of the notes: md, json, html, or changelog for a section of a CHANGELOG.md"},
		{Name: "output", Short: "o", Kind: KindFile, Commands: []string{cmdNotes},
			Help: "File to write, relative to the directory; without it, standard output"},
		{Name: "update-changelog", Kind: KindBool, Default: "false", Commands: []string{cmdNotes},
			Help: "Put the section into CHANGELOG.md, or into the file that output names"},
		{Name: "token", Input: "token", Env: "GITHUB_TOKEN", InputDefault: "${{ github.token }}", Kind: KindString, Secret: true,
			Commands: []string{cmdCheck, cmdNotes, cmdRelease, cmdVerify, cmdAttest},
			Help:     "Token for GitHub and its registry"},
		{Name: "api-url", Env: "GITHUB_API_URL", Kind: KindString, Commands: []string{cmdCheck, cmdNotes, cmdRelease, cmdVerify, cmdAttest},
			Help: "Address of GitHub's API; without it, github.com's"},
		{Name: "upload-url", Env: "GITHUB_UPLOAD_URL", Kind: KindString, Commands: []string{cmdRelease, cmdVerify},
			Help: "Address that assets are uploaded to; without it, the one that belongs to the API"},
	}, signingOptions(), []Option{
		{Name: "private-modules", Input: "private-modules", Env: "GOPRIVATE", Kind: KindString, Commands: append(slices.Clone(judging), cmdVerify),
			Help: "Patterns of modules that no public proxy has, as GOPRIVATE takes them, such as github.com/owner/*"},
		{Name: "private-token", Input: "private-token", Kind: KindString, Secret: true, Commands: append(slices.Clone(judging), cmdVerify),
			Help: "Token that the go command fetches private modules from github.com with"},
		{Name: "parallelism", Input: "parallelism", Kind: KindString, Commands: []string{cmdBuild, cmdRehearse, cmdRelease, cmdVerify},
			Help: "How many builds of the go command run at once, each of which uses every processor; without it, one, and another while it links when memory allows"},
		{Name: "max-memory", Input: "max-memory", Kind: KindString, Commands: []string{cmdBuild, cmdRehearse, cmdRelease, cmdVerify},
			Help: "Memory that compilers may take together, such as 4GB; without it, and without parallelism, what the machine or its control group has free"},
		{Name: "directory", Short: "C", Input: "working-directory", Kind: KindDirectory, Default: ".",
			Help: "Directory of the Go module"},
		{Name: "config", Input: "config", Kind: KindFile, Default: DefaultFile, Commands: append(slices.Clone(judging), cmdNotes),
			Help: "Configuration file, relative to the directory; the default one may be absent"},
		{Name: "timings", Kind: KindBool, Default: "false", Commands: []string{cmdBuild, cmdRehearse, cmdRelease},
			Help: "Show at the end what took how long, and how much memory"},
		{Name: "json", Kind: KindBool, Default: "false",
			Help: "Print results and progress as JSON"},
		{Name: "quiet", Kind: KindBool, Default: "false",
			Help: "Report only warnings and failures"},
		{Name: "verbose", Kind: KindBool, Default: "false",
			Help: "Report every step"},
		{Name: "no-color", Env: "NO_COLOR", Kind: KindBool, Default: "false",
			Help: "Use no colours"},
	})
}

// policyOptions are those of the version policy, which the judging commands take.
func policyOptions(judging []string) []Option {
	return []Option{
		{Name: "version-policy", Input: "version-policy", Kind: KindString, Choices: []string{"off", "warn", "standard", "strict"}, Commands: judging,
			Help: "How strictly versions are judged: off, warn, standard or strict; without it, standard"},
		{Name: "prerelease-style", Input: "prerelease-style", Kind: KindString, Choices: []string{"dotted", "any"}, Commands: judging,
			Help: "How a prerelease is written: dotted as in rc.1, or any; without it, dotted"},
		{Name: "allow-retracted", Input: "allow-retracted", Kind: KindBool, Default: "false", Commands: judging,
			Help: "Release a version that its own go.mod retracts, because it only carries retractions"},
		{Name: "previous-tag", Input: "previous-tag", Kind: KindString, Commands: judging,
			Help: "Tag that the release notes start from; without it, the previous version"},
		{Name: "api", Input: "api", Kind: KindString, Choices: []string{"compare", "ignore"}, Commands: []string{cmdCheck, cmdRehearse, cmdRelease},
			Help: "What the exported Go API counts for the version: compare, or ignore where the packages are not meant for others; without it, compare"},
	}
}

// signingOptions are those of signing and verifying.
func signingOptions() []Option {
	return []Option{
		{Name: "sign", Input: "sign", Kind: KindString, Choices: []string{"keyless", "key", "all", "none"}, Commands: []string{cmdPlan, cmdRehearse, cmdRelease, cmdVerify},
			Help: "How to sign: keyless with the identity of the workflow, with a key, all for every file by itself as well, or none; without it, keyless"},
		{Name: "key", Input: "key", Kind: KindString, Commands: []string{cmdPlan, cmdRehearse, cmdRelease, cmdVerify, cmdAttest},
			Help: "Key to sign with, or public key to verify with, instead of the workflow's identity, as cosign takes it: a file or env://NAME"},
		{Name: "workflow", Input: "workflow", Kind: KindString, Commands: []string{cmdRelease, cmdVerify, cmdAttest},
			Help: "Workflow that may have signed, as https://github.com/OWNER/NAME/PATH; without it, the workflows of the repository"},
		{Name: "branches", Input: "branches", Kind: KindList, Commands: []string{cmdRelease, cmdVerify},
			Help: "Branches that a release may be dispatched from, beside its tag; without it, the repository's default branch"},
		{Name: "sigstore", Input: "sigstore", Kind: KindString, Choices: []string{"public", "github"}, Commands: []string{cmdRelease, cmdAttest},
			Help: "Sigstore to sign with: public, or github, which keeps no public log; without it, public for public repositories and github for others"},
		{Name: "trusted-root", Input: "trusted-root", Kind: KindFile, Commands: []string{cmdRelease, cmdVerify, cmdAttest},
			Help: "Trusted root of another Sigstore, to verify with"},
		{Name: "signing-config", Input: "signing-config", Kind: KindFile, Commands: []string{cmdRelease, cmdAttest},
			Help: "Signing configuration of another Sigstore, to sign with"},
		{Name: "rebuild", Input: "rebuild", Kind: KindBool, Default: "false", Commands: []string{cmdRelease, cmdVerify},
			Help: "Make everything again: verify compares it with what the provenance records, whose commands run; release puts it in the place of a complete draft"},
		{Name: "sbom", Kind: KindFile, Commands: []string{cmdAttest},
			Help: "SPDX document to attest, in JSON"},
	}
}

// Output is an output of the action.
type Output struct {
	Name string
	Help string // one sentence, without a full stop
}

// Outputs are the outputs of the action, in the order of action.yml.
func Outputs() []Output {
	return []Output{
		{"version", "Version that was released, without v"},
		{"tag", "Tag that was released"},
		{"previous-tag", "Tag that the release notes start from; empty for a first release"},
		{"floating-tags", "Git tags such as v1 and v1.2 that may move to the released commit, separated by spaces, where the repository is an action; empty where a newer version has them"},
		{"prerelease", "true for a pre-release, else false"},
		{"latest", "true when the release became the latest one, else false"},
		{"release-url", "URL of the release's page"},
		{"release-id", "Number of the release in GitHub's API"},
		{"image", "Image with its exact version as tag, or with its digest where it has no such tag; empty without an image"},
		{"image-digest", "Digest of the image index, as sha256 and 64 hexadecimal digits; empty without an image"},
		{"images", "JSON array of the images, each with repository, digest, platforms and tags"},
		{"assets", "JSON array of the release's assets, each with name, kind, platform, size and sha256"},
		{"checksums", "File with the digests of archives and SBOMs, relative to the workspace"},
		{"notes", "File with the release notes, relative to the workspace"},
		{"dist", "Directory of the files that were made, relative to the workspace"},
	}
}
