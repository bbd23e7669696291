package pods

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// prepare makes the Pod's folder: its program as /app, and the volumes that it mounts.
func (p *pod) prepare(ctx context.Context, program string) error {
	if err := os.RemoveAll(p.root); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(p.root, "tmp"), 0o755); err != nil {
		return err
	}
	if err := os.Link(program, filepath.Join(p.root, "app")); err != nil {
		return err
	}
	for _, m := range p.container().VolumeMounts {
		for i := range p.object.Spec.Volumes {
			if v := &p.object.Spec.Volumes[i]; v.Name == m.Name {
				if err := p.mount(ctx, v, filepath.Join(p.root, m.MountPath)); err != nil {
					return fmt.Errorf("volume %s: %w", v.Name, err)
				}
			}
		}
	}
	return nil
}

// mount writes the files of a Secret or ConfigMap. Of other volumes there is only the folder.
func (p *pod) mount(ctx context.Context, v *corev1.Volume, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	data := map[string][]byte{}
	var items []corev1.KeyToPath
	core := p.kubelet.client.CoreV1()
	switch {
	case v.Secret != nil:
		s, err := core.Secrets(p.object.Namespace).Get(ctx, v.Secret.SecretName, metav1.GetOptions{})
		if err != nil {
			return err
		}
		data, items = s.Data, v.Secret.Items
	case v.ConfigMap != nil:
		m, err := core.ConfigMaps(p.object.Namespace).Get(ctx, v.ConfigMap.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for key, value := range m.Data {
			data[key] = []byte(value)
		}
		items = v.ConfigMap.Items
	}
	if items == nil {
		for key := range data {
			items = append(items, corev1.KeyToPath{Key: key, Path: key})
		}
	}
	for _, item := range items {
		if err := os.WriteFile(filepath.Join(dir, item.Path), data[item.Key], 0o600); err != nil {
			return err
		}
	}
	return nil
}
