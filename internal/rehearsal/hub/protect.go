package hub

import (
	"net/http"
	"path"
)

// RestrictTags forbids from now on that releases make tags whose name matches one of the
// patterns (those of path.Match), as a ruleset does that restricts creations
// (https://docs.github.com/repositories/configuring-branches-and-merges-in-your-repository/managing-rulesets/available-rules-for-rulesets#restrict-creations).
// No token may go round it. Tags that exist are not concerned. Without patterns
// everything is allowed again.
func (s *Server) RestrictTags(patterns ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.restricted = patterns
}

// ChangeWorkflows says which commits have other workflow files than the default branch,
// from now on. A token without workflows: write may not name such a commit as the target
// of a release, whether the tag exists or not, nor make a tag there
// (https://github.com/cli/cli/issues/9514). A draft that has such a target and whose tag
// exists may be changed as long as the target is not sent again.
func (s *Server) ChangeWorkflows(commits ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.workflows = map[string]bool{}
	for _, commit := range commits {
		s.workflows[commit] = true
	}
}

// changesWorkflows tells whether a request for p is about workflows.
func (s *Server) changesWorkflows(p *page, in pageRequest) bool {
	return s.workflows[s.resolve(p.target)] && (in.TargetCommitish != nil || s.repo.Tags[p.tag] == "")
}

// restricts tells whether a ruleset forbids to make a tag.
func (s *Server) restricts(tag string) bool {
	for _, pattern := range s.restricted {
		if matched, err := path.Match(pattern, tag); matched && err == nil {
			return true
		}
	}
	return false
}

// violation is how GitHub words that a ruleset forbids the tag
// (https://github.com/googleapis/release-please-action/issues/1194).
func violation() reply {
	return reply{status: http.StatusUnprocessableEntity, body: object{
		"message":           "Validation Failed",
		"documentation_url": documentation,
		"errors": []object{
			{
				"resource": "Release", "code": "custom", "field": "pre_receive",
				"message": "pre_receive Repository rule violations found\n\nCannot create ref due to creations being restricted.\n\n",
			},
			{"resource": "Release", "code": "custom", "message": "Published releases must have a valid tag"},
		},
	}}
}
