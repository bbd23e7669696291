package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/runtime/folder"
)

// stdoutName is what -o and -f take for standard output and input.
const stdoutName = "-"

const generateHelp = `Render manifests to a folder that the proxy starts from, and say what is served and what is not.

The folder is swapped in whole; when all bytes are equal it isn't touched. Its status.yaml holds the status that
every object would get. What others put into the folder stays there.

Exit codes: 0 fine, 1 error, 2 written but a condition refuses something, 3 (--check) the folder differs.`

func newGenerate(log *logOptions) *cobra.Command {
	o := &options{logOptions: log}
	cmd := &cobra.Command{
		Use:   "generate -f FILES -o DIR",
		Short: "Render manifests to a proxy's configuration",
		Long:  generateHelp,
		Example: `  gatewright generate -f manifests/ -o out --proxy-binary /usr/sbin/nginx
  gatewright generate -f manifests/ -o out --check`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.generate(cmd) },
	}
	o.inputFlags(cmd.Flags())
	o.proxyFlags(cmd.Flags())
	o.renderFlags(cmd.Flags())
	cmd.Flags().BoolVar(&o.check, "check", false, "write nothing; print how the folder differs, with exit code 3 when it does")
	return cmd
}

func (o *options) generate(cmd *cobra.Command) error {
	switch {
	case o.output == "":
		return errors.New("no output folder: name it with -o DIR, or -o - for stdout")
	case o.output == stdoutName && o.check:
		return errors.New("--check compares with a folder: name it with -o DIR")
	}
	if err := o.checkStreams(); err != nil {
		return err
	}
	p, err := o.translate(cmd.Context(), cmd.InOrStdin())
	if err != nil {
		return err
	}
	log := o.journal(cmd.ErrOrStderr())
	if !p.result.HasGateways() {
		// An empty or truncated file must not replace what is served.
		log.notes(p.notes)
		return errors.New("no Gateway of the manifests is to be served, so nothing was written: see the notes, or name its class with --gateway-class")
	}
	p.notes = append(p.notes, faultSummary(p.caps)...)
	files, err := o.files(p)
	if err != nil {
		return err
	}
	p.warn()
	code, outcome, err := o.deliver(p, files, cmd.OutOrStdout())
	if err != nil {
		return err
	}
	log.summary(p, outcome)
	if code == exitFine && len(p.refused()) > 0 {
		code = exitRefused
	}
	if code != exitFine {
		return exitCode(code)
	}
	return nil
}

// deliver writes, prints or compares the files, and says in words what it did.
func (o *options) deliver(p *pipeline, files []generators.File, stdout io.Writer) (code int, outcome string, err error) {
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
	err = p.timed("write", func() (err error) {
		changed, err = folder.Write(o.output, files)
		return err
	})
	if !changed {
		return exitFine, fmt.Sprintf("%s was up to date.", o.output), err
	}
	return exitFine, fmt.Sprintf("Wrote %s (%s).", o.output, counted(len(files), "file")), err
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
