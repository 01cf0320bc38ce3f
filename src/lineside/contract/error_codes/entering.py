"""Who is let in at people's API and pages."""

from __future__ import annotations

from lineside.contract.errors import Kind, Problem

ROWS = (
    Problem(
        "auth.login_needed",
        Kind.UNAUTHENTICATED,
        "This needs somebody who is signed in.",
        "Sign in: lineside login URL; a program sends Authorization: Bearer TOKEN.",
    ),
    Problem(
        "auth.credential_refused",
        Kind.UNAUTHENTICATED,
        "The token that was sent is not good here: it has expired, was withdrawn or was never made.",
        "Sign in again: lineside login URL; on the control plane's machine name its root: --root DIR",
    ),
)
