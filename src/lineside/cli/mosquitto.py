"""The configuration of a Mosquitto (2.0 or newer) that devices of a control plane may use, as files by name. Pure.

Each device is who its certificate says (`use_identity_as_username`); what it may do with which topic is in `acl`, by
patterns with its name, so that a device that joins needs no change here. `contract/topics.py` has the same rules;
Mosquitto cannot say "everything but Lineside's topics", so topics of the user's are named one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from lineside.contract import topics
from lineside.contract.errors import LinesideError


@dataclass(frozen=True, kw_only=True)
class Site:
    """`at` is the folder the files will lie in on the broker's machine; `own` are filters for topics of the user's."""

    at: PurePosixPath
    port: int
    crl_url: str
    own: Sequence[str] = ()


def check_filters(filters: Sequence[str]) -> None:
    """Raises `broker.bad_topic` for a filter that would open more than topics of the user's."""
    for one in filters:
        if not topics.is_filter(one) or not topics.may_subscribe("", one) or any(c in one for c in "\r\n%"):
            raise LinesideError("broker.bad_topic", topic=one)


def configuration(site: Site) -> str:
    """mosquitto.conf."""
    at = site.at
    return f"""\
# Written by lineside broker config mosquitto. README.md in this folder says what to do with it.
listener {site.port}
cafile {at}/ca.crt
certfile {at}/server.pem
keyfile {at}/server.key
crlfile {at}/ca.crl
tls_version tlsv1.2

# Who connects is who the certificate says, and may do what acl says.
require_certificate true
use_identity_as_username true
allow_anonymous false
acl_file {at}/acl

# Results wait here while no control plane reads them; beyond these bounds Mosquitto drops the newest.
persistence true
persistence_location {at}/data/
autosave_interval 60
max_queued_messages 1000000
max_queued_bytes 1073741824
persistent_client_expiration 30d

max_inflight_messages 200
max_packet_size 1048576
set_tcp_nodelay true
log_dest stderr
log_type error
log_type warning
log_type notice
"""


def access_list(site: Site) -> str:
    """The file acl. Raises `broker.bad_topic`."""
    check_filters(site.own)
    own = "".join(f"pattern readwrite {one}\n" for one in site.own)
    return f"""\
# Written by lineside broker config mosquitto. %u is the name in a device's certificate.
user {topics.CONTROL_PLANE}
topic write {topics.hint("+")}
topic read {topics.ALL_RESULTS}
topic read {topics.ALL_TELEMETRY}
topic read {topics.ALL_DRIFT}

pattern write {topics.results("%u")}
pattern write {topics.telemetry("%u")}
pattern write {topics.drift("%u")}
pattern read {topics.hint("%u")}
{own}"""


def refresh_script(site: Site) -> str:
    """refresh-crl.sh: fetches the revocation list, checks it, and has Mosquitto read it."""
    return f"""\
#!/bin/sh
# Fetches the list of revoked certificates and has Mosquitto read it. Run it every minute: a list is good for seven
# days, and with an older one Mosquitto lets nobody in. What follows the script's name tells Mosquitto to read its
# files again; without, systemctl reload mosquitto.
set -eu
cd "$(dirname "$0")"
new=$(mktemp ca.crl.XXXXXX)
trap 'rm -f "$new"' EXIT
curl --fail --silent --show-error --max-time 20 --cacert ca.crt --output "$new" {site.crl_url}
openssl crl -in "$new" -CAfile ca.crt -noout 2>/dev/null
if cmp -s "$new" ca.crl; then exit 0; fi
chmod 644 "$new"
mv "$new" ca.crl
if [ $# -gt 0 ]; then "$@"; else systemctl reload mosquitto; fi
"""


def readme(site: Site) -> str:
    """README.md."""
    return f"""\
# Mosquitto for Lineside

Copy this folder to `{site.at}` on the broker's machine. Mosquitto must be able to read everything and to write below
`data`; nobody else may read `server.key`.

1. Start it: `mosquitto -c {site.at}/mosquitto.conf`.
2. Start the control plane with `LINESIDE_MQTT_URL=mqtts://NAME:{site.port}`; NAME is what you gave as --host.
   `lineside broker show` says whether it is connected.
3. Run `{site.at}/refresh-crl.sh` every minute, from a systemd timer or cron: a device that was revoked is then let in
   no more. A connection it has already stays until it ends, or Mosquitto does; the control plane refuses at once what a
   revoked device sends.
4. The certificate in `server.pem` is good for 825 days. Run `lineside broker config mosquitto` again before that.

`acl` lists which topics devices share with one another. Give all of them: --topic FILTER, more than once.
"""
