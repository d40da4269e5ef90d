#!/usr/bin/env bash
# Makes what docker-compose.yml asks for: deploy/compose.env with passwords that nobody has seen, a
# certificate for HOST signed by itself, and one user of Dagster's UI. Never changes what is there.
#
#   deploy/make_secrets.sh [HOST] [USER]        defaults: localhost, admin
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
host="${1:-localhost}"
user="${2:-admin}"
umask 077

if [ -e compose.env ]; then
  echo "deploy/compose.env is there already; remove it to make new passwords." >&2
  exit 1
fi
random() { openssl rand -hex 24; }
password="$(random)"

mkdir -p secrets
if [ ! -e secrets/tls.crt ]; then
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 825 \
    -subj "/CN=$host" -addext "subjectAltName=DNS:$host,DNS:localhost,IP:127.0.0.1" \
    -keyout secrets/tls.key -out secrets/tls.crt 2>/dev/null
  # Containers read it as another user; the folder is closed to everyone else on this machine.
  chmod 0644 secrets/tls.crt secrets/tls.key
fi

if [ ! -e secrets/ingest/tokens ]; then
  mkdir -p secrets/ingest
  echo "default:$(random)" > secrets/ingest/tokens
  chmod 0755 secrets/ingest
  chmod 0644 secrets/ingest/tokens
fi

token="$(head -n 1 secrets/ingest/tokens)"
cat > compose.env <<EOF
# Made by deploy/make_secrets.sh; read by \`docker compose --env-file deploy/compose.env\`. Keep it secret.
DAGSTER_POSTGRES_PASSWORD=$(random)
S3_ACCESS_KEY=$(openssl rand -hex 10)
S3_SECRET_KEY=$(random)
OCSF_CLICKHOUSE_WRITER_PASSWORD=$(random)
OCSF_CLICKHOUSE_ANALYST_PASSWORD=$(random)
OCSF_INGEST_TOKEN=${token#default:}
UI_HTPASSWD='$user:$(openssl passwd -6 "$password")'

# Used by the profile trieve only.
TRIEVE_POSTGRES_PASSWORD=$(random)
TRIEVE_REDIS_PASSWORD=$(random)
TRIEVE_QDRANT_KEY=$(random)
TRIEVE_ADMIN_KEY=$(random)
TRIEVE_SECRET_KEY=$(openssl rand -hex 48)
TRIEVE_SALT=$(random)
EOF
# Vector passes over files that nobody wrote to for a day.
[ ! -d vector/samples ] || touch vector/samples/*
echo "Wrote deploy/compose.env and deploy/secrets/."
echo "Dagster's UI: user $user, password $password   (shown once; only its hash is kept)"
echo "Senders of logs: token ${token#default:}   (deploy/secrets/ingest/tokens)"
