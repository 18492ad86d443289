#!/bin/sh
# authority.sh DIRECTORY: a small authority, and a certificate for tls.test as Mozilla's profiles
# want it: ECDSA, signed with SHA-256, 60 days, with the address of a responder.
set -eu
cd "$1"
curve="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
# shellcheck disable=SC2086  # several words
openssl req -x509 $curve -days 90 -subj "/CN=authority of the tests" \
    -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign,cRLSign" \
    -keyout authority.key -out authority.pem
# shellcheck disable=SC2086
openssl req -x509 $curve -days 60 -subj "/CN=tls.test" -CA authority.pem -CAkey authority.key \
    -addext "basicConstraints=critical,CA:FALSE" -addext "keyUsage=critical,digitalSignature" \
    -addext "extendedKeyUsage=serverAuth" -addext "subjectAltName=DNS:tls.test" \
    -addext "authorityInfoAccess=OCSP;URI:http://127.0.0.1:2560/" \
    -keyout tls.key -out tls-alone.pem
cat tls-alone.pem authority.pem > tls.pem
# shellcheck disable=SC2086
openssl req -x509 $curve -days 30 -subj "/CN=pebble" -addext "subjectAltName=DNS:localhost" \
    -keyout pebble.key -out pebble.pem
serial=$(openssl x509 -noout -serial -in tls.pem)
printf 'V\t%s\t\t%s\tunknown\t/CN=tls.test\n' "$(date -u -d '60 days' +%y%m%d%H%M%SZ)" "${serial#serial=}" > index.txt
