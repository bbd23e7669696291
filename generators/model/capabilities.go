package model

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// Capabilities is what the proxy that will run the configuration can do (R4). Everything that the pure half
// knows of a proxy is in here, so that translate can refuse by name what would not work.
type Capabilities struct {
	// Proxy is its name: "nginx" or "haproxy".
	Proxy   string  `json:"proxy"`
	Version Version `json:"version"`
	// Origin says how this was found out: the binary's path, or "stated".
	Origin string `json:"origin,omitempty"`
	// Missing holds the features that the proxy doesn't have, each with the reason in a user's words:
	// "nginx 1.22.1 was built without --with-http_v2_module".
	Missing map[Feature]string `json:"missing,omitempty"`
	Limits  Limits             `json:"limits"`
	// Faults are those that the version is known for. A distribution may have mended them: the version alone doesn't tell.
	Faults []Fault `json:"faults,omitempty"`
}

// Feature is something that a proxy may or may not have.
type Feature string

// The features, in the order that a person reads them.
const (
	// FeatureHTTP2 is HTTP/2 to clients at all.
	FeatureHTTP2 Feature = "HTTP2"
	// FeatureH2C is cleartext HTTP/2 with prior knowledge: listeners of protocol HTTP (R1).
	FeatureH2C Feature = "H2C"
	// FeatureTLS is HTTP/2 by ALPN: listeners of protocol HTTPS (R1).
	FeatureTLS Feature = "TLS"
	// FeatureGRPC is HTTP/2 to backends, trailers included.
	FeatureGRPC Feature = "GRPC"
	// FeatureHTTP is HTTPRoutes.
	FeatureHTTP Feature = "HTTP"
	// FeatureRewriteH2C is that the path of a request can be rewritten that goes to a backend by HTTP/2 in cleartext, see
	// BackendH2C.
	FeatureRewriteH2C Feature = "RewriteH2C"
	// FeatureHTTP1Shared is HTTP/1.1 on the port of an h2c listener.
	FeatureHTTP1Shared Feature = "HTTP1Shared"
	// FeatureResolve is endpoints that change without a reload: nginx resolves them again while it runs, HAProxy
	// is told over its socket.
	FeatureResolve Feature = "Resolve"
	// FeatureCallOnce is that no call runs twice because an endpoint failed (R40). nginx sees to it always, HAProxy
	// on demand: see Cluster.CallOnce.
	FeatureCallOnce Feature = "CallOnce"
	// FeatureBridge is a bridge beside the proxy, for what no proxy can. It isn't one of a binary's Features: who renders says
	// where there is none.
	FeatureBridge Feature = "Bridge"
	// FeatureHealth is somebody who asks endpoints how they are, see Cluster.Health. It isn't a binary's Feature either: nobody does
	// where configurations are only rendered.
	FeatureHealth Feature = "Health"
	// FeatureBodyLimit is a limit for the bodies of requests, see Cluster.MaxRequestBytes.
	FeatureBodyLimit Feature = "BodyLimit"
	// FeatureSessionOutliers is that endpoints are left alone for their failures also where sessions decide on the endpoint, see
	// Cluster.Outliers and Persistence.
	FeatureSessionOutliers Feature = "Outliers"
	// FeatureBackendTLS is TLS to backends, see Cluster.TLS.
	FeatureBackendTLS Feature = "BackendTLS"
	// FeatureConnectionAge is that clients are told to open another connection after a time, see Connections.MaxAge.
	FeatureConnectionAge Feature = "ClientAge"
	// FeatureMaxStreams is that Gateways have numbers of their own for the calls of a connection, see Connections.MaxStreams.
	FeatureMaxStreams Feature = "MaxStreams"
)

// Features are all of them, in order.
var Features = []Feature{
	FeatureHTTP2, FeatureH2C, FeatureTLS, FeatureGRPC, FeatureHTTP, FeatureRewriteH2C, FeatureHTTP1Shared, FeatureResolve, FeatureCallOnce,
	FeatureBodyLimit, FeatureSessionOutliers, FeatureBackendTLS, FeatureConnectionAge, FeatureMaxStreams,
}

