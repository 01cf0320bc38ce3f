"""Names, digests and versions: how things are called, and when two things are the same."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any

import msgspec

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
"""A name of a device, group, model or component: at most 63 letters, digits, `_`, `.`, `-`; not first `_`, `.`, `-`."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def is_name(text: str) -> bool:
    """Whether `text` may name a device, group, model, dataset or component."""
    return NAME.fullmatch(text) is not None and ".." not in text


def is_digest(text: str) -> bool:
    """Whether `text` is a digest in Lineside's form, `sha256:` and 64 lower-case hex digits."""
    return _DIGEST.fullmatch(text) is not None


def plain_fingerprint(text: str) -> str:
    """A fingerprint as people copy it (capitals, colons, `sha256:` before it) in the one form that is compared."""
    return text.strip().lower().removeprefix("sha256:").replace(":", "")


def digest_of(data: bytes) -> str:
    """The digest of some bytes, `sha256:<hex>`."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def canonical(value: Any) -> bytes:
    """The one JSON encoding of a value that is hashed or signed: sorted keys, no spaces, UTF-8."""
    return msgspec.json.encode(value, order="sorted")


def content_digest(value: Any) -> str:
    """The digest of a value's canonical JSON."""
    return digest_of(canonical(value))


def greengrass_digest(digest: str) -> str:
    """A digest in the form Greengrass recipes use (`Digest`): base64 of the raw SHA-256."""
    return base64.b64encode(bytes.fromhex(digest.removeprefix("sha256:"))).decode()


def from_greengrass_digest(text: str) -> str:
    """The inverse of `greengrass_digest`. Raises ValueError when `text` is not base64 of 32 bytes."""
    raw = base64.b64decode(text, validate=True)
    if len(raw) != 32:
        raise ValueError(f"a SHA-256 has 32 bytes, this has {len(raw)}")
    return "sha256:" + raw.hex()
