package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/pflag"
	"go.etcd.io/etcd/server/v3/embed"
	cliflag "k8s.io/component-base/cli/flag"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	apioptions "k8s.io/kubernetes/cmd/kube-apiserver/app/options"
	manager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	manageroptions "k8s.io/kubernetes/cmd/kube-controller-manager/app/options"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	scheduleroptions "k8s.io/kubernetes/cmd/kube-scheduler/app/options"
)

// Pods and Services of the tests; none of them is routed anywhere else (RFC 2544's benchmark range).
const (
	podRange     = "198.18.0.0/16"
	serviceRange = "198.19.0.0/16"
	serviceIP    = "198.19.0.1"
)

type settings struct {
	dir           string
	port          int
	etcdPort      int
	nodes         int
	nodeIP        string
	apiserverArgs string
	managerArgs   string
}

func parseSettings(name string, args []string) (settings, error) {
	var s settings
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.StringVar(&s.dir, "dir", "", "folder for everything: certificates, kubeconfigs, etcd, volumes")
	flags.IntVar(&s.port, "port", 6443, "port of kube-apiserver")
	flags.IntVar(&s.etcdPort, "etcd-port", 2379, "port of etcd for clients; the next one is for its peers")
	flags.IntVar(&s.nodes, "nodes", 0, "nodes to make certificates for: node-1, node-2, ...")
	flags.StringVar(&s.nodeIP, "node-ip", "127.0.0.1", "address of kube-apiserver for pods, and of node-1; the next nodes follow")
	flags.StringVar(&s.apiserverArgs, "apiserver-args", "", "more flags of kube-apiserver, parted by spaces")
	flags.StringVar(&s.managerArgs, "manager-args", "", "more flags of kube-controller-manager, parted by spaces")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	if s.dir == "" {
		return s, fmt.Errorf("--dir is needed")
	}
	dir, err := filepath.Abs(s.dir)
	s.dir = dir
	return s, err
}

func (s settings) pki(name string) string { return filepath.Join(s.dir, "pki", name) }

func (s settings) kubeconfig(user string) string { return filepath.Join(s.dir, user+".kubeconfig") }

// up runs the control plane until SIGTERM. It prints "ready" when requests are answered.
func up(args []string) error {
	s, err := parseSettings("up", args)
	if err != nil {
		return err
	}
	if err := makeCertificates(s); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	store, err := startEtcd(s)
	if err != nil {
		return err
	}
	defer store.Close() // outlives the API server

	failed := make(chan error, 3)
	start := func(name string, run func() error) {
		go func() { failed <- fmt.Errorf("%s ended: %v", name, run()) }()
	}
	runAPI, err := newAPIServer(ctx, s)
	if err != nil {
		return err
	}
	start("kube-apiserver", runAPI)
	if err := waitUntilReady(ctx, s, failed); err != nil {
		return err
	}
	runManager, err := newControllerManager(ctx, s)
	if err != nil {
		return err
	}
	start("kube-controller-manager", runManager)
	start("kube-scheduler", func() error { return runScheduler(ctx, s) })
	fmt.Println("ready")
	select {
	case err := <-failed:
		if ctx.Err() == nil {
			return err
		}
	case <-ctx.Done():
		select {
		case <-failed: // whichever ends first; the process ends with it
		case <-time.After(3 * time.Second):
		}
	}
	return nil
}

func startEtcd(s settings) (*embed.Etcd, error) {
	config := embed.NewConfig()
	config.Dir = filepath.Join(s.dir, "etcd")
	config.LogLevel = "error" // at warn it reports every slow request of a busy machine
	config.UnsafeNoFsync = true
	at := func(port int) []url.URL {
		return []url.URL{{Scheme: "http", Host: fmt.Sprintf("127.0.0.1:%d", port)}}
	}
	config.ListenClientUrls, config.AdvertiseClientUrls = at(s.etcdPort), at(s.etcdPort)
	config.ListenPeerUrls, config.AdvertisePeerUrls = at(s.etcdPort+1), at(s.etcdPort+1)
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	store, err := embed.StartEtcd(config)
	if err != nil {
		return nil, err
	}
	select {
	case <-store.Server.ReadyNotify():
		return store, nil
	case err := <-store.Err():
		return nil, err
	case <-time.After(time.Minute):
		return nil, fmt.Errorf("etcd is not ready after a minute")
	}
}

