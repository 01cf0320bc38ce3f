"""Can the broker be reached, and does it take the device's certificate."""

from __future__ import annotations

import ssl

from lineside.agent.health.checks.subject import Subject
from lineside.agent.link.dial import dial
from lineside.agent.link.error import LinkError
from lineside.agent.link.tls import for_device, handshake
from lineside.contract.errors import LinesideError
from lineside.contract.inquiry import CheckResult

_PATIENCE = 0.5  # seconds in which a broker that refuses a certificate says so


def check(subject: Subject) -> CheckResult:
    """A TLS connection with the device's certificate; no message is sent."""
    host, port = subject.joined.mqtt_host, subject.joined.mqtt_port
    if not host or not port:
        return CheckResult(name="broker", ok=True, sentence="The control plane has no broker.")
    address = f"{host}:{port}"
    try:
        why = _refusal(subject, host, port)
    except LinkError as error:
        why = error.message.rstrip(".")
    if why:
        problem = LinesideError("link.broker", address=address, why=why)
        return CheckResult(name="broker", ok=False, sentence=problem.message, next=problem.next)
    return CheckResult(name="broker", ok=True, sentence=f"The broker at {address} takes the device's certificate.")


def _refusal(subject: Subject, host: str, port: int) -> str:
    """In TLS 1.3 a server judges a certificate after the handshake, so wait for its word; silence is good."""
    connection = handshake(dial(host, port), for_device(subject.paths), host, f"mqtts://{host}:{port}", subject.clock)
    with connection:
        connection.settimeout(_PATIENCE)
        try:
            return "" if connection.recv(1) else "it closes the connection"
        except TimeoutError:
            return ""
        except ssl.SSLError as error:
            return f"it refuses the device's certificate ({error.reason})"
        except OSError as error:
            return str(error)
