"""Offline bundles: what a control plane would have told and sent one device, in one ZIP file, to be carried by hand.

    bundle.json            what to run (`Bundle`)
    bundle.sig             who says so (`BundleSignatures`): the control plane's TUF timestamp key, over `signed_bytes`
    tuf/NAME               TUF metadata: every root from 1 on, timestamp, snapshot, targets, and the delegated roles
    targets/PATH           recipes by their TUF target path
    artifacts/HEX          artifacts by SHA-256

Believed through TUF only: a device takes a bundle if `bundle.sig` is by a key that its trusted root (brought up to
date from `tuf/`) gives the timestamp role, and a recipe if its target is signed as ever. What lies in the ZIP under
any other name is never looked at, and nothing is unpacked: entries are read by these names, stored or deflated.

How old may it be? The timestamp (a day) and the snapshot (a week) say how fresh an *online* answer is; a bundle that
lay in a drawer for a month is as good as on its first day, so their expiry does not count here: whoever imports it
vouches for it. All else holds: signatures, the expiry of root, targets and delegated roles (a year), and that
versions never go back. A bundle made before the metadata that the device saw last is refused (`trust.rollback`).

Which decision wins? A bundle made for one device carries the device's desired document with its revision; the greater
revision wins, and at the same revision the control plane's. A bundle made for a group has no revision (0): it lies on
top of the desired document like a local deployment, until the next revision names the same component.
"""

from __future__ import annotations

import msgspec

from lineside.contract.desired import DESIRED_SCHEMA, Desired
from lineside.contract.errors import LinesideError
from lineside.contract.ids import is_digest, is_name
from lineside.contract.reading import UNREADABLE

BUNDLE_SCHEMA = "lineside.bundle/1"
DOCUMENT = "bundle.json"
SIGNATURES = "bundle.sig"

MAX_ENTRIES = 20_000
MAX_DOCUMENT_BYTES = 4 << 20  # of bundle.json, bundle.sig and each file below tuf/ and targets/


class BundleArtifact(msgspec.Struct, frozen=True, kw_only=True):
    """A file below `artifacts/`; `size` in bytes."""

    name: str
    digest: str
    size: int


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """What a bundle is for. For a device: `desired` is its document, as it stood. For a `group`: `desired.device` is
    empty and `desired.revision` is 0. `artifacts`: those of all recipes, each digest once."""

    schema: str = BUNDLE_SCHEMA
    name: str
    created_at: str  # RFC 3339
    group: str | None = None
    desired: Desired
    artifacts: tuple[BundleArtifact, ...] = ()


class BundleSignature(msgspec.Struct, frozen=True, kw_only=True):
    """One signature as TUF writes it: a key id of the root's timestamp role, and hex."""

    keyid: str
    sig: str


class BundleSignatures(msgspec.Struct, frozen=True, kw_only=True):
    """The content of `bundle.sig`."""

    signatures: tuple[BundleSignature, ...]


def signed_bytes(document: bytes) -> bytes:
    """What is signed, given the bytes of `bundle.json`; its first line keeps it apart from TUF's own metadata."""
    return f"{BUNDLE_SCHEMA}\n".encode() + document


def metadata_path(name: str) -> str:
    """Where a TUF metadata file such as `3.snapshot.json` lies in the ZIP."""
    return f"tuf/{name}"


def target_path(target: str) -> str:
    """Where a recipe lies in the ZIP."""
    return f"targets/{target}"


def artifact_path(digest: str) -> str:
    """Where an artifact lies in the ZIP."""
    return f"artifacts/{digest.removeprefix('sha256:')}"


def read_bundle(document: bytes) -> Bundle:
    """The value of `bundle.json`. Raises `bundle.invalid`."""
    try:
        bundle = msgspec.json.decode(document, type=Bundle)
    except UNREADABLE as error:
        raise LinesideError("bundle.invalid", why=f"{DOCUMENT}: {error}") from error
    problem = _problem(bundle)
    if problem:
        raise LinesideError("bundle.invalid", why=problem)
    return bundle


def _problem(bundle: Bundle) -> str:
    desired = bundle.desired
    if bundle.schema != BUNDLE_SCHEMA or desired.schema != DESIRED_SCHEMA:
        return f"it is of the schema {bundle.schema} with {desired.schema}, and this agent reads {BUNDLE_SCHEMA}"
    if bundle.group is None and (not is_name(desired.device) or desired.revision < 1):
        return "it is neither for a device and a revision nor for a group"
    if bundle.group is not None and (desired.device or desired.revision):
        return "it is for a group and for a device's revision at once"
    if not bundle.name.isprintable() or not (bundle.group is None or is_name(bundle.group)):
        return "it is not named as bundles and groups are"
    names = [item.name for item in desired.components]
    if len(set(names)) != len(names) or not all(map(is_name, names)):
        return "its components are not named as components are"
    digests = [item.recipe_digest for item in desired.components] + [item.digest for item in bundle.artifacts]
    if not all(map(is_digest, digests)) or any(item.size < 0 for item in bundle.artifacts):
        return "it names files by something else than digests and sizes"
    return ""
