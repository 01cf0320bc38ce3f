"""Bundles for tests: values that are sound, and whole files signed as a control plane signs them."""

from __future__ import annotations

from typing import Any

import msgspec

from lineside.contract.bundle import Bundle
from lineside.contract.desired import Desired, DesiredComponent

DIGEST = "sha256:" + "0" * 64
APP = DesiredComponent(name="app", version="1.0.0", target="apps/app-1.0.0.json", recipe_digest=DIGEST)


def bundle(**changes: Any) -> bytes:
    """A sound bundle for the device cell-1, with these fields changed."""
    desired = Desired(device="cell-1", revision=3, components=(APP,))
    whole = Bundle(name="b", created_at="2026-01-01T00:00:00.000Z", desired=desired)
    return msgspec.json.encode(msgspec.structs.replace(whole, **changes))