// Limits are what a proxy can take of a thing that it has. 0 is no limit.
type Limits struct {
	// MatchValue is the most bytes that a value to match may have once it is escaped: see EscapedLen. The text of a
	// regular expression may have limits.AroundPattern less.
	MatchValue int `json:"matchValue,omitempty"`
	// EncodedQuery says that values of query parameters are matched as they come, encoded: what they are matched with is
	// written for all ways to encode it, and counts so. See pattern.EncodedText.
	EncodedQuery bool `json:"encodedQuery,omitempty"`
	// Match is the most bytes that the values and patterns of one match with a pattern may have together, escaped
	// likewise, and spaces too.
	Match int `json:"match,omitempty"`
	// Headers is the most bytes of names and values that the headers of a request have room for, besides what every
	// call has.
	Headers int `json:"headers,omitempty"`
	// PrefixDepth is the most segments that a path prefix may have.
	PrefixDepth int `json:"prefixDepth,omitempty"`
	// RetryCodes are the HTTP statuses of a backend that a request can be tried again on, ascending, and RetryAttempts is how
	// often at most.
	RetryCodes    []int `json:"retryCodes,omitempty"`
	RetryAttempts int   `json:"retryAttempts,omitempty"`
	// HeaderValue is the most bytes of a value that a filter sets, escaped likewise.
	HeaderValue int `json:"headerValue,omitempty"`
	// HeaderName is the most bytes of the name of a header that a filter changes.
	HeaderName int `json:"headerName,omitempty"`
	// MatchHeaderName is the set of characters, besides letters and digits, that the name of a header may
	// have in a match.
	MatchHeaderName string `json:"matchHeaderName"`
	// AddHeaderName is the same for the name of a request header that a filter adds a value to: the values
	// that are there must be read. A name may be set or removed whatever its characters.
	AddHeaderName string `json:"addHeaderName"`
	// Streams is the most calls that one client connection may have open at a time: Gateways may have fewer.
	Streams int `json:"streams,omitempty"`
	// RequestValueList says that a request header may get several values by one filter. Where it is false,
	// added values join the present one with a comma, as RFC 9110 allows.
	RequestValueList bool `json:"requestValueList"`
}

// TokenCharacters are all that the name of a header may have besides letters and digits (RFC 9110).
const TokenCharacters = "!#$%&'*+-.^_`|~"

// EscapedLen is how long a value gets in the worst case when a generator writes it: letters, digits and a
// few harmless characters count one byte, all others four.
func EscapedLen(s string) int {
	n := 0
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte(" -_=,:;/@", c) >= 0:
			n++
		default:
			n += 4
		}
	}
	return n
}

// Has says whether the proxy has a feature.
func (c Capabilities) Has(f Feature) bool {
	_, missing := c.Missing[f]
	return !missing
}

// Version is a proxy's version.
type Version struct {
	Major, Minor, Patch int
}

// ParseVersion reads "1.26.3", "1.26" or "3.2-dev1".
func ParseVersion(s string) (Version, error) {
	var v Version
	text, _, _ := strings.Cut(s, "-")
	parts := strings.Split(text, ".")
	if len(parts) < 2 || len(parts) > 3 {
		return v, fmt.Errorf("version %q: want MAJOR.MINOR or MAJOR.MINOR.PATCH, such as 1.26.3", s)
	}
	for i, p := range parts {
		n, err := strconv.Atoi(p)
		if err != nil || n < 0 {
			return Version{}, fmt.Errorf("version %q: %q is not a number", s, p)
		}
		*[]*int{&v.Major, &v.Minor, &v.Patch}[i] = n
	}
	return v, nil
}

// Compare is negative when v is older than w, 0 when they are the same.
func (v Version) Compare(w Version) int {
	return cmp.Or(cmp.Compare(v.Major, w.Major), cmp.Compare(v.Minor, w.Minor), cmp.Compare(v.Patch, w.Patch))
}

// AtLeast says whether v is not older than major.minor.patch.
func (v Version) AtLeast(major, minor, patch int) bool {
	return v.Compare(Version{major, minor, patch}) >= 0
}

// String is MAJOR.MINOR.PATCH.
func (v Version) String() string { return fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Patch) }

// MarshalText writes a version as its string.
func (v Version) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (v *Version) UnmarshalText(b []byte) (err error) {
	*v, err = ParseVersion(string(b))
	return err
}
