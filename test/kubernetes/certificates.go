package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// user is somebody with a client certificate and a kubeconfig.
type user struct{ name, commonName, organization string }

// makeCertificates does nothing in a folder that has them: a control plane that restarts stays the same.
func makeCertificates(s settings) error {
	if _, err := os.Stat(s.kubeconfig("admin")); err == nil {
		return nil
	}
	if err := os.MkdirAll(s.pki(""), 0o700); err != nil {
		return err
	}
	ca, err := s.issue(nil, "ca", pkix.Name{CommonName: "kube-test-ca"}, nil)
	if err != nil {
		return err
	}
	hosts := []string{"127.0.0.1", s.nodeIP, serviceIP, "localhost", "kubernetes", "kubernetes.default",
		"kubernetes.default.svc", "kubernetes.default.svc.cluster.local"}
	if _, err := s.issue(ca, "apiserver", pkix.Name{CommonName: "kube-apiserver"}, hosts); err != nil {
		return err
	}
	users := []user{
		{"kube-controller-manager", "system:kube-controller-manager", ""},
		{"kube-scheduler", "system:kube-scheduler", ""},
		{"kube-proxy", "system:kube-proxy", ""},
	}
	for i := 1; i <= s.nodes; i++ {
		name, address := fmt.Sprintf("node-%d", i), net.ParseIP(s.nodeIP).To4()
		address[3] += byte(i - 1)
		subject := pkix.Name{CommonName: "system:node:" + name, Organization: []string{"system:nodes"}}
		if _, err := s.issue(ca, "server-"+name, subject, []string{name, address.String(), "127.0.0.1"}); err != nil {
			return err
		}
		users = append(users, user{name, "system:node:" + name, "system:nodes"})
	}
	if err := s.serviceAccountKeys(); err != nil {
		return err
	}
	// The admin's comes last: it says that all are there.
	for _, u := range append(users, user{"admin", "admin", "system:masters"}) {
		if err := s.addUser(ca, u); err != nil {
			return err
		}
	}
	return nil
}

func (s settings) serviceAccountKeys() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return err
	}
	if err := writePEM(s.pki("sa.key"), "PRIVATE KEY", private); err != nil {
		return err
	}
	return writePEM(s.pki("sa.pub"), "PUBLIC KEY", public)
}

func (s settings) addUser(ca *authority, u user) error {
	subject := pkix.Name{CommonName: u.commonName}
	if u.organization != "" {
		subject.Organization = []string{u.organization}
	}
	if _, err := s.issue(ca, u.name, subject, nil); err != nil {
		return err
	}
	var encoded [3]string
	for i, file := range []string{"ca.crt", u.name + ".crt", u.name + ".key"} {
		bytes, err := os.ReadFile(s.pki(file))
		if err != nil {
			return err
		}
		encoded[i] = base64.StdEncoding.EncodeToString(bytes)
	}
	text := fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: test, cluster: {server: "https://127.0.0.1:%d", certificate-authority-data: %s}}]
users: [{name: user, user: {client-certificate-data: %s, client-key-data: %s}}]
contexts: [{name: test, context: {cluster: test, user: user}}]
current-context: test
`, s.port, encoded[0], encoded[1], encoded[2])
	return os.WriteFile(s.kubeconfig(u.name), []byte(text), 0o600)
}

// issue writes NAME.crt and NAME.key. With hosts it is a server's, without a client's, without a ca the root.
func (s settings) issue(ca *authority, name string, subject pkix.Name, hosts []string) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: subject, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	parent, signer := template, key
	switch {
	case ca == nil:
		template.IsCA = true
		template.KeyUsage |= x509.KeyUsageCertSign
	case hosts != nil:
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	default:
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	}
	if ca != nil {
		parent, signer = ca.certificate, ca.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	if err := writePEM(s.pki(name+".crt"), "CERTIFICATE", der); err != nil {
		return nil, err
	}
	return &authority{certificate, key}, writePEM(s.pki(name+".key"), "PRIVATE KEY", private)
}

func writePEM(path, kind string, der []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}
