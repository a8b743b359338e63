// Package sigstore is the Sigstore that the binary carries: the services that a
// keyless signature needs, on loopback and in this process, so that a rehearsal
// runs the signing and verifying code of a release against other addresses and
// another trusted root, and nothing of it becomes public.
//
// It consists of GitHub's token endpoint, a Fulcio certificate authority with a
// certificate transparency log, a Rekor v2 transparency log and an RFC 3161
// timestamp authority. Each speaks its real protocol; keys are made by Start and end
// with the Stack. Bundles that are signed here verify with the stock tools, given
// the trusted root that WriteFiles writes.
//
// The tokens carry the name of GitHub's real issuer, because the identity that a
// release will have is what a rehearsal rehearses. Only the trusted root tells the
// two apart: it must never lie where a verifier looks by default, and every authority
// in it says "rehearsal" in its name.
//
// Specifications: https://github.com/sigstore/fulcio (v2 API, certificate
// extensions), RFC 6962 (SCTs, the tree), https://github.com/sigstore/rekor-tiles
// (entries, checkpoints), RFC 3161 (timestamps), and the "OpenID Connect" pages of
// GitHub's documentation (claims).
package sigstore
