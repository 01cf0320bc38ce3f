"""A real Mosquitto that wants client certificates, to be killed and started again; and a listener of its topics."""

from __future__ import annotations

import datetime
import ipaddress
import signal
import socket
import ssl
import subprocess
from contextlib import AbstractContextManager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from lineside.runtime.sinks.mqtt import MqttSettings
from tests.eventually import PATIENCE, eventually
from tests.frozen import frozen


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


class Authority:
    """A certificate authority in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = folder / "ca.pem"
        made = self._issue("ca", self._key, authority=True)
        self.certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))

    def issue(self, common: str) -> tuple[Path, Path]:
        """Certificate and key files for a name, valid for 127.0.0.1 as well."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate, key_file = self.folder / f"{common}.pem", self.folder / f"{common}.key"
        certificate.write_bytes(self._issue(common, key).public_bytes(serialization.Encoding.PEM))
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return certificate, key_file

    def _issue(self, common: str, key: ec.EllipticCurvePrivateKey, *, authority: bool = False) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(common))
            .issuer_name(_name("ca"))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=5))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        if authority:
            usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
            builder = builder.add_extension(usage, critical=True)
        else:
            builder = builder.add_extension(x509.SubjectAlternativeName([address]), critical=False)
        return builder.sign(self._key, hashes.SHA256())


class Broker:
    """Mosquitto on a free port; `kill` and `start` as often as wanted, on the same port."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.authority = Authority(folder)
        certificate, key = self.authority.issue("broker")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self._configuration = folder / "mosquitto.conf"
        self._configuration.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\nuser root\ncafile {self.authority.certificate}\n"
            f"certfile {certificate}\nkeyfile {key}\nrequire_certificate true\nmax_queued_messages 0\n"
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert self._process is None
        self._process = subprocess.Popen(
            ["/usr/sbin/mosquitto", "-c", str(self._configuration)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        eventually(self._listens)

    def kill(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(PATIENCE)
            self._process = None

    def say(self, line: str) -> None:
        """A line more of its configuration, from the next start on."""
        with self._configuration.open("a") as file:
            file.write(line + "\n")

    def frozen(self) -> AbstractContextManager[None]:
        """It keeps its connections, and answers nothing."""
        return frozen(self._process)

    def settings(self, device: str, topic: str = "") -> MqttSettings:
        """How a device reaches this broker with its own certificate."""
        certificate, key = self.authority.issue(device)
        return MqttSettings(
            host="127.0.0.1",
            port=self.port,
            device=device,
            topic=topic,
            ca=self.authority.certificate,
            certificate=certificate,
            key=key,
        )

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


class Listener:
    """Keeps (topic, payload) of everything published, over the broker's restarts."""

    def __init__(self, broker: Broker) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self.subscribed = False
        certificate, key = broker.authority.issue("listener")
        context = ssl.create_default_context(cafile=broker.authority.certificate)
        context.load_cert_chain(certificate, key)
        self._client = Client(CallbackAPIVersion.VERSION2, client_id="listener")
        self._client.tls_set_context(context)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe("#", qos=1)
        self._client.on_subscribe = lambda *_: setattr(self, "subscribed", True)
        self._client.on_disconnect = lambda *_: setattr(self, "subscribed", False)
        self._client.on_message = self._hear
        self._client.connect_async("127.0.0.1", broker.port)
        self._client.loop_start()
        eventually(lambda: self.subscribed)

    def on(self, topic: str) -> list[bytes]:
        return [payload for name, payload in list(self.heard) if name == topic]

    def drain(self) -> None:
        """Until everything that the broker has taken in was heard: marks come back and nothing comes between them."""
        before = -1
        while before != len(self.heard) - 1:
            before = len(self.heard)
            self._client.publish("mark", str(before), qos=1)
            eventually(lambda before=before: str(before).encode() in self.on("mark"))

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _hear(self, client: Client, userdata: object, message: MQTTMessage) -> None:
        self.heard.append((message.topic, message.payload))
