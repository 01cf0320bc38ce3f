"""What the power cut benchmark deploys: versions that are good, crash, hang, do not fit or are not what they say.

A device runs `app`, which depends on `model`. At every start the app writes the digests of what it runs (its file, its
unpacked code, the model, its configuration) into a witness file outside the device's root, so that anything torn or
mixed that ever ran is seen, however short it lived.
"""

from __future__ import annotations

import hashlib
import random
from pathlib import Path
from typing import Any

import msgspec
from tests.agent.components import archive, artifact, recipe
from tests.agent.control_plane import ControlPlane

from lineside.agent.crash import POINTS
from lineside.contract.deployment import ConfigurationUpdate
from lineside.contract.desired import DesiredComponent
from lineside.contract.ids import digest_of
from lineside.contract.reported import Phase, Report, ReportsAnswer, ReportsRequest

GOOD = ("1.0.0", "2.0.0", "3.0.0", "4.0.0")
BAD = {"crashing": "5.0.0", "hanging": "6.0.0", "too big": "7.0.0", "corrupt": "8.0.0"}
KINDS = ("good", "configuration", *BAD)
WEIGHTS = (5, 2, 1, 1, 1, 1)

_WITNESS = (
    "line=$(sha256sum {{artifacts:path}}/data.bin {{artifacts:decompressedPath}}/code/main.sh"
    ' {{model:artifacts:path}}/model.bin "$LINESIDE_CONFIG" | cut -c1-64 | tr "\\n" " ");'
    ' echo "{version} $line" >> {witness}; '
)
_RUNS = {
    "good": "exec sleep 1000",
    "stray": "setsid sleep 1000 & exec sleep 1000",
    "crashing": "exit 4",
    "hanging": "exec sleep 1000",
}


_AFTER_FETCH = {
    *("artifact.stored", "stage.built", "stage.renamed", "stage.recorded", "attempt.begun", "bootstrapped"),
    *("component.stopped", "component.started", "collected", "failure.recorded"),
}
_ELSEWHERE = {"bootstrapped", "uninstalled", "component.configured"}
"""Points that these recipes and documents do not lead to; `tests/agent/test_crashes.py` kills there."""


class Want(msgspec.Struct, frozen=True):
    """What is wanted: a kind of version, and the number in its configuration."""

    kind: str
    version: str
    number: int

    @property
    def good(self) -> bool:
        """Whether a device can become this."""
        return self.kind in ("good", "configuration")


class Fleet(ControlPlane):
    """A control plane with these versions. `faults` names what was wrong with the reports that came."""

    def __init__(self, folder: Path, dice: random.Random) -> None:
        self.faults: list[str] = []
        self._by_sequence: dict[int, Report] = {}
        super().__init__(folder)
        self.witness = folder / "witness"
        self.witness.touch()
        self.digests: dict[str, tuple[str, str, str]] = {}  # of data, code and model, by version of the app
        self._offers: dict[str, tuple[DesiredComponent, ...]] = {}
        for version in (*GOOD, *BAD.values()):
            self._offer(version, dice)

    def accept(self, request: ReportsRequest) -> ReportsAnswer:
        """Reports may come twice, but a number never stands for two reports."""
        for report in request.reports:
            before = self._by_sequence.setdefault(report.sequence, report)
            if before != report:
                self.faults.append(f"sequence number {report.sequence} was used for two reports")
        return super().accept(request)

    def order(self, want: Want) -> int:
        """The next desired document; its revision."""
        merge = ConfigurationUpdate(merge={"n": want.number})
        components = [msgspec.structs.replace(item, configuration_update=merge) for item in self._offers[want.version]]
        return self.want(*components, poll_seconds=0.1, soak_seconds=0.02)

    def newest(self, revision: int, since: str) -> Report | None:
        """The report with the highest number, if it speaks about this revision and was made since then."""
        found = max(self.reports, key=lambda report: report.sequence, default=None)
        return found if found is not None and found.revision == revision and found.at >= since else None

    def _offer(self, version: str, dice: random.Random) -> None:
        kind = next((kind for kind, one in BAD.items() if one == version), "good")
        major = int(version[0])
        data = dice.randbytes(200_000) + version.encode()
        code = version.encode() * 3000
        model = b"model" * 20_000 + bytes([major % 2])  # two models, which several versions share
        data_digest = self.add_blob(data)
        if kind == "corrupt":
            self.blobs[data_digest] = data[:-1] + b"?"
        if kind == "too big":
            self.claims[data_digest] = 1 << 50
        files = [
            artifact("data.bin", data_digest),
            artifact("code.zip", self.add_blob(archive({"main.sh": code})), Unarchive="ZIP"),
        ]
        run = _RUNS["stray" if version == GOOD[0] else kind if kind in _RUNS else "good"]
        steps: dict[str, Any] = {"Run": _WITNESS.format(version=version, witness=self.witness) + run}
        if kind in ("hanging", "crashing"):  # never ready; the one that crashes does so before its time is up
            steps["Probe"] = {"Script": "exit 1", "Timeout": "0.3" if kind == "hanging" else "20"}
        of_model = f"{1 + major % 2}.0.0"
        model_file = artifact("model.bin", self.add_blob(model))
        self._offers[version] = (
            self.release(recipe("model", of_model, artifacts=[model_file], install="true")),
            self.release(recipe("app", version, artifacts=files, dependencies={"model": of_model}, **steps)),
        )
        hashes = [hashlib.sha256(one).hexdigest() for one in (data, code, model)]
        self.digests[version] = (hashes[0], hashes[1], hashes[2])


def points_of(want: Want, *, first: bool) -> list[str]:
    """Crash points that an update to this passes, or may pass; those named here are known to be passed over."""
    never = {"failure.recorded"} if want.good else {"settled", "committed"}
    if want.kind in ("too big", "corrupt"):
        never |= _AFTER_FETCH
    if want.kind == "configuration":
        never |= {"artifact.part", "artifact.stored", "stage.built", "stage.renamed", "stage.recorded"}
    if first:
        never |= {"component.stopped", "collected"}
    return [point for point in POINTS if point not in never | _ELSEWHERE]


def configuration_digest(number: int) -> str:
    """SHA-256 of a component's configuration file."""
    return digest_of(msgspec.json.encode({"n": number})).removeprefix("sha256:")


def allowed(want: Want) -> dict[Phase, frozenset[str | None]]:
    """Phases in which a device may rest with this document, and the error codes it may give."""
    if want.good:
        return {Phase.HEALTHY: frozenset({None})}
    codes = {
        "crashing": {"component.broken", "component.crash_loop"},
        "hanging": {"component.not_ready"},
        "too big": {"store.no_space"},
        "corrupt": {"artifact.digest_mismatch"},
    }
    if want.kind in ("crashing", "hanging"):
        failed = frozenset({*codes[want.kind], "deploy.interrupted"})
        return {Phase.ROLLED_BACK: failed, Phase.FAILED: failed}
    return {Phase.REFUSED: frozenset(codes[want.kind])}
