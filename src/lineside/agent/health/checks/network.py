"""Can the control plane be reached, and by which way."""

from __future__ import annotations

from urllib.parse import urlsplit

from lineside.agent.health import sensors
from lineside.agent.health.checks.subject import Subject
from lineside.agent.link.proxy import proxy_for
from lineside.contract.inquiry import CheckResult


def check(subject: Subject) -> CheckResult:
    """DNS, proxy, connection, TLS with the pinned CA, and an answer."""
    if subject.alone:
        return CheckResult(name="network", ok=True, sentence="The device has no control plane.")
    error = subject.reached
    if error is not None:
        return CheckResult(name="network", ok=False, sentence=error.message, next=error.next)
    name = sensors.interface(subject.machine)
    way = f"{name} ({sensors.link_kind(name, subject.machine)})" if name else "no default route"
    proxy = proxy_for(urlsplit(subject.joined.url).hostname or "")
    by = f" by the proxy {proxy}" if proxy else ""
    words = f"The control plane answers at {subject.joined.url}{by}; the default route is {way}."
    return CheckResult(name="network", ok=True, sentence=words)
