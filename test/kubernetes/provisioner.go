package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	provisionerName = "kube.test/local"
	provisionedBy   = "pv.kubernetes.io/provisioned-by"
)

// provision gives every pending claim of a StorageClass of ours a local volume, a folder below --dir, and deletes
// released ones with their data where the class says Delete. Local, not hostPath: that one ignores fsGroup.
func provision(args []string) error {
	s, err := parseSettings("provisioner", args)
	if err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", s.kubeconfig("admin"))
	if err != nil {
		return err
	}
	config.QPS, config.Burst = 50, 100
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	for ctx.Err() == nil {
		// The API server may be away for a while: that is one of the tests.
		if err := provisionOnce(ctx, s, client); err != nil && ctx.Err() == nil {
			fmt.Println(err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
	return nil
}

func provisionOnce(ctx context.Context, s settings, client kubernetes.Interface) error {
	classes, err := client.StorageV1().StorageClasses().List(ctx, meta.ListOptions{})
	if err != nil {
		return err
	}
	policies := map[string]core.PersistentVolumeReclaimPolicy{}
	for _, class := range classes.Items {
		if class.Provisioner != provisionerName {
			continue
		}
		policies[class.Name] = core.PersistentVolumeReclaimDelete
		if class.ReclaimPolicy != nil {
			policies[class.Name] = *class.ReclaimPolicy
		}
	}
	claims, err := client.CoreV1().PersistentVolumeClaims("").List(ctx, meta.ListOptions{})
	if err != nil {
		return err
	}
	for i := range claims.Items {
		claim := &claims.Items[i]
		if claim.Spec.StorageClassName == nil || claim.Spec.VolumeName != "" || claim.Status.Phase != core.ClaimPending {
			continue
		}
		policy, ours := policies[*claim.Spec.StorageClassName]
		if !ours {
			continue
		}
		if err := makeVolume(ctx, s, client, claim, policy); err != nil {
			return err
		}
	}
	return deleteReleased(ctx, client)
}

func makeVolume(ctx context.Context, s settings, client kubernetes.Interface, claim *core.PersistentVolumeClaim,
	policy core.PersistentVolumeReclaimPolicy) error {
	name := "pvc-" + string(claim.UID)
	path := filepath.Join(s.dir, "volumes", name)
	if err := os.MkdirAll(path, 0o777); err != nil {
		return err
	}
	everywhere := core.NodeSelectorTerm{ // every node is this machine
		MatchExpressions: []core.NodeSelectorRequirement{{Key: core.LabelHostname, Operator: core.NodeSelectorOpExists}},
	}
	volume := &core.PersistentVolume{
		ObjectMeta: meta.ObjectMeta{Name: name, Annotations: map[string]string{provisionedBy: provisionerName}},
		Spec: core.PersistentVolumeSpec{
			Capacity:                      core.ResourceList{core.ResourceStorage: claim.Spec.Resources.Requests[core.ResourceStorage]},
			AccessModes:                   claim.Spec.AccessModes,
			PersistentVolumeReclaimPolicy: policy,
			StorageClassName:              *claim.Spec.StorageClassName,
			VolumeMode:                    claim.Spec.VolumeMode,
			ClaimRef: &core.ObjectReference{
				Kind: "PersistentVolumeClaim", APIVersion: "v1", Namespace: claim.Namespace, Name: claim.Name, UID: claim.UID,
			},
			NodeAffinity: &core.VolumeNodeAffinity{
				Required: &core.NodeSelector{NodeSelectorTerms: []core.NodeSelectorTerm{everywhere}},
			},
			PersistentVolumeSource: core.PersistentVolumeSource{Local: &core.LocalVolumeSource{Path: path}},
		},
	}
	_, err := client.CoreV1().PersistentVolumes().Create(ctx, volume, meta.CreateOptions{})
	if err != nil && !errors.IsAlreadyExists(err) {
		return err
	}
	return nil
}

func deleteReleased(ctx context.Context, client kubernetes.Interface) error {
	volumes, err := client.CoreV1().PersistentVolumes().List(ctx, meta.ListOptions{})
	if err != nil {
		return err
	}
	for _, volume := range volumes.Items {
		ours := volume.Annotations[provisionedBy] == provisionerName && volume.Spec.Local != nil
		if !ours || volume.Status.Phase != core.VolumeReleased ||
			volume.Spec.PersistentVolumeReclaimPolicy != core.PersistentVolumeReclaimDelete {
			continue
		}
		if err := os.RemoveAll(volume.Spec.Local.Path); err != nil {
			return err
		}
		if err := client.CoreV1().PersistentVolumes().Delete(ctx, volume.Name, meta.DeleteOptions{}); err != nil {
			return err
		}
	}
	return nil
}
