// Package setup makes what the tests against real Sigstore servers begin with: keys and
// certificates, Fulcio's configuration, a trusted root with a signing config, a workflow
// run with its claims, and things to sign.
package setup
