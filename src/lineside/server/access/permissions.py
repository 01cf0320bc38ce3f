"""What a route asks of its caller: `@post(…, opt=needs(Permission.OPERATE))`.

A GET that says nothing needs READ. Anything else that says nothing is a mistake: the control plane does not start.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lineside.contract.people import Permission

OPTION = "lineside_needs"

PUBLIC: Mapping[str, Any] = {OPTION: ()}
"""`opt=PUBLIC`: anybody, signed in or not."""


def needs(*permissions: Permission) -> Mapping[str, Any]:
    """The `opt` of a handler that any of these permissions opens."""
    return {OPTION: permissions}


def needed(opt: Mapping[str, Any], methods: frozenset[str]) -> tuple[Permission, ...] | None:
    """The permissions of which a caller must have one; empty when it is public; None when nobody has said."""
    if OPTION in opt:
        found: tuple[Permission, ...] = tuple(opt[OPTION])
        return found
    return (Permission.READ,) if methods <= {"GET", "HEAD", "OPTIONS"} else None
