"""Lineage of one result: everything it came from; what cannot be established is said, never guessed."""

from __future__ import annotations

import msgspec
import pytest

from lineside.cli.main import main
from lineside.contract.errors import RemoteError
from lineside.contract.lineage import ResultLineage
from tests.server.lineage.conftest import Decided


def test_a_result_leads_back_to_the_very_images(decided: Decided) -> None:
    found = decided.client.lineage(1)
    assert found.result.result == decided.result
    assert found.device is not None
    assert (found.device.name, found.device.groups) == ("station-1", ("line-1",))
    assert [(one.name, one.running) for one in found.components] == [("plates.model", True)]
    assert found.model is not None
    assert (found.model.label, found.variant, found.model.digest) == ("plates:1", "fp32", decided.result.digest)
    assert found.run is not None
    assert (found.run.id, found.run.request.dataset) == (decided.run.id, decided.dataset.id)
    assert found.dataset is not None
    assert (found.dataset.id, found.dataset.digest) == (decided.dataset.id, decided.dataset.digest)
    assert found.images is not None
    assert found.images == decided.client.dataset_images(decided.dataset.id, split="train", limit=12)
    assert found.gaps == ()


def test_the_approval_is_read_from_the_signed_metadata(decided: Decided) -> None:
    approval = decided.client.lineage(1).approval
    assert approval is not None
    assert (approval.role, approval.threshold, approval.reason) == ("approvers", 1, "fine on the twin")
    assert [one.verified for one in approval.signatures] == [True]
    (one,) = approval.signatures
    assert (one.name, one.by, approval.decided_by) == ("this control plane", "tester", "tester")
    assert approval.statement is not None
    assert approval.statement.digest == decided.result.digest
    assert approval.statement.dataset_digest == decided.dataset.digest


def test_what_the_twins_saw(decided: Decided) -> None:
    twins = decided.client.lineage(1).twins
    assert twins is not None
    assert [(one.device, one.progress) for one in twins.twins] == [("twin-1", "healthy")]


def test_the_picture_that_was_decided_on(decided: Decided) -> None:
    found = decided.client.lineage(1)
    assert found.capture == "capture-1"
    assert found.picture == decided.client.capture("capture-1").record.digest
    assert msgspec.structs.replace(decided.client.capture_lineage("capture-1")) == found


@pytest.mark.parametrize("wanted", [2, 2**53])
def test_a_result_that_is_not_kept(decided: Decided, wanted: int) -> None:
    with pytest.raises(RemoteError, match="not_found"):
        decided.client.lineage(wanted)


def test_the_command_prints_the_chain_and_one_document(
    decided: Decided, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LINESIDE_URL", decided.lineside.people_url)
    assert main(["lineage", "1", "--json"]) == 0
    assert msgspec.json.decode(capfd.readouterr().out, type=ResultLineage) == decided.client.lineage(1)
    assert main(["captures", "lineage", "capture-1"]) == 0
    out = capfd.readouterr().out
    for words in ("scratch 0.87 in part-1.png", "station-1", "plates:1 (fp32)", "1 of 1 signature verified"):
        assert words in out
    for words in (decided.run.id, decided.dataset.digest, "trained on", "plate-0.png", "twin-1 healthy"):
        assert words in out
