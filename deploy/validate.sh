#!/usr/bin/env bash
# Checks the deployment's files with the tools that read them in earnest, as far as they are here: Docker
# Compose, kubectl, nginx. The tests check the same files by what the package index has; this adds the rest,
# and says loudly what it leaves out. Nothing is installed: Debian's package of Compose is unpacked to build/.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
left_out=0
skip() { echo "LEFT OUT: $*" >&2; left_out=$((left_out + 1)); }

# Docker Compose ------------------------------------------------------------------------------------
find_compose() {
  if docker compose version >/dev/null 2>&1; then echo "docker compose"; return; fi
  for program in docker-compose "$PWD/build/tools/docker-compose"; do
    if "$program" version 2>/dev/null | grep -q 'v\?2\.'; then echo "$program"; return; fi
  done
}

# Debian 13's package, read by apt with lists of its own: this machine's are left alone.
fetch_compose() {
  command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || return 1
  mkdir -p "$work"/apt/{lists/partial,cache/archives/partial,sources}
  chmod 755 "$work" "$work"/apt
  cat > "$work/apt/sources/debian.sources" <<EOF
Types: deb
URIs: http://deb.debian.org/debian
Suites: trixie
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
EOF
  local apt=(apt-get -qq -o Dir::Etc::sourcelist=/dev/null
    -o "Dir::Etc::sourceparts=$work/apt/sources" -o "Dir::State::lists=$work/apt/lists"
    -o "Dir::Cache=$work/apt/cache" -o APT::Sandbox::User=root)
  "${apt[@]}" update >/dev/null 2>&1 || return 1
  (cd "$work" && "${apt[@]}" download docker-compose >/dev/null 2>&1) || return 1
  dpkg-deb -x "$work"/docker-compose_*.deb "$work/compose" || return 1
  mkdir -p build/tools
  cp "$work/compose/usr/libexec/docker/cli-plugins/docker-compose" build/tools/docker-compose
}

compose="$(find_compose)"
if [ -z "$compose" ] && fetch_compose; then compose="$(find_compose)"; fi
if [ -n "$compose" ]; then
  cp -r deploy docker-compose.yml "$work/"
  rm -rf "$work/deploy/compose.env" "$work/deploy/secrets"
  bash "$work/deploy/make_secrets.sh" >/dev/null
  (
    cd "$work"
    $compose --env-file deploy/compose.env --profile trieve config --quiet
    if $compose config --quiet 2>/dev/null; then
      echo "docker-compose.yml can be read without passwords" >&2
      exit 1
    fi
  )
  echo "ok: docker-compose.yml ($($compose version | head -n 1))"
else
  skip "docker-compose.yml by Docker Compose: it is neither here nor to be had from Debian"
fi

# Kubernetes ----------------------------------------------------------------------------------------
if command -v kubectl >/dev/null; then
  for overlay in dev prod; do
    kubectl kustomize --load-restrictor LoadRestrictionsNone "deploy/k8s/overlays/$overlay" \
      > "$work/$overlay.yaml"
    .venv/bin/kubernetes-validate --strict --quiet "$work/$overlay.yaml"
    echo "ok: overlay $overlay ($(grep -c '^kind:' "$work/$overlay.yaml") manifests)"
  done
else
  skip "the overlays: kubectl is not installed"
fi

# nginx ---------------------------------------------------------------------------------------------
if command -v nginx >/dev/null; then
  mkdir -p "$work/secrets"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=test \
    -keyout "$work/secrets/tls_key" -out "$work/secrets/tls_cert" 2>/dev/null
  echo 'user:x' > "$work/secrets/ui_htpasswd"
  for upstreams in deploy/nginx deploy/k8s/base/gateway; do
    # `http2 on` came with nginx 1.25; Debian 12 has 1.22. The cluster's resolver has no name here.
    sed -e "s#/run/secrets#$work/secrets#; s#/etc/nginx/upstreams.conf#$work/upstreams.conf#" \
      -e '/http2 on;/d; s#/tmp/nginx.pid#'"$work/nginx.pid#" deploy/nginx/nginx.conf > "$work/nginx.conf"
    sed 's#kube-dns[^ ]*#127.0.0.1#' "$upstreams/upstreams.conf" > "$work/upstreams.conf"
    nginx -t -q -c "$work/nginx.conf"
  done
  echo "ok: nginx.conf ($(nginx -v 2>&1))"
else
  skip "nginx.conf: nginx is not installed; on Debian: apt-get install nginx-light"
fi

[ "$left_out" -eq 0 ] || echo "$left_out of 3 left out, see above" >&2
