// Package stub holds what stands around real Sigstore servers in the tests and cannot be
// real there: GitHub's issuer of identity tokens, and a certificate transparency log that
// signs promises without keeping a tree. It also puts a counting front, which can
// misbehave, before any service.
package stub
