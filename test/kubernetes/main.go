// kube is a whole Kubernetes in one binary, for tests:
//
//	kube up --dir DIR    etcd, kube-apiserver, kube-controller-manager and kube-scheduler in one process
//	kube kubelet ...     the upstream commands, for tests with nodes
//	kube kube-proxy ...
//	kube provisioner     volumes for the claims of those nodes
//
// Every part is the upstream package, unpatched. What matters here is how they are put together: the cobra
// commands of upstream each take the process's signal handler, so the servers are started from their options.
package main

import (
	"context"
	"fmt"
	"os"
	"sort"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

var commands = map[string]func(args []string) error{
	"up":          up,
	"provisioner": provision,
	"kubelet":     func(args []string) error { return upstream(kubelet.NewKubeletCommand(context.Background()), args) },
	"kube-proxy":  func(args []string) error { return upstream(proxy.NewProxyCommand(), args) },
}

func upstream(command *cobra.Command, args []string) error {
	command.SetArgs(args)
	os.Exit(cli.Run(command))
	return nil
}

func main() {
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		names := make([]string, 0, len(commands))
		for name := range commands {
			names = append(names, name)
		}
		sort.Strings(names)
		fmt.Fprintf(os.Stderr, "usage: kube %s\n", strings.Join(names, "|"))
		os.Exit(2)
	}
	// Some of upstream reads os.Args itself.
	name, args := os.Args[1], os.Args[2:]
	os.Args = append([]string{name}, args...)
	if err := commands[name](args); err != nil {
		fmt.Fprintf(os.Stderr, "kube %s: %v\n", name, err)
		os.Exit(1)
	}
}
