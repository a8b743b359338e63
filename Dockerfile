# The container action: the Go toolchain, git, CA certificates, the binary, and a build
# cache that holds the standard library. It runs as root, because the runner mounts a
# workspace that belongs to another user. Nothing but the last stage runs on the target's
# platform, and only to install Debian's packages.
ARG GO_IMAGE=golang:1.26.8-bookworm@sha256:a688600ca24f8a4d3ca77f95b0dd40704a9fc787c826660eb7ba0b641b8b175d
ARG BASE_IMAGE=debian:bookworm-slim@sha256:3783cc01769c7b2b1b83a5c5ad96c815348e28ed7da68e2e3687004faa906251

FROM --platform=$BUILDPLATFORM ${GO_IMAGE} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG TARGETOS TARGETARCH
RUN CGO_ENABLED=0 GOFLAGS= GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -buildvcs=auto -ldflags="-s -w" -o /pgo-release .

# What most programs take from the standard library, compiled as releases compile it, for
# the platforms that a release has without configuration. A release of a Go toolchain
# finds what the same release compiled on another platform. Dates lie ahead, so that the
# go command neither drops entries after five days nor writes each that it uses, which
# would copy it into the container's own layer.
FROM --platform=$BUILDPLATFORM ${GO_IMAGE} AS standard
ARG WARM_TARGETS="linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64"
ARG WARM_PACKAGES="archive/tar archive/zip compress/gzip database/sql encoding/json html/template log/slog net/http os/exec os/signal"
ENV GOCACHE=/go-build CGO_ENABLED=0 GOFLAGS=
RUN set -eu; for target in $WARM_TARGETS; do GOOS=${target%/*} GOARCH=${target#*/} go build -trimpath $WARM_PACKAGES; done; \
    find /go-build -exec touch --date=2100-01-01T00:00:00Z {} +

FROM ${GO_IMAGE} AS toolchain

FROM ${BASE_IMAGE}
RUN command -v git >/dev/null || { apt-get update && apt-get install -y --no-install-recommends ca-certificates git && rm -rf /var/lib/apt/lists/* /var/log/*; }
COPY --from=toolchain /usr/local/go/LICENSE /usr/local/go/VERSION /usr/local/go/go.env /usr/local/go/
COPY --from=toolchain /usr/local/go/bin /usr/local/go/bin
COPY --from=toolchain /usr/local/go/lib /usr/local/go/lib
COPY --from=toolchain /usr/local/go/pkg /usr/local/go/pkg
COPY --from=toolchain /usr/local/go/src /usr/local/go/src
COPY --from=standard /go-build /var/cache/go-build
# A module's go and toolchain lines are honoured, whatever Go the image brings. The caches
# lie in the container: what root writes into the runner's home, the runner cannot delete.
ENV PATH=/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    GOTOOLCHAIN=auto GOPATH=/go GOCACHE=/var/cache/go-build
COPY --from=build /pgo-release /usr/local/bin/pgo-release
ENTRYPOINT ["/usr/local/bin/pgo-release"]
