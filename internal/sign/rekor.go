package sign

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	httptransport "github.com/go-openapi/runtime/client"
	"github.com/go-openapi/strfmt"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	tilespb "github.com/sigstore/rekor-tiles/v2/pkg/generated/protobuf"
	"github.com/sigstore/rekor/pkg/generated/client/entries"
	rekorutil "github.com/sigstore/rekor/pkg/util"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/sign"
	"google.golang.org/protobuf/encoding/protojson"
)

// errDuplicate means that the log holds the entry already. It is ours: the signature
// in it was random, so nobody else can have added it, and an earlier answer got lost.
// Rekor v2 does not give its proof a second time; another signature is another entry.
var errDuplicate = errors.New("the log holds this entry already")

// logClient is the library's client for a log, over a transport of ours. It serves one
// call: the library's is not safe to share.
func logClient(log root.Service, over *transport) (sign.Transparency, error) {
	over.passed = http.StatusConflict
	client := &http.Client{Transport: over}
	// The transport keeps the time.
	options := &sign.RekorOptions{BaseURL: log.URL, Version: log.MajorAPIVersion, Timeout: callTimeout}
	at, err := url.Parse(log.URL)
	if err != nil {
		return nil, fmt.Errorf("parsing the address of the log: %w", err)
	}
	if log.MajorAPIVersion > 1 {
		options.ClientV2 = rekorV2{at: at.JoinPath("api/v2/log/entries").String(), client: client}
		return sign.NewRekor(options), nil
	}
	path := at.Path
	if path == "" {
		path = "/"
	}
	formats := strfmt.NewFormats()
	formats.Add("signedCheckpoint", &rekorutil.SignedNote{}, rekorutil.SignedCheckpointValidator)
	options.Client = entries.New(httptransport.NewWithClient(at.Host, path, []string{at.Scheme}, client), formats)
	return sign.NewRekor(options), nil
}

// rekorV2 adds entries to a Rekor v2 log
// (https://github.com/sigstore/rekor-tiles/blob/main/CLIENTS.md). The library's own
// client takes no transport.
type rekorV2 struct {
	at     string // URL to post to
	client *http.Client
}

// Add implements sign.RekorV2Client.
func (r rekorV2) Add(ctx context.Context, entry any) (*protorekor.TransparencyLogEntry, error) {
	request, ok := entry.(*tilespb.HashedRekordRequestV002)
	if !ok {
		return nil, fmt.Errorf("adding a log entry: %T: want a hashedrekord", entry)
	}
	body, err := protojson.Marshal(&tilespb.CreateEntryRequest{
		Spec: &tilespb.CreateEntryRequest_HashedRekordRequestV002{HashedRekordRequestV002: request},
	})
	if err != nil {
		return nil, fmt.Errorf("encoding the log entry: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.at, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := r.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusConflict {
		return nil, errDuplicate
	}
	answer, err := io.ReadAll(resp.Body) // the transport has bounded it
	if err != nil {
		return nil, err
	}
	var added protorekor.TransparencyLogEntry
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(answer, &added); err != nil {
		return nil, fmt.Errorf("reading the answer of Rekor at %q: %w", req.URL.Host, err)
	}
	return &added, nil
}
