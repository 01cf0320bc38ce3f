#!/bin/sh
# Fetches the list of revoked certificates and has Mosquitto read it. Run it every minute: a list is good for seven
# days, and with an older one Mosquitto lets nobody in. What follows the script's name tells Mosquitto to read its
# files again; without, systemctl reload mosquitto.
set -eu
cd "$(dirname "$0")"
new=$(mktemp ca.crl.XXXXXX)
trap 'rm -f "$new"' EXIT
curl --fail --silent --show-error --max-time 20 --cacert ca.crt --output "$new" https://plant.example.com:8443/device/v1/crl
openssl crl -in "$new" -CAfile ca.crt -noout 2>/dev/null
if cmp -s "$new" ca.crl; then exit 0; fi
chmod 644 "$new"
mv "$new" ca.crl
if [ $# -gt 0 ]; then "$@"; else systemctl reload mosquitto; fi
