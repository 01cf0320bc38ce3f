"""What the agent and its verifier's process say to one another. One JSON line a message, bytes in base64.

agent: Begin, then Refresh | Check | Fetch | Vouch, any number        verifier: Done | Failed
       Found (an answer to Wanted)                                              Wanted (a file, before it is done)
"""

from __future__ import annotations

import msgspec


class Begin(msgspec.Struct, frozen=True, tag=True):
    """Where trusted metadata lies, the root that joining brought, and the time (seconds since the epoch).

    `fresh`: for metadata that was carried here by hand, when its timestamp and snapshot were fresh (`contract.bundle`).
    `hashed_names`: targets are asked for as `HASH.NAME` (TUF's consistent snapshots), not as the devices' API has them.
    """

    folder: str
    root: bytes
    now: float
    fresh: float | None = None
    hashed_names: bool = False


class Refresh(msgspec.Struct, frozen=True, tag=True):
    """Bring the top-level metadata up to date."""


class Check(msgspec.Struct, frozen=True, tag=True):
    """Which digest is signed for a path."""

    target: str


class Fetch(msgspec.Struct, frozen=True, tag=True):
    """A checked target's bytes."""

    target: str


class Vouch(msgspec.Struct, frozen=True, tag=True):
    """Whether the control plane's timestamp key signed these bytes. `signatures`: hex by key id."""

    payload: bytes
    signatures: dict[str, str]


class Found(msgspec.Struct, frozen=True, tag=True):
    """A file that was wanted; neither `data` nor `missing`: the link failed."""

    data: bytes | None = None
    missing: bool = False


class Wanted(msgspec.Struct, frozen=True, tag=True):
    """A file is needed; more than `limit` bytes of it will be refused."""

    url: str
    limit: int


class Done(msgspec.Struct, frozen=True, tag=True):
    """What was asked for is done. `digest`: sha256:…, None for a path that nobody signed. `expires`: after a refresh,
    when the first of what was read expires (seconds since the epoch)."""

    digest: str | None = None
    data: bytes = b""
    expires: float = 0.0


class Failed(msgspec.Struct, frozen=True, tag=True):
    """It is not to be believed: a `trust.` code, and why."""

    code: str
    why: str


FromParent = Begin | Refresh | Check | Fetch | Vouch | Found
FromChild = Wanted | Done | Failed
