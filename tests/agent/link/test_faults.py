"""Each way a network fails has its own code, with a next step, and passes when the network comes back."""

from __future__ import annotations

import os
import socket
import ssl
from pathlib import Path

import pytest

from lineside.agent.clock import Clock
from lineside.agent.health.conditions import Conditions
from lineside.agent.keys.opening import open_keys
from lineside.agent.link import dial
from lineside.agent.link.error import LinkError
from lineside.agent.link.https import Link
from lineside.agent.link.proxy import proxy_for
from tests.agent.agents import AgentProcess
from tests.agent.broker import free_port
from tests.agent.certificates import TestCa
from tests.agent.control_plane import ControlPlane
from tests.agent.link.networks import Proxy, says, says_over_tls, server, silent

PAGE = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\nlogin"
AWAY = b"HTTP/1.1 302 Found\r\nLocation: http://portal.example/\r\nContent-Length: 0\r\n\r\n"


class Device:
    """A link whose address can be changed under it, and its conditions."""

    def __init__(self, agent: AgentProcess) -> None:
        self.conditions = Conditions()
        self._agent = agent

    def codes(self) -> list[str]:
        return [one.code for one in self.conditions.current()]

    def ask(self, url: str) -> None:
        paths = self._agent.paths
        link = Link(url, "cell-1", open_keys(paths), paths.ca, conditions=self.conditions, clock=Clock())
        try:
            link.desired(None)
        finally:
            link.close()

    def fails(self, url: str) -> str:
        """The code of the failure, which is a condition from then on, with a next step."""
        with pytest.raises(LinkError) as caught:
            self.ask(url)
        assert self.codes() == [caught.value.code]
        assert self.conditions.current()[0].next
        return caught.value.code


@pytest.fixture
def device(agent: AgentProcess) -> Device:
    return Device(agent)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


