package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/gatewright/gatewright/controller/pipeline"
	"github.com/gatewright/gatewright/controller/status"
	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/relay"
	"github.com/gatewright/gatewright/runtime/apply"
	"github.com/gatewright/gatewright/runtime/folder"
	"github.com/gatewright/gatewright/runtime/proxies"
)

// stdoutName is what -o and -f take for standard output and input.
const stdoutName = "-"

const generateHelp = `Render manifests to a folder that the proxy starts from, and say what is served and what is not.

The folder is swapped in whole; when all bytes are equal it isn't touched. Its status.yaml holds the status that
every object would get. What others put into the folder stays there.

Exit codes: 0 fine, 1 error, 2 written but a condition refuses something, 3 (--check) the folder differs.`

// generateOptions are the flags of generate.
type generateOptions struct {
	*logOptions
	source  pipeline.Source
	target  target
	serving proxies.Serving

	output    string
	stateDir  string
	templates string
	layout    string
	ipv6      string
	check     bool
}

func newGenerate(log *logOptions) *cobra.Command {
	o := &generateOptions{logOptions: log}
	cmd := &cobra.Command{
		Use:   "generate -f FILES -o DIR",
		Short: "Render manifests to a proxy's configuration",
		Long:  generateHelp,
		Example: `  gatewright generate -f manifests/ -o out --proxy-binary /usr/sbin/nginx
  gatewright generate -f manifests/ -o out --check`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	f := cmd.Flags()
	sourceFlags(f, &o.source)
	o.target.flags(f)
	f.StringVarP(&o.output, "output", "o", "", "`folder` to write, - for stdout")
	choice(f, &o.layout, "layout", "", []string{string(generators.LayoutFull), string(generators.LayoutInclude)},
		"full to start the proxy from, include for a configuration of your own to include")
	templatesFlag(f, &o.templates)
	stateFlag(f, &o.stateDir)
	choice(f, &o.ipv6, "ipv6", "", []string{"on", "off"}, "off for a proxy on a host without IPv6: Gateways without addresses bind IPv4 alone")
	servingFlags(f, &o.serving, proxies.AccessOff)
	f.BoolVar(&o.check, "check", false, "write nothing; print how the folder differs, with exit code 3 when it does")
	return cmd
}

func (o *generateOptions) run(cmd *cobra.Command) error {
	switch {
	case o.output == "":
		return errors.New("no output folder: name it with -o DIR, or -o - for stdout")
	case o.output == stdoutName && o.check:
		return errors.New("--check compares with a folder: name it with -o DIR")
	}
	if err := o.target.check(cmd.Flags()); err != nil {
		return err
	}
	if err := o.serving.Check(); err != nil {
		return err
	}
	o.target.bridgeless, o.target.renders, o.target.streams = o.serving.Bridge == "", true, o.serving.MaxStreams
	r, err := readManifests(cmd, o.source, o.target)
	if err != nil {
		return err
	}
	log := o.journal(cmd.ErrOrStderr())
	if !r.Translated.HasGateways() {
		// An empty or truncated file must not replace what is served.
		log.notes(r.Notes)
		return errors.New("no Gateway of the manifests is to be served, so nothing was written: " +
			"see the notes, or name its class with --gateway-class")
	}
	r.Notes = append(r.Notes, proxies.FaultSummary(r.Capabilities)...)
	files, err := o.files(r)
	if err != nil {
		return err
	}
	r.Warn()
	code, outcome, err := o.deliver(r, files, cmd.OutOrStdout())
	if err != nil {
		return err
	}
	log.summary(r, outcome)
	if code == exitFine && len(r.Refused()) > 0 {
		code = exitRefused
	}
	if code != exitFine {
		return exitCode(code)
	}
	return nil
}

// files are those of the output folder: the proxy's and the status of every object.
func (o *generateOptions) files(r *pipeline.Result) ([]generators.File, error) {
	render, bridge, err := o.renderer(r)
	if err != nil {
		return nil, err
	}
	if o.ipv6 == "off" {
		render = render.OnlyIPv4()
	}
	files, err := r.Render(render)
	if err != nil {
		return nil, err
	}
	text, err := status.Marshal(r.Reports)
	if err != nil {
		return nil, err
	}
	files = append(files, generators.File{Path: pipeline.StatusFile, Data: text})
	if bridge {
		config := relay.Of(r.Served, o.serving.SystemAuthorities)
		if text, err = config.Text(); err != nil {
			return nil, err
		}
		files = append(files, generators.File{Path: relay.File, Data: text, Secret: config.Secret()})
	}
	generators.Sort(files)
	return files, nil
}

// renderer makes the proxy's files; bridge says that there is one to write a file for.
func (o *generateOptions) renderer(r *pipeline.Result) (render apply.Renderer, bridge bool, err error) {
	if o.target.program != nil {
		return o.target.program.Render, false, nil
	}
	g := generators.Options{Layout: generators.Layout(o.layout), Folder: "gatewright"}
	if o.output != stdoutName {
		abs, err := filepath.Abs(o.output)
		if err != nil {
			return nil, false, err
		}
		g.Folder = filepath.Base(abs)
	}
	if o.stateDir != "" {
		abs, err := filepath.Abs(o.stateDir)
		if err != nil {
			return nil, false, fmt.Errorf("--state-dir: %w", err)
		}
		g.Marker = filepath.Join(abs, o.target.kind.Marker)
	}
	if err := o.serving.Fill(&g, r.Capabilities); err != nil {
		return nil, false, err
	}
	generator, err := o.target.kind.GeneratorWith(o.templates, g, r.Capabilities)
	if err != nil {
		return nil, false, err
	}
	return generator.Render, g.Bridge != "", nil
}

// deliver writes, prints or compares the files, and says in words what it did.
func (o *generateOptions) deliver(r *pipeline.Result, files []generators.File, stdout io.Writer) (code int, outcome string, err error) {
	switch {
	case o.output == stdoutName:
		return exitFine, "", printFiles(stdout, files)
	case o.check:
		diff, err := folder.Diff(o.output, files)
		if err != nil {
			return exitError, "", err
		}
		if diff == "" {
			return exitFine, fmt.Sprintf("%s is up to date.", o.output), nil
		}
		_, err = io.WriteString(stdout, diff)
		return exitDrift, fmt.Sprintf("%s differs from what these manifests give.", o.output), err
	}
	var changed bool
	err = r.Timed("write", func() (err error) {
		changed, err = folder.Write(o.output, files)
		return err
	})
	if !changed {
		return exitFine, fmt.Sprintf("%s was up to date.", o.output), err
	}
	return exitFine, fmt.Sprintf("Wrote %s (%s).", o.output, pipeline.Counted(len(files), "file")), err
}

// printFiles prints files one after the other, each under its name. Private keys are left out.
func printFiles(out io.Writer, files []generators.File) error {
	for _, f := range files {
		data := f.Data
		if f.Secret {
			data = []byte("(it holds a private key and is not shown)\n")
		}
		if _, err := fmt.Fprintf(out, "==> %s <==\n%s\n", f.Path, data); err != nil {
			return err
		}
	}
	return nil
}
