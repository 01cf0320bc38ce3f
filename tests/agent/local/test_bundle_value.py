"""The value of an offline bundle: for one device with a revision, or for a group without."""

from __future__ import annotations

from typing import Any

import pytest

from lineside.contract.bundle import BundleArtifact, artifact_path, read_bundle, signed_bytes, target_path
from lineside.contract.desired import Desired
from lineside.contract.errors import LinesideError
from tests.agent.local.bundles import APP, DIGEST, bundle


@pytest.mark.parametrize(
    ("desired", "group"), [(Desired(device="cell-1", revision=3), None), (Desired(device="", revision=0), "line-4")]
)
def test_it_comes_back_as_it_was_written(desired: Desired, group: str | None) -> None:
    file = BundleArtifact(name="m.onnx", digest=DIGEST, size=7)
    found = read_bundle(bundle(desired=desired, group=group, artifacts=(file,)))
    assert (found.desired, found.group, found.artifacts) == (desired, group, (file,))


@pytest.mark.parametrize(
    "changes",
    [
        {"schema": "lineside.bundle/2"},
        {"desired": Desired(device="", revision=0)},
        {"desired": Desired(device="cell-1", revision=0)},
        {"desired": Desired(device="../cell", revision=1)},
        {"name": "b\x1b[2J"},
        {"group": "a\nb", "desired": Desired(device="", revision=0)},
        {"group": "line-4"},
        {"group": "line-4", "desired": Desired(device="", revision=2)},
        {"desired": Desired(device="cell-1", revision=1, components=(APP, APP))},
        {"desired": Desired(device="cell-1", revision=1, schema="lineside.desired/9")},
        {"artifacts": (BundleArtifact(name="x", digest="../../etc/passwd", size=1),)},
        {"artifacts": (BundleArtifact(name="x", digest=DIGEST, size=-1),)},
    ],
)
def test_what_contradicts_itself_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(LinesideError) as caught:
        read_bundle(bundle(**changes))
    assert caught.value.code == "bundle.invalid"


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"schema": "lineside.bundle/1"}', b"\xff\xfe"], ids=range(5))
def test_what_is_no_bundle_is_refused(data: bytes) -> None:
    with pytest.raises(LinesideError) as caught:
        read_bundle(data)
    assert caught.value.code == "bundle.invalid"


def test_names_in_the_zip_and_what_is_signed() -> None:
    assert artifact_path(DIGEST) == "artifacts/" + "0" * 64
    assert target_path("apps/app-1.0.0.json") == "targets/apps/app-1.0.0.json"
    assert signed_bytes(b"{}") == b"lineside.bundle/1\n{}"
