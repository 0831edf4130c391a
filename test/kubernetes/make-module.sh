#!/bin/sh
# make-module.sh v1.X.Y [FOLDER]: writes go.mod and go.sum there for that Kubernetes. Its staging modules are replaced
# by their released versions v0.X.Y, as k8s.io/kubernetes itself names folders that only its repository has.
set -eu
version=$1 here=$(cd "$(dirname "$0")" && pwd) folder=${2:-.}
staging=v0.${version#v1.}
mkdir -p "$here/$folder"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$here"/*.go "$work"
cd "$work"
source=$(go mod download -json "k8s.io/kubernetes@$version" | sed -n 's/.*"Dir": "\(.*\)",/\1/p')
go mod init millrace.dev/test/kubernetes
go mod edit -go="$(sed -n 's/^go //p' "$source/go.mod")" \
  -godebug=default="$(sed -n 's/^go \(1\.[0-9]*\).*/go\1/p' "$source/go.mod")" \
  -require="k8s.io/kubernetes@$version" \
  -require="go.etcd.io/etcd/server/v3@$(sed -n 's#.*go.etcd.io/etcd/client/v3 ##p' "$source/go.mod" | head -1)"
for module in $(sed -n 's#^[[:space:]]*\(k8s.io/[a-z-]*\) => ./staging.*#\1#p' "$source/go.mod"); do
  go mod edit -replace="$module=$module@$staging"
done
go mod tidy
cp go.mod go.sum "$here/$folder"
