"""Renews the device's certificate at two thirds of its life, with a new key. The link thread looks now and then.

    make the key `next`  ►  a certificate for it, device-next.crt  ►  prove it, by an assertion that is taken
      ►  promote the key  ►  device-next.crt becomes device.crt

The power may go between any two: what is there tells where to go on. Until the new key was proven the old one is good;
from then on the control plane wants the new one, which is why it is proven again, and promoted, before all else.

A device whose own key is in a token has a second certificate, `mqtt.crt`, with a key in a file: TLS to the broker
cannot use the token's. That one is not proven: it opens nothing but the broker.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from lineside.agent import crash
from lineside.agent.clock import DEVICE, Clock, rfc3339
from lineside.agent.durable import sync_directory, write_atomically
from lineside.agent.health.conditions import Conditions
from lineside.agent.keys.opening import mqtt_keys
from lineside.agent.keys.port import CURRENT, NEXT, PREVIOUS, KeyStore
from lineside.agent.link import vault
from lineside.agent.link.error import LinkError
from lineside.agent.paths import Paths
from lineside.contract.device import CertificatePurpose
from lineside.contract.errors import LinesideError, RemoteError

FIRST_SECONDS, LOOK_SECONDS = 2.0, 5.0
LONGEST_WAIT = 3600.0
"""Between two tries of a renewal that fails."""
_CONDITION = "device.certificate_not_renewed"

_log = logging.getLogger(__name__)


class Issuer(Protocol):
    """The control plane, as far as renewal goes (`Link`)."""

    def certificate(self, csr: str, purpose: CertificatePurpose) -> str:
        """A certificate (PEM). Raises `LinkError`, `RemoteError`."""
        ...

    def adopt(self, promote: Callable[[], None]) -> None:
        """Prove the key `next`; when it is taken, call `promote`. No other assertion is made meanwhile."""
        ...


class Certified:
    """A key and its certificate on disk, and the step from one to the next."""

    def __init__(self, keys: KeyStore, certificate: Path, purpose: CertificatePurpose) -> None:
        self.keys = keys
        self.certificate = certificate
        self.next = certificate.with_name(f"{certificate.stem}-next{certificate.suffix}")
        self.purpose = purpose

    @property
    def begun(self) -> bool:
        """Whether a certificate waits to take the present one's place."""
        return self.next.exists()

    def settle(self) -> None:
        """Finish a promotion that was cut off between the key and its certificate."""
        if self.begun and not self.keys.exists(NEXT):
            self._replace()
        self._tidy()

    def promote(self) -> None:
        """The next key and certificate take the present ones' place."""
        self.keys.promote()
        crash.point("renewal.key_promoted")
        self._replace()
        crash.point("renewal.promoted")
        self._tidy()

    def ask(self, issuer: Issuer, device: str) -> None:
        """A key and a certificate for it, both on disk."""
        self.keys.make(NEXT)
        crash.point("renewal.key_made")
        pem = issuer.certificate(self.keys.request(NEXT, device), self.purpose)
        write_atomically(self.next, pem.encode())
        crash.point("renewal.certified")

    def forget(self) -> None:
        """The control plane does not know the next key: begin anew."""
        self.next.unlink(missing_ok=True)
        self.keys.discard(NEXT)

    def _tidy(self) -> None:
        """Nothing is ever sealed for the broker's key; the device's own stays until its secrets are sealed anew."""
        if self.purpose is CertificatePurpose.MQTT and self.keys.exists(PREVIOUS):
            self.keys.discard(PREVIOUS)

    def _replace(self) -> None:
        self.next.replace(self.certificate)
        sync_directory(self.certificate.parent)


class Renewal:
    """One certificate's renewal. `look` as often as you like, always in one thread."""

    def __init__(
        self,
        certified: Certified,
        device: str,
        issuer: Issuer,
        conditions: Conditions,
        renewed: Callable[[], None],
        clock: Clock = DEVICE,
    ) -> None:
        self._certified = certified
        self._device = device
        self._issuer = issuer
        self._conditions = conditions
        self._renewed = renewed
        self._clock = clock
        self._life: tuple[float, float] | None = None  # of the present certificate, seconds since the epoch
        # After the start, which has better things to do; but at once when the control plane may want the next key.
        self._next_look = 0.0 if certified.begun else time.monotonic() + FIRST_SECONDS
        self._failures = 0

    def look(self) -> None:
        """Renew if it is time."""
        if time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + LOOK_SECONDS
        try:
            self._certified.settle()
            if self._certified.begun or self._due():
                self._renew()
        except (LinesideError, OSError, sqlite3.Error) as error:
            self._fail(error)

    def _due(self) -> bool:
        if not self._certified.certificate.exists():
            return True
        if self._certified.keys.exists(PREVIOUS):
            return False  # secrets are still sealed for it; `Secrets.reseal` ends that after a poll
        if self._life is None:
            self._life = vault.certificate_life(self._certified.certificate)
        begins, ends = self._life
        return self._clock.time() >= begins + (ends - begins) * 2 / 3

    def _renew(self) -> None:
        certified = self._certified
        if not certified.begun:
            certified.ask(self._issuer, self._device)
        if certified.purpose is CertificatePurpose.DEVICE:
            self._adopt()
        else:
            certified.promote()
        self._life = None
        self._failures = 0
        self._conditions.clear(_CONDITION)
        _log.info("the %s certificate was renewed", certified.purpose.value)
        self._renewed()

    def _adopt(self) -> None:
        try:
            self._issuer.adopt(self._certified.promote)
        except RemoteError as error:
            if error.code == "auth.assertion_invalid" and self._certified.keys.exists(CURRENT):
                self._certified.forget()
            raise

    def _fail(self, error: Exception) -> None:
        self._failures += 1
        if not self._certified.begun:  # else the control plane may already want the next key: try again at once
            self._next_look = time.monotonic() + min(LONGEST_WAIT, LOOK_SECONDS * 2.0 ** min(self._failures, 16))
        why = getattr(error, "message", str(error))
        _log.warning("the %s certificate is not renewed: %s", self._certified.purpose.value, why)
        begins, ends = self._life or (0.0, 0.0)
        if isinstance(error, LinkError) and self._clock.time() < ends - (ends - begins) / 6:
            return  # not reached now; there is time
        self._conditions.set(_CONDITION, at=rfc3339(ends) if self._life else "an unknown time", why=why.rstrip("."))


def renewals(
    paths: Paths,
    keys: KeyStore,
    device: str,
    issuer: Issuer,
    conditions: Conditions,
    renewed: Callable[[], None],
) -> list[Renewal]:
    """What a device renews: its own certificate, and with a key in a token the one for the broker."""
    wanted = [Certified(keys, paths.certificate, CertificatePurpose.DEVICE)]
    if keys.file(CURRENT) is None:
        wanted.append(Certified(mqtt_keys(paths), paths.mqtt_certificate, CertificatePurpose.MQTT))
    return [Renewal(one, device, issuer, conditions, renewed) for one in wanted]
