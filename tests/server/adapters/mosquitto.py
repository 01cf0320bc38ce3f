"""A real Mosquitto with the configuration that `lineside broker config mosquitto` writes."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath

from cryptography import x509

from lineside.cli.mosquitto import Site, access_list, configuration
from lineside.server.access.ca import CertificateAuthority, Withdrawn
from lineside.server.testing import until
from tests.eventually import PATIENCE

PROGRAM = "/usr/sbin/mosquitto"


class Mosquitto:
    """On one port of this machine; it can be killed, frozen and started again."""

    def __init__(self, folder: Path, ca: CertificateAuthority, own: Sequence[str] = ("factory/#",)) -> None:
        self.folder, self.port, self._ca = folder, _free_port(), ca
        (folder / "data").mkdir(parents=True)
        site = Site(at=PurePosixPath(folder), port=self.port, crl_url="https://unused", own=own)
        pem = ca.server_pem(["127.0.0.1", "localhost"], datetime.now(UTC)).decode()
        end = pem.index("-----BEGIN CERTIFICATE")
        files = {
            "mosquitto.conf": configuration(site) + "user root\n",
            "acl": access_list(site),
            "ca.crt": ca.pem,
            "server.key": pem[:end],
            "server.pem": pem[end:],
        }
        for name, text in files.items():
            (folder / name).write_text(text)
            (folder / name).chmod(0o600)
        self._age = 0
        self.revoke()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"mqtts://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start, and wait until it listens."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [PROGRAM, "-c", str(self.folder / "mosquitto.conf")], stdout=log, stderr=log
            )
        until(self._listens)

    def revoke(self, *serials: str) -> None:
        """The revocation list names these certificates from now on."""
        now = datetime.now(UTC) + timedelta(seconds=self._age)  # a newer list wins, by the second
        self._age += 1
        reason = x509.ReasonFlags.privilege_withdrawn
        withdrawn = [Withdrawn(serial, now, reason) for serial in serials]
        (self.folder / "ca.crl").write_text(self._ca.revocation_list(withdrawn, now, timedelta(days=7)))

    def tell(self, number: int) -> None:
        """SIGHUP: read its files again; SIGSTOP, SIGCONT: freeze and thaw."""
        assert self._process is not None
        self._process.send_signal(number)

    def end(self, number: int = signal.SIGTERM) -> None:
        """End it, gently or not."""
        if self._process is not None:
            self._process.send_signal(number)
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGCONT)
            self._process.wait(PATIENCE)
            self._process = None

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
