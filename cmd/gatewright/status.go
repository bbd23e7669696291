package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatewright/gatewright/controller/pipeline"
	"github.com/gatewright/gatewright/controller/status"
)

const statusHelp = `Say in a table what is refused, what waits for the proxy and what is well, of Gateways, listeners, routes and policies.

With -f it is what manifests would get. With --at it is what is: the address of a gateway that runs (its --listen: HOST:PORT or
unix:PATH), its state folder, a folder that generate wrote, or a status.yaml.

Exit codes: 0 nothing is refused, 1 error, 2 something is. With --watch it goes on until a signal.`

// statusOptions are the flags of status.
type statusOptions struct {
	*logOptions
	inquiry
	from, format string
	watch        bool
}

func newStatus(log *logOptions) *cobra.Command {
	o := &statusOptions{logOptions: log}
	cmd := &cobra.Command{
		Use:   "status {-f FILES | --at ADDRESS}",
		Short: "Say what is refused, pending and well",
		Long:  statusHelp,
		Example: `  gatewright status --at 127.0.0.1:9090 --watch
  gatewright status -f manifests/ -o wide`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	f := cmd.Flags()
	o.inquiry.flags(f)
	f.StringVar(&o.from, "at", "", "`address` of a gateway that runs, HOST:PORT or unix:PATH, or a folder or file with its status.yaml")
	formatFlag(f, &o.format, "text", "wide", "json", "yaml")
	f.BoolVar(&o.watch, "watch", false, "look again every second, and print what has changed as a whole")
	return cmd
}

func (o *statusOptions) run(cmd *cobra.Command) error {
	if (o.from == "") == (len(o.source.Filenames) == 0) {
		return errors.New("name either manifests with -f FILE, or where the statuses are with --at ADDRESS or --at FOLDER")
	}
	var before string
	for {
		reports, err := o.reports(cmd)
		if err != nil {
			return err
		}
		parts := status.Parts(reports)
		var out bytes.Buffer
		if o.format == "wide" {
			err = partsText(&out, parts, true)
		} else {
			err = printValue(&out, o.format, parts, func(w io.Writer) error { return partsText(w, parts, false) })
		}
		if err != nil {
			return err
		}
		if out.String() != before {
			before = out.String()
			if _, err := io.WriteString(cmd.OutOrStdout(), before); err != nil {
				return err
			}
		}
		switch {
		case o.watch:
		case len(status.Refusals(reports)) > 0:
			return exitCode(exitRefused)
		default:
			return nil
		}
		select {
		case <-cmd.Context().Done():
			return nil
		case <-time.After(time.Second):
		}
	}
}

func (o *statusOptions) reports(cmd *cobra.Command) ([]status.Report, error) {
	if o.from == "" {
		r, err := o.read(cmd, o.logOptions)
		if err != nil {
			return nil, err
		}
		return r.Reports, nil
	}
	text, err := readStatus(cmd.Context(), o.from)
	if err == nil {
		var reports []status.Report
		if reports, err = status.Read(text); err == nil {
			return reports, nil
		}
	}
	return nil, fmt.Errorf("--at %s: %w", o.from, err)
}

// statusLimit is how many bytes are read of statuses.
const statusLimit = 256 << 20

// readStatus reads statuses from a folder, a file or a gateway that runs.
func readStatus(ctx context.Context, from string) ([]byte, error) {
	if info, err := os.Stat(from); err == nil {
		if info.IsDir() {
			from = filepath.Join(from, pipeline.StatusFile)
		}
		return os.ReadFile(from)
	}
	network, address := "tcp", strings.TrimSuffix(strings.TrimPrefix(from, "http://"), "/")
	if path, unix := strings.CutPrefix(from, "unix:"); unix {
		network, address = "unix", path
	} else if _, _, err := net.SplitHostPort(address); err != nil {
		return nil, errors.New("there is no such file or folder, and it is no address: write that as HOST:PORT or unix:PATH")
	}
	client := http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, address)
		}}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://gatewright/status", nil)
	if err != nil {
		return nil, err
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, errors.Unwrap(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("/status answers %s: is it the --listen of gatewright?", response.Status)
	}
	return io.ReadAll(io.LimitReader(response.Body, statusLimit))
}

// shownWell is how many parts that are well a table has; wide ones have all.
const shownWell = 40

// partsText is the table; a wide one has all rows and messages on one line each.
func partsText(out io.Writer, parts []status.Part, wide bool) error {
	counts := map[string]int{}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "STATE\tOBJECT\tPART\tWHY\n")
	for _, p := range parts {
		counts[p.State]++
		if !wide && p.State != status.StateRefused && counts[status.StateOK]+counts[status.StatePending] > shownWell {
			continue
		}
		if len(p.Refused) == 0 {
			fmt.Fprintf(w, "%s\t%s\t%s\t\n", p.State, p.Object, p.Where)
		}
		for _, r := range p.Refused {
			why := fmt.Sprintf("%s (%s)", r.Condition, r.Reason)
			if wide {
				why += ": " + strings.ReplaceAll(r.Message, "\n", " ")
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", p.State, p.Object, p.Where, why)
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if rest := counts[status.StateOK] + counts[status.StatePending] - shownWell; rest > 0 && !wide {
		fmt.Fprintf(out, "and %d more that aren't refused: -o wide has them\n", rest)
	}
	_, err := fmt.Fprintf(out, "%d refused, %d pending, %d ok\n", counts[status.StateRefused], counts[status.StatePending],
		counts[status.StateOK])
	return err
}
