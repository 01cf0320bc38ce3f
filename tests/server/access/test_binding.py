"""People's API listens on loopback alone, until it speaks TLS and somebody has a password."""

from __future__ import annotations

import shlex
import ssl
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from lineside.cli.connection import of_root
from lineside.contract.errors import LinesideError
from lineside.server.access.binding import check_open, is_loopback, open_front
from lineside.server.access.ca import CertificateAuthority, open_ca
from lineside.server.settings import Settings
from lineside.server.testing import until
from tests.server.processes import ControlPlaneProcess

FREE = ("--port", "0", "--device-port", "0", "--mqtt-port", "0")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ASKING = """
import pathlib, sys
from lineside.pipeline.main import connect, entry_of
value = dict(zip(sys.argv[1::2], sys.argv[2::2]))
assert value["--url"].startswith("https://")
assert connect(entry_of(value["--url"])).claim_run("worker") is None
(pathlib.Path(value["--root"]) / "asked").touch()
while sys.stdin.read(1): pass
"""
PASSWORD = "correct horse battery"


@pytest.fixture
def ca(tmp_path: Path) -> CertificateAuthority:
    return open_ca(tmp_path, NOW)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "localhost", "::1"])
def test_loopback_needs_nothing(tmp_path: Path, host: str) -> None:
    assert is_loopback(host)
    check_open(tmp_path, replace(Settings(), host=host), tls=False, somebody=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "plant.example", "localhost.evil.example", ""])
def test_anything_else_needs_both(tmp_path: Path, host: str) -> None:
    settings = replace(Settings(), host=host)
    check_open(tmp_path, settings, tls=True, somebody=True)
    for tls, somebody, step in (
        (False, True, "--tls own"),
        (True, False, f"--root {tmp_path}"),
        (False, False, "--tls"),
    ):
        with pytest.raises(LinesideError) as refused:
            check_open(tmp_path, settings, tls, somebody)
        assert refused.value.code == "start.not_open"
        assert step in refused.value.next


def test_without_tls_the_address_is_that_of_loopback(tmp_path: Path, ca: CertificateAuthority) -> None:
    front = open_front(tmp_path, Settings(), ca, NOW)
    assert (front.url(8400), front.hosts, front.tls) == ("http://127.0.0.1:8400", frozenset(), None)


def test_a_certificate_of_our_own_is_good_for_every_name(tmp_path: Path, ca: CertificateAuthority) -> None:
    settings = replace(Settings(), host="0.0.0.0", tls="own", people_names="Plant.example, 192.168.1.5")
    front = open_front(tmp_path, settings, ca, NOW)
    assert front.url(8400) == "https://Plant.example:8400"
    assert {"plant.example", "192.168.1.5"} <= front.hosts
    assert front.tls is not None
    assert {"127.0.0.1", "localhost", "::1", "192.168.1.5"} <= set(front.tls.hosts)
    assert front.tls.ca == ca.pem
    assert front.needs(NOW) == ()
    assert (tmp_path / "people.pem").stat().st_mode & 0o777 == 0o600


def test_an_address_that_a_given_certificate_is_not_good_for_is_not_printed(
    tmp_path: Path, ca: CertificateAuthority
) -> None:
    pem = tmp_path / "given.pem"
    pem.write_bytes(ca.server_pem(("*.plant.example", "pages.plant.example"), NOW))
    settings = replace(Settings(), host="0.0.0.0", tls_cert=str(pem), tls_key=str(pem))
    front = open_front(tmp_path, settings, ca, NOW)
    assert front.url(443) == "https://pages.plant.example:443"
    assert "*.plant.example" in front.hosts
    assert front.tls is not None
    assert front.tls.ca.count("BEGIN CERTIFICATE") == 1
    (need,) = front.needs(front.tls.until - timedelta(days=3))
    assert "certificate ends on" in need.what


@pytest.mark.parametrize(
    "settings",
    [
        {"tls": "yes"},
        {"tls_cert": "given.pem"},
        {"tls_key": "given.pem"},
        {"tls": "own", "tls_cert": "given.pem", "tls_key": "given.pem"},
        {"tls_cert": "none.pem", "tls_key": "none.pem"},
        {"tls_cert": "ca.pem", "tls_key": "given.pem"},
        {"tls_cert": "empty.pem", "tls_key": "given.pem"},
    ],
)
def test_tls_that_cannot_work_is_refused_with_the_reason(
    tmp_path: Path, ca: CertificateAuthority, settings: dict[str, str]
) -> None:
    (tmp_path / "given.pem").write_bytes(ca.server_pem(("plant.example",), NOW))
    (tmp_path / "empty.pem").write_bytes(b"")
    full = {name: str(tmp_path / value) if value.endswith(".pem") else value for name, value in settings.items()}
    with pytest.raises(LinesideError, match=r"start\.tls_invalid"):
        open_front(tmp_path, replace(Settings(), **full), ca, NOW)


def test_a_real_control_plane_opens_to_others_only_with_tls_and_a_password(tmp_path: Path) -> None:
    root, wide = tmp_path / "r", ("--host", "0.0.0.0")
    status, words = ControlPlaneProcess(root, *FREE, *wide).refused()
    assert (status, words.splitlines()[0]) == (
        1,
        "People's API may not listen on 0.0.0.0 yet: it does not speak TLS.",
    )
    status, words = ControlPlaneProcess(root, *FREE, *wide, "--tls", "own").refused()
    assert (status, "nobody has a password yet" in words) == (1, True)
    with ControlPlaneProcess(root, *FREE) as lineside:
        link = (root / "keys" / "first.link").read_text().strip()
        assert link.startswith(lineside.url)
        body = {"link": link.partition("token=")[2], "password": PASSWORD}
        assert httpx.post(f"{lineside.url}/api/v1/login/link", json=body).status_code == 200
    worker = shlex.join([sys.executable, "-c", ASKING])
    with ControlPlaneProcess(root, *wide, "--tls", "own", "--people-names", "127.0.0.1", worker=worker) as lineside:
        until((root / "worker" / "asked").exists, 90)
        assert not (root / "keys" / "first.link").exists()
        assert lineside.url.startswith("https://127.0.0.1:")
        near = of_root(root)
        assert near is not None
        assert near.client().runs() == []
        trusted = ssl.create_default_context(cadata=near.ca)
        answer = httpx.post(
            f"{lineside.url}/api/v1/login", json={"name": "admin", "password": PASSWORD}, verify=trusted
        )
        assert answer.status_code == 200
        flags = next(line for line in answer.headers.get_list("set-cookie") if "lineside_session" in line)
        name, *rest = (part.strip() for part in flags.split(";"))
        assert name.startswith("__Host-lineside_session=")
        assert {"Secure", "HttpOnly", "Path=/", "SameSite=lax"} <= set(rest)
        assert not [part for part in rest if part.lower().startswith("domain")]
        with pytest.raises(httpx.TransportError):
            httpx.get(lineside.url.replace("https", "http"))
