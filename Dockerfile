# The container action: the Go toolchain, git, CA certificates and the binary. It runs
# as root, because the runner mounts a workspace that belongs to another user.
ARG GO_IMAGE=golang:1.26-bookworm

FROM ${GO_IMAGE} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 GOFLAGS= go build -trimpath -buildvcs=auto -ldflags="-s -w" -o /pgo-release .

FROM ${GO_IMAGE}
# A module's go and toolchain lines are honoured, whatever Go the image brings.
ENV GOTOOLCHAIN=auto
COPY --from=build /pgo-release /usr/local/bin/pgo-release
ENTRYPOINT ["/usr/local/bin/pgo-release"]
