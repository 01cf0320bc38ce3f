"""Lineage: for one result on one device, everything it came from, back to the very images.

A result names the digest of the model file that decided. That digest leads on, never a name: names are only compared.
What cannot be established is said in a sentence (`Gap`), and the place stays empty.
"""

from __future__ import annotations

import msgspec

from lineside.contract.approval import TwinReport
from lineside.contract.dataset import DatasetVersion, ImagePage
from lineside.contract.model import ModelVersion
from lineside.contract.result import StoredResult
from lineside.contract.run import Run
from lineside.contract.trust import ApprovalStatement


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is not known here, or does not agree. `about` is a field of `ResultLineage`."""

    about: str
    sentence: str


class LineageDevice(msgspec.Struct, frozen=True, kw_only=True):
    """The device that decided, as it is now."""

    name: str
    state: str
    twin: bool
    groups: tuple[str, ...]
    joined_at: str
    reported_at: str | None = None  # its last report, by its own clock


class LineageComponent(msgspec.Struct, frozen=True, kw_only=True):
    """A component version that brings the model's file to devices."""

    name: str
    version: str
    recipe_digest: str
    target: str | None = None  # its TUF path, once it is signed for the fleet
    staging_target: str | None = None
    created_at: str
    running: bool = False  # the device's last report says that it runs this very recipe with this very file


class LineageSignature(msgspec.Struct, frozen=True, kw_only=True):
    """A key that vouches for the model, and whose it is."""

    key: str  # TUF key id
    name: str = ""  # whose key it is, as was said when it was added
    by: str = ""  # who was signed in when the signature arrived
    at: str | None = None  # when it arrived
    verified: bool = False  # it was checked, now, over the metadata that devices are given


class LineageApproval(msgspec.Struct, frozen=True, kw_only=True):
    """What approvers signed about the model, read from the signed metadata itself."""

    role: str  # a TUF role
    target: str
    metadata_version: int  # of the role's metadata as it is now
    threshold: int  # so many keys must sign it
    signatures: tuple[LineageSignature, ...]
    statement: ApprovalStatement | None  # None: the target says nothing about a model
    decided_by: str | None = None  # as the control plane recorded it
    decided_at: str | None = None
    reason: str = ""


class ResultLineage(msgspec.Struct, frozen=True, kw_only=True):
    """Where one result came from. Pages of images: `datasets images ID --split train`."""

    result: StoredResult  # its id is 0 when only a capture still has it
    picture: str | None = None  # digest of the picture that was looked at, if the device sent it
    capture: str | None = None
    device: LineageDevice | None = None
    components: tuple[LineageComponent, ...] = ()
    model: ModelVersion | None = None
    variant: str | None = None  # which of the model's files decided
    approval: LineageApproval | None = None
    twins: TwinReport | None = None
    run: Run | None = None
    dataset: DatasetVersion | None = None
    images: ImagePage | None = None  # the first of those it was trained on, and how many there are
    gaps: tuple[Gap, ...] = ()
