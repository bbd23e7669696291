package limits

// Table is what the generators render. Sizes are bytes.
type Table struct {
	// Streams is the most calls that one client connection has open at a time; a client keeps more of them waiting
	// without telling anybody.
	Streams int
	// HeaderBuffers and HeaderBuffer are nginx's for the headers of a request: a name or a value has room in one
	// buffer, all of them together in all buffers.
	HeaderBuffers, HeaderBuffer int
	// AnswerBuffer is nginx's for the headers of an answer, and from 1.31.3 on for its trailers too.
	AnswerBuffer int
	// Headers is the most header lines that HAProxy takes of a request or an answer, those of HTTP/2 itself included.
	Headers int
	// Buffer is HAProxy's for the headers of a request or an answer, and for a part of the content. Of it, Rewrite
	// stays free for headers that filters set.
	Buffer, Rewrite int
	// Connections is the most connections of one worker of nginx, those to endpoints included. Files is the most files
	// that HAProxy has open.
	Connections, Files int
}

// Default is the table that is rendered when nobody asks for anything else.
var Default = Table{
	// One hostile connection fills all of its streams: each takes the headers of its request, which HPACK writes in a
	// few bytes, twice in nginx, which writes them down for the endpoint, and its answer's. So streams times twice the
	// request's headers and AnswerBuffer, or times Buffer, stay under 50 MB. And a flood of streams that are opened and
	// reset keeps a worker from others for no longer than that many calls take.
	Streams: 320,

	// One for all: so a single value may have as much as all of them together, and that is as much as in HAProxy.
	HeaderBuffers: 1,
	HeaderBuffer:  32 << 10,
	AnswerBuffer:  64 << 10,

	// Short headers come to as many as that on nginx too. HAProxy leaves a call without an answer where there are more.
	Headers: 1000,
	// What is left of it besides Rewrite is more than nginx takes. HAProxy 3.4.7 dies of a status alone whose headers fit
	// in Buffer and not in what is left.
	Buffer: 128 << 10,
	// Room for the headers that filters set: HAProxy's own 1 kB is less than one value may have.
	Rewrite: 32 << 10,

	Connections: 16 << 10,
	// HAProxy keeps memory for each file that it might open, whether it does or not.
	Files: 64 << 10,
}

// MaxStreams is the most that Streams can be: nobody has reckoned with more.
const MaxStreams = 100_000

// ownHeaders is room for what every call has besides what rules look at: pseudo-headers, user-agent, te and the like.
const ownHeaders = 2 << 10

// Kept is how much memory that nothing uses just now each thread of HAProxy keeps at hand: as many buffers as a busy one
// uses. HAProxy's own 512 kB is four of them: each other one is asked of the system and given back within its call, which
// took up to a fifth of a call's time.
func (t Table) Kept() int { return 64 * t.Buffer }

// NginxHeaders and HAProxyHeaders are the most bytes that the names and values of a request have room for, besides
// what every call has.
func (t Table) NginxHeaders() int   { return t.HeaderBuffers*t.HeaderBuffer - ownHeaders }
func (t Table) HAProxyHeaders() int { return t.Buffer - t.Rewrite - ownHeaders }

// WorkerFiles is the most files that a worker of nginx has open: its connections, and some more. A worker whose hard
// limit is lower keeps the soft one.
func (t Table) WorkerFiles() int { return t.Connections + 1<<10 }

// With is the table with another number of streams; 0 leaves it.
func (t Table) With(streams int) Table {
	if streams > 0 {
		t.Streams = streams
	}
	return t
}
