package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// runnerUID is the user that GitHub's runner is.
const runnerUID = 1001

// definition is action.yml, as far as the runner reads it.
type definition struct {
	Inputs map[string]struct {
		Default string `yaml:"default"`
	} `yaml:"inputs"`
	Outputs map[string]any `yaml:"outputs"`
	Runs    struct {
		Args []string `yaml:"args"`
	} `yaml:"runs"`
}

func readDefinition(t *testing.T) definition {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "action.yml"))
	var d definition
	if err == nil {
		err = yaml.Unmarshal(text, &d)
	}
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// runner starts the action's image as GitHub's does (actions/runner, ContainerActionHandler
// and DockerCommandManager): as root, in a workspace of another user, with every input as a
// variable, whose hyphens stay. It differs in the network, which is this machine's: the
// GitHub and the registry that the image talks to are on loopback.
type runner struct {
	*site
	action  definition
	temp    string // its folder for everything that is not the workspace
	network string
	steps   int
}

// newRunner is a runner in a site's checkout.
func newRunner(s *site) *runner {
	s.Helper()
	r := &runner{site: s, action: readDefinition(s.T), temp: s.TempDir(), network: "host"}
	for _, dir := range []string{"_github_home/.docker", "_github_workflow", "_runner_file_commands"} {
		if err := os.MkdirAll(filepath.Join(r.temp, dir), 0o755); err != nil {
			s.Fatal(err)
		}
	}
	for from, to := range map[string]string{
		"config.json": "_github_home/.docker/config.json", "trusted_root.json": "trusted_root.json", "signing_config.json": "signing_config.json",
	} {
		text, err := os.ReadFile(filepath.Join(s.home, from))
		if err == nil {
			err = os.WriteFile(filepath.Join(r.temp, to), text, 0o600)
		}
		if err != nil {
			s.Fatal(err)
		}
	}
	s.own(r.temp, s.dir)
	return r
}

// own gives directories to the runner's user.
func (s *site) own(dirs ...string) {
	s.Helper()
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			return errors.Join(err, os.Lchown(path, runnerUID, runnerUID))
		})
		if err != nil {
			s.Fatal(err)
		}
	}
}

// step is a run of the action in a workflow.
type step struct {
	*runner
	cmd *exec.Cmd
	log bytes.Buffer
	id  string
}

