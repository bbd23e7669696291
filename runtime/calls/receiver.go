package calls

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/runtime/folder"
)

// buffered is how many bytes of lines the kernel is asked to keep while this program does something else. A user other than root
// gets what net.core.rmem_max allows.
const buffered = 8 << 20

// Receiver is the socket that a proxy sends its lines to.
type Receiver struct {
	socket *net.UDPConn
	parser parser
	lost   prometheus.Counter
	// overflowed is how many lines the kernel has dropped so far.
	overflowed uint32
}

// Listen opens the socket at the address that a file has, with the token that is in there, so that a proxy that an earlier run has left
// goes on being heard. When somebody else has that address now, or there was none, a free port of 127.0.0.1 and a new token are taken and
// kept in the file; the proxy learns them by the reload that follows, for its files name both.
func Listen(file string, r prometheus.Registerer, log *slog.Logger) (*Receiver, error) {
	text, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the address where the proxy tells its calls: %w", err)
	}
	lost := prometheus.NewCounter(prometheus.CounterOpts{Name: "gatewright_calls_lost_total",
		Help: "Lines about calls that came faster than they were read, and that aren't counted."})
	known, token, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	if address, err := netip.ParseAddrPort(known); err == nil && address.Addr().IsLoopback() && len(token) == tokenLength {
		socket, err := listen(address)
		if err == nil {
			r.MustRegister(lost)
			return &Receiver{socket: socket, parser: parser{[]byte(token)}, lost: lost}, nil
		}
		log.Warn("the address where the proxy tells its calls is taken; another is used", "address", address.String(), "error", err)
	}
	socket, err := listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		return nil, fmt.Errorf("listen where the proxy tells its calls: %w", err)
	}
	secret := make([]byte, tokenLength/2)
	_, _ = rand.Read(secret) // It never fails.
	token = hex.EncodeToString(secret)
	if err := folder.Replace(file, fmt.Appendf(nil, "%s %s\n", socket.LocalAddr(), token), 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("keep the address where the proxy tells its calls: %w", err), socket.Close())
	}
	r.MustRegister(lost)
	return &Receiver{socket: socket, parser: parser{[]byte(token)}, lost: lost}, nil
}

// tokenLength is the length of a token, in characters.
const tokenLength = 16

func listen(address netip.AddrPort) (*net.UDPConn, error) {
	socket, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(address))
	if err != nil {
		return nil, err
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return nil, errors.Join(err, socket.Close())
	}
	var set error
	err = raw.Control(func(fd uintptr) {
		if unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, buffered) != nil {
			set = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, buffered)
		}
		set = errors.Join(set, unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RXQ_OVFL, 1))
	})
	if err = errors.Join(err, set); err != nil {
		return nil, errors.Join(err, socket.Close())
	}
	return socket, nil
}

// Log is what a proxy's configuration says to have its calls told here, all that an access log has, or what is counted.
func (r *Receiver) Log(brief bool) *generators.AccessLog {
	l := &generators.AccessLog{Format: generators.AccessTold, Token: string(r.parser.token),
		Target: generators.AccessSyslog + generators.AccessTarget(r.socket.LocalAddr().String())}
	if brief {
		l.Format = generators.AccessBrief
	}
	return l
}

// Run hands every call to take, one after the other, until Close.
func (r *Receiver) Run(take func(*Call)) error {
	line, control := make([]byte, 1<<16), make([]byte, unix.CmsgSpace(4))
	for {
		n, c, _, _, err := r.socket.ReadMsgUDPAddrPort(line, control)
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil
		case errors.Is(err, syscall.ECONNREFUSED):
			continue
		case err != nil:
			return fmt.Errorf("read where the proxy tells its calls: %w", err)
		}
		r.countLost(control[:c])
		if call, ok := r.parser.parse(line[:n]); ok {
			take(&call)
		}
	}
}

// countLost reads how many lines the kernel has dropped.
func (r *Receiver) countLost(control []byte) {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return
	}
	for _, m := range messages {
		if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SO_RXQ_OVFL && len(m.Data) >= 4 {
			dropped := binary.NativeEndian.Uint32(m.Data)
			r.lost.Add(float64(dropped - r.overflowed))
			r.overflowed = dropped
		}
	}
}

// Close ends Run.
func (r *Receiver) Close() error { return r.socket.Close() }
