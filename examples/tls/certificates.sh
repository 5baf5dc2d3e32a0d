#!/bin/sh
# Makes an authority and what it signs, good for 30 days: for the gateway (two names, and a wildcard), the backend and
# a client. Everything is written to the folder certificates/ beside this script. Needs openssl.
set -eu
cd "$(dirname "$0")"
mkdir -p certificates
cd certificates

# key NAME: a new private key.
key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"; }

# issue NAME SUBJECT NAMES: a certificate of the authority.
issue() {
    key "$1"
    printf 'subjectAltName=%s\n' "$3" >"$1.ext"
    openssl req -new -key "$1.key" -subj "$2" |
        openssl x509 -req -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile "$1.ext" -out "$1.pem" 2>/dev/null
    rm "$1.ext"
}

if [ ! -f ca.pem ]; then
    key ca
    openssl req -x509 -key ca.key -subj "/CN=example authority" -days 30 -out ca.pem
fi
issue shop "/CN=shop.localhost" "DNS:shop.localhost,DNS:localhost,IP:127.0.0.1"
issue wild "/CN=*.team.localhost" "DNS:*.team.localhost"
issue backend "/CN=backend.internal" "DNS:backend.internal"
issue gateway "/CN=gateway" "DNS:gateway"
issue client "/O=Example/CN=ada" "DNS:ada"
