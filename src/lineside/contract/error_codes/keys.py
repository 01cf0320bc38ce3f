"""The device's private key: where it lies."""

from __future__ import annotations

from lineside.contract.errors import Kind, Problem

ROWS = (
    Problem(
        "key.uri_invalid",
        Kind.REFUSED,
        "{uri} names no key that can be used: {why}.",
        "Say it as pkcs11:token=LABEL;object=NAME?module-path=MODULE.so&pin-source=FILE (RFC 7512; see docs/secrets.md).",
    ),
    Problem(
        "key.pkcs11_missing",
        Kind.UNAVAILABLE,
        "A key in a token ({uri}) needs python-pkcs11, which is not installed here.",
        "Install it where the agent runs: pip install 'lineside[pkcs11]'",
    ),
)