// start starts the action with the inputs that a workflow gives it, and with variables
// that differ from those of a tag push.
func (r *runner) start(ctx context.Context, with map[string]string, vars map[string]string) *step {
	r.Helper()
	env := map[string]string{
		"HOME": "/github/home", "GITHUB_ACTIONS": "true", "CI": "true", "GITHUB_WORKSPACE": "/github/workspace",
		"GITHUB_EVENT_PATH": "/github/workflow/event.json", "RUNNER_TEMP": "/github/runner_temp", "RUNNER_OS": "Linux", "RUNNER_ENVIRONMENT": "github-hosted",
		"RUNNER_TOOL_CACHE": "/opt/hostedtoolcache", "GITHUB_ACTION": "__org_pgo-release", "GITHUB_ACTOR": "octocat", "GITHUB_SERVER_URL": "https://github.com",
		"ACTIONS_RUNTIME_URL": "http://127.0.0.1:1/", "ACTIONS_RUNTIME_TOKEN": "none", "ACTIONS_RESULTS_URL": "http://127.0.0.1:1/",
	}
	for _, e := range r.env {
		if name, value, _ := strings.Cut(e, "="); strings.HasPrefix(name, "GITHUB_") && name != "GITHUB_TOKEN" || strings.HasPrefix(name, "ACTIONS_") {
			env[name] = value
		}
	}
	r.steps++ // the engine may still be removing the one before
	s := &step{runner: r, id: fmt.Sprintf("%s_%d", filepath.Base(filepath.Dir(r.temp)), r.steps)}
	for name, file := range map[string]string{
		"GITHUB_OUTPUT": "set_output_", "GITHUB_STEP_SUMMARY": "step_summary_", "GITHUB_ENV": "set_env_", "GITHUB_PATH": "add_path_", "GITHUB_STATE": "save_state_",
	} {
		if err := os.WriteFile(filepath.Join(r.temp, "_runner_file_commands", file), nil, 0o644); err != nil {
			r.Fatal(err)
		}
		env[name] = "/github/file_commands/" + file
	}
	r.write("_github_workflow/event.json", r.event)
	inputs := map[string]string{}
	for name, input := range r.action.Inputs {
		inputs[name] = strings.ReplaceAll(input.Default, "${{ github.token }}", r.stage.Hub.Token())
	}
	maps.Copy(inputs, with)
	for name, value := range inputs {
		env["INPUT_"+strings.ToUpper(strings.ReplaceAll(name, " ", "_"))] = value
	}
	maps.Copy(env, vars)
	args := []string{"run", "--name", s.id, "--label", "5588e4", "--workdir", "/github/workspace", "--rm", "--network", r.network}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		args = append(args, "-e", name+"="+env[name])
	}
	for from, to := range map[string]string{
		r.temp: "runner_temp", r.temp + "/_github_home": "home", r.temp + "/_github_workflow": "workflow",
		r.temp + "/_runner_file_commands": "file_commands", r.dir: "workspace",
	} {
		args = append(args, "-v", from+":/github/"+to)
	}
	args = append(args, *actionImage)
	for _, arg := range r.action.Runs.Args {
		name := strings.TrimSuffix(strings.TrimPrefix(arg, "${{ inputs."), " }}")
		args = append(args, inputs[name])
	}
	s.cmd = exec.CommandContext(ctx, *docker, args...)
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	if err := s.cmd.Start(); err != nil {
		r.Fatal(err)
	}
	return s
}

// write writes a file below the runner's folder.
func (r *runner) write(name, text string) {
	r.Helper()
	if err := os.WriteFile(filepath.Join(r.temp, name), []byte(text), 0o644); err != nil {
		r.Fatal(err)
	}
}

// ends waits for the step and fails unless it ends with the status.
func (s *step) ends(status int) *step {
	s.Helper()
	_ = s.cmd.Wait() // the status says it
	if got := s.cmd.ProcessState.ExitCode(); got != status {
		s.Fatalf("exit status %d, want %d\n%s", got, status, s.log.String())
	}
	return s
}

// says fails unless the log has the texts.
func (s *step) says(texts ...string) *step {
	s.Helper()
	for _, text := range texts {
		if !strings.Contains(s.log.String(), text) {
			s.Errorf("the log lacks %q:\n%s", text, s.log.String())
		}
	}
	return s
}

// file is what the step wrote for the runner.
func (s *step) file(name string) string {
	s.Helper()
	text, err := os.ReadFile(filepath.Join(s.temp, "_runner_file_commands", name))
	if err != nil {
		s.Fatal(err)
	}
	return string(text)
}

// outputs are the step's, read as the runner reads them
// (https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands#multiline-strings).
func (s *step) outputs() map[string]string {
	s.Helper()
	out := map[string]string{}
	for text := s.file("set_output_"); text != ""; {
		head, rest, _ := strings.Cut(text, "\n")
		name, delimiter, ok := strings.Cut(head, "<<")
		value, after, closed := strings.Cut("\n"+rest, "\n"+delimiter+"\n")
		if !ok || !closed || delimiter == "" {
			s.Fatalf("an output that the runner cannot read: %q", text)
		}
		out[name] = strings.TrimPrefix(value, "\n")
		text = after
	}
	return out
}

// foreign are the paths below a directory that belong to another than the runner's user.
func (s *step) foreign(dir string) []string {
	s.Helper()
	out, err := exec.CommandContext(s.Context(), "find", dir, "!", "-user", fmt.Sprint(runnerUID)).Output()
	if err != nil {
		s.Fatal(err)
	}
	return strings.Fields(string(out))
}