def test_a_name_that_cannot_be_looked_up_then_can(
    plane: ControlPlane, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = plane.url.rpartition(":")[2]
    assert device.fails(f"https://plane.test:{port}") == "link.dns"
    assert "plane.test" in device.conditions.current()[0].message
    real = socket.getaddrinfo

    def resolve(host: object, *rest: object, **more: object) -> object:
        return real("127.0.0.1" if host == "plane.test" else host, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    device.ask(f"https://plane.test:{port}")
    assert device.codes() == []


def test_a_refused_connection_then_an_answer(plane: ControlPlane, device: Device) -> None:
    assert device.fails(f"https://127.0.0.1:{free_port()}") == "link.refused"
    device.ask(plane.url)
    assert device.codes() == []


def test_silence_is_a_time_out_then_an_answer(
    plane: ControlPlane, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dial, "CONNECT_SECONDS", 0.3)
    with server(silent) as port:
        assert device.fails(f"https://127.0.0.1:{port}") == "link.timeout"
    device.ask(plane.url)
    assert device.codes() == []


def test_a_server_that_speaks_no_tls_is_a_portal(plane: ControlPlane, device: Device) -> None:
    with server(says(AWAY)) as port:
        assert device.fails(f"https://127.0.0.1:{port}") == "link.captive_portal"
    device.ask(plane.url)
    assert device.codes() == []


def test_a_certificate_of_somebody_else_is_a_portal(plane: ControlPlane, device: Device, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    certificate, key = TestCa().server(tmp_path / "other")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with server(says_over_tls(context, PAGE)) as port:
        assert device.fails(f"https://127.0.0.1:{port}") == "link.captive_portal"
    device.ask(plane.url)
    assert device.codes() == []


@pytest.mark.parametrize("answer", [PAGE, AWAY, PAGE.replace(b"200 OK", b"511 Network Authentication Required")])
def test_a_page_for_people_is_a_portal(plane: ControlPlane, device: Device, tmp_path: Path, answer: bytes) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*plane.ca.server(tmp_path))
    with server(says_over_tls(context, answer)) as port:
        assert device.fails(f"https://127.0.0.1:{port}") == "link.captive_portal"
    device.ask(plane.url)
    assert device.codes() == []


def test_a_connection_that_breaks_off_has_its_reason(plane: ControlPlane, device: Device) -> None:
    def slam(connection: socket.socket) -> None:
        connection.recv(100)

    with server(slam) as port:
        assert device.fails(f"https://127.0.0.1:{port}") in ("link.unreachable", "link.captive_portal")
    device.ask(plane.url)


@pytest.mark.parametrize(
    ("wish", "seconds"),
    [("7", 7.0), ("99999999", 3600.0), ("Thu, 01 Jan 2026 00:02:00 GMT", 120.0), ("soon", None), ("", None)],
)
def test_a_broken_gateway_is_no_portal_and_its_wish_is_heard(
    plane: ControlPlane, device: Device, tmp_path: Path, wish: str, seconds: float | None
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*plane.ca.server(tmp_path))
    head = f"Date: Thu, 01 Jan 2026 00:00:00 GMT\r\nRetry-After: {wish}\r\nContent-Length: 3\r\n\r\n"
    answer = f"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\n{head}bad".encode()
    with server(says_over_tls(context, answer)) as port:
        with pytest.raises(LinkError) as caught:
            device.ask(f"https://127.0.0.1:{port}")
        assert (caught.value.code, caught.value.retry_after) == ("link.answer", seconds)


def test_the_proxy_is_asked_with_its_password_and_its_refusal_has_a_code(
    plane: ControlPlane, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = Proxy({"plane.test": int(plane.url.rpartition(":")[2])})
    proxy.password = "user:s p@ce"
    url = "https://plane.test:443"
    with server(proxy) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        assert device.fails(url) == "link.proxy"
        assert "407" in device.conditions.current()[0].message
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:s%20p%40ce@127.0.0.1:{port}")
        device.ask(url)
        assert device.codes() == []
        assert proxy.asked[-1] == "plane.test:443"
        proxy.refusal = "403 Forbidden"
        assert device.fails(url) == "link.proxy"
        assert "s p@ce" not in str(device.conditions.current())
    assert device.fails(url) == "link.proxy"  # nobody there at all
    monkeypatch.setenv("NO_PROXY", ".test")
    assert device.fails(url) == "link.dns"


def test_a_proxy_that_answers_nonsense_is_named(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    with server(says(b"220 mail.example ESMTP\r\n\r\n")) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"127.0.0.1:{port}")
        assert device.fails("https://plane.test:443") == "link.proxy"
    monkeypatch.setenv("HTTPS_PROXY", "socks5://127.0.0.1:1080")
    assert device.fails("https://plane.test:443") == "link.proxy"


@pytest.mark.parametrize(
    ("host", "exceptions", "direct"),
    [
        ("plane.test", "", False),
        ("plane.test", "*", True),
        ("plane.test", "test", True),
        ("plane.test", ".test", True),
        ("plane.test", "lane.test", False),
        ("Plane.Test", "plane.test", True),
        ("10.1.2.3", "10.0.0.0/8, other", True),
        ("11.1.2.3", "10.0.0.0/8", False),
        ("127.0.0.1", "", True),
        ("localhost", "", True),
        ("::1", "", True),
        ("fd00::7", "fd00::/16", True),
    ],
)
def test_no_proxy_names_hosts_domains_and_networks(host: str, exceptions: str, direct: bool) -> None:
    environment = {"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": exceptions}
    assert (proxy_for(host, environment) is None) == direct


def test_lower_case_names_win_and_the_password_is_never_shown() -> None:
    environment = {"https_proxy": "http://a:b@low:1", "HTTPS_PROXY": "http://high:2"}
    found = proxy_for("plane", environment)
    assert found is not None
    assert (found.host, found.port, str(found)) == ("low", 1, "http://low:1")
    assert proxy_for("plane", {}) is None


def test_the_environment_is_read_anew_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    assert proxy_for("plane") is not None
    monkeypatch.delenv("HTTPS_PROXY")
    assert proxy_for("plane", os.environ) is None