func newAPIServer(ctx context.Context, s settings) (func() error, error) {
	options := apioptions.NewServerRunOptions()
	reconciler := "lease"
	if net.ParseIP(s.nodeIP).IsLoopback() {
		reconciler = "none" // nobody in a pod could reach it there
	}
	err := parseFlags(options.Flags(), s.apiserverArgs,
		"--endpoint-reconciler-type="+reconciler,
		fmt.Sprintf("--etcd-servers=http://127.0.0.1:%d", s.etcdPort),
		"--bind-address=0.0.0.0", fmt.Sprintf("--secure-port=%d", s.port), "--advertise-address="+s.nodeIP,
		"--service-cluster-ip-range="+serviceRange, "--allow-privileged=true",
		"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
		"--client-ca-file="+s.pki("ca.crt"),
		"--tls-cert-file="+s.pki("apiserver.crt"), "--tls-private-key-file="+s.pki("apiserver.key"),
		"--kubelet-client-certificate="+s.pki("admin.crt"), "--kubelet-client-key="+s.pki("admin.key"),
		"--kubelet-certificate-authority="+s.pki("ca.crt"), "--kubelet-preferred-address-types=InternalIP",
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file="+s.pki("sa.pub"), "--service-account-signing-key-file="+s.pki("sa.key"),
	)
	if err != nil {
		return nil, err
	}
	if err := options.GenericServerRunOptions.ComponentGlobalsRegistry.Set(); err != nil {
		return nil, err
	}
	completed, err := options.Complete(ctx)
	if err != nil {
		return nil, err
	}
	if errs := completed.Validate(); len(errs) > 0 {
		return nil, errs[0]
	}
	return func() error { return apiserver.Run(ctx, completed) }, nil
}

func newControllerManager(ctx context.Context, s settings) (func() error, error) {
	options, err := manageroptions.NewKubeControllerManagerOptions()
	if err != nil {
		return nil, err
	}
	all, off, aliases := manager.KnownControllers(), manager.ControllersDisabledByDefault(), manager.ControllerAliases()
	err = parseFlags(options.Flags(all, off, aliases), s.managerArgs,
		"--kubeconfig="+s.kubeconfig("kube-controller-manager"), "--leader-elect=false", "--secure-port=0",
		"--use-service-account-credentials=true", "--service-account-private-key-file="+s.pki("sa.key"),
		"--root-ca-file="+s.pki("ca.crt"),
		"--cluster-signing-cert-file="+s.pki("ca.crt"), "--cluster-signing-key-file="+s.pki("ca.key"),
		"--pvclaimbinder-sync-period=1s", // 15 s otherwise for a claim that comes together with its volume
		"--allocate-node-cidrs=true", "--cluster-cidr="+podRange, "--service-cluster-ip-range="+serviceRange,
	)
	if err != nil {
		return nil, err
	}
	if err := options.ComponentGlobalsRegistry.Set(); err != nil {
		return nil, err
	}
	config, err := options.Config(ctx, all, off, aliases)
	if err != nil {
		return nil, err
	}
	return func() error { return manager.Run(ctx, config.Complete()) }, nil
}

func runScheduler(ctx context.Context, s settings) error {
	options := scheduleroptions.NewOptions()
	err := parseFlags(*options.Flags, "",
		"--kubeconfig="+s.kubeconfig("kube-scheduler"), "--leader-elect=false", "--secure-port=0")
	if err != nil {
		return err
	}
	if err := options.ComponentGlobalsRegistry.Set(); err != nil {
		return err
	}
	config, built, err := scheduler.Setup(ctx, options)
	if err != nil {
		return err
	}
	return scheduler.Run(ctx, config, built)
}

func parseFlags(named cliflag.NamedFlagSets, more string, args ...string) error {
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	flags.SetNormalizeFunc(cliflag.WordSepNormalizeFunc)
	for _, set := range named.FlagSets {
		flags.AddFlagSet(set)
	}
	return flags.Parse(append(args, strings.Fields(more)...))
}

func waitUntilReady(ctx context.Context, s settings, failed <-chan error) error {
	certificate, err := tls.LoadX509KeyPair(s.pki("admin.crt"), s.pki("admin.key"))
	if err != nil {
		return err
	}
	pem, err := os.ReadFile(s.pki("ca.crt"))
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	client := &http.Client{
		Timeout: 2 * time.Second,
		Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{certificate}},
		},
	}
	deadline := time.After(2 * time.Minute)
	for {
		if response, err := client.Get(fmt.Sprintf("https://127.0.0.1:%d/readyz", s.port)); err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case err := <-failed:
			return err
		case <-ctx.Done():
			return ctx.Err()
		case <-deadline:
			return fmt.Errorf("kube-apiserver is not ready after two minutes")
		case <-time.After(100 * time.Millisecond):
		}
	}
}
