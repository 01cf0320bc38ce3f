"""The broker, for people: where it is and whether it works, and a certificate for one that is not ours."""

from __future__ import annotations

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from lineside.contract.broker import Broker, BrokerCertificate, BrokerCertificateRequest, is_host
from lineside.contract.errors import LinesideError
from lineside.contract.people import Permission
from lineside.server.access.ca import open_ca
from lineside.server.access.permissions import needs
from lineside.server.devices.certificates import Certificates
from lineside.server.services import Core, Room

_NEXT = (
    "Start it, or let LINESIDE_MQTT_URL name the one there is; it must trust the control plane's CA: docs/brokers.md"
)


@get("/broker", sync_to_thread=True, summary="Where devices' MQTT broker is, and whether it can be used")
def show_broker(core: NamedDependency[Core]) -> Broker:
    problems = core.hints.needs()
    return Broker(
        own=not core.settings.mqtt_url,
        host=core.addresses.mqtt_host,
        port=core.addresses.mqtt_port,
        problem=problems[0].what if problems else None,
        next=_NEXT if problems else None,
    )


@post(
    "/broker/certificate",
    sync_to_thread=True,
    status_code=200,
    summary="A server certificate for a broker that is not the control plane's own",
    opt=needs(Permission.ADMINISTER),
)
def certify_broker(
    data: JSONBody[BrokerCertificateRequest], core: NamedDependency[Core], certificates: NamedDependency[Certificates]
) -> BrokerCertificate:
    """Devices trust it as they trust the control plane, so this is audited. The key stays where it was made."""
    for name in data.names or ("",):
        if not is_host(name):
            raise LinesideError("broker.bad_name", name=name)
    ca = open_ca(core.keys, core.clock.now())
    signed = ca.sign_server_request(data.csr, data.names, core.clock.now())
    names = ", ".join(data.names)
    with core.database.write() as session:
        message = f"A certificate for a broker was made, good for {names} until {signed.ends_at:%Y-%m-%d}."
        core.events.record(session, kind="broker.certified", subject=data.names[0], message=message)
        core.audit.record(
            session, "broker.certify", data.names[0], digest=f"sha256:{signed.fingerprint}", why=f"for {names}"
        )
    return BrokerCertificate(
        certificate=signed.certificate,
        ca=ca.pem,
        crl=certificates.revocation_list(),
        crl_url=f"{core.addresses.device_url}/device/v1/crl",
    )


def room(core: Core) -> Room:
    """Brokers have no tables; there is nothing to open."""
    return Room(people=[show_broker, certify_broker])
