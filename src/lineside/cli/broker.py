"""`lineside broker`: the MQTT broker that devices use, and the configuration of a Mosquitto in its place."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Annotated

import msgspec
import typer

from lineside.cli.mosquitto import Site, access_list, check_filters, configuration, readme, refresh_script
from lineside.cli.options import Json, Root, Url
from lineside.cli.output import session
from lineside.client.tls_keys import TlsKey
from lineside.contract.broker import Broker, BrokerCertificate, BrokerCertificateRequest, is_host
from lineside.contract.errors import LinesideError

app = typer.Typer(name="broker", help="The MQTT broker that devices use.", no_args_is_help=True)
config = typer.Typer(name="config", help="Configurations of brokers that are not the control plane's own.")
app.add_typer(config)


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """What was written: a folder, and the control plane's setting that goes with it."""

    folder: str
    mqtt_url: str


@app.command("show")
def show(url: Url = None, root: Root = None, json: Json = False) -> None:
    """Show where the broker is, and whether it can be used; exit status 1 when it cannot."""
    with session(url, root, json) as (client, out):
        broker = client.broker()
        out.show(broker, _sentence)
        if broker.problem:
            raise typer.Exit(1)


@config.command("mosquitto")
def mosquitto(
    out: Annotated[Path, typer.Option("--out", "-o", file_okay=False, help="The folder to write.")],
    host: Annotated[list[str], typer.Option("--host", help="A name or address devices reach it by; more than once.")],
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Its port.")] = 8883,
    topic: Annotated[
        list[str] | None,
        typer.Option("--topic", metavar="FILTER", help="Topics of your own, shared by all devices; more than once."),
    ] = None,
    at: Annotated[
        str, typer.Option("--at", metavar="DIR", help="Where the folder will lie on the broker's machine.")
    ] = "",
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Write the configuration of a Mosquitto, with a certificate of the CA that devices trust. The key is made here."""
    with session(url, root, json) as (client, output):
        check_filters(topic or ())
        for name in host:
            if not is_host(name):
                raise LinesideError("broker.bad_name", name=name)
        key = TlsKey()
        given = client.certify_broker(BrokerCertificateRequest(csr=key.request(host[0]), names=tuple(host)))
        folder = out.absolute()
        site = Site(at=PurePosixPath(at or folder), port=port, crl_url=given.crl_url, own=tuple(topic or ()))
        _write(folder, site, given, key)
        bracketed = f"[{host[0]}]" if ":" in host[0] else host[0]
        output.show(Written(folder=str(folder), mqtt_url=f"mqtts://{bracketed}:{port}"), _what_next)


def _write(folder: Path, site: Site, given: BrokerCertificate, key: TlsKey) -> None:
    try:
        (folder / "data").mkdir(parents=True, exist_ok=True)
        key.save(folder / "server.key")
        for name, text, mode in (
            ("server.pem", given.certificate, 0o644),
            ("ca.crt", given.ca, 0o644),
            ("ca.crl", given.crl, 0o644),
            ("acl", access_list(site), 0o644),
            ("mosquitto.conf", configuration(site), 0o644),
            ("refresh-crl.sh", refresh_script(site), 0o755),
            ("README.md", readme(site), 0o644),
        ):
            (folder / name).write_text(text)
            (folder / name).chmod(mode)
    except OSError as error:
        raise LinesideError("cli.file_unwritable", file=folder, why=error.strerror) from error


def _sentence(broker: Broker) -> str:
    whose = "the control plane's own" if broker.own else "not the control plane's own"
    where = f"{broker.host}:{broker.port}, {whose}" if broker.host else "There is no broker; devices ask by themselves"
    if broker.problem:
        return f"{where}\n{broker.problem}" + (f"\nNext: {broker.next}" if broker.next else "")
    return f"{where}, works" if broker.host else where


def _what_next(written: Written) -> str:
    return (
        f"{written.folder} is written; README.md there says how Mosquitto starts with it.\n"
        f"Then: LINESIDE_MQTT_URL={written.mqtt_url} lineside up"
    )
