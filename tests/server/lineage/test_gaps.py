"""What cannot be established about a result is said in words. The digest decides, never a name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from sqlalchemy import update

from lineside.contract.ids import digest_of
from lineside.contract.lineage import ResultLineage
from lineside.contract.model import GateResult, ModelVersion, RegisterModel
from lineside.server.models.store import ModelRow
from tests.server.lineage.conftest import Decided

_SEQUENCES = iter(range(100, 1000))


def lineage_of(decided: Decided, **changes: Any) -> ResultLineage:
    """The lineage of another result, like the house's but for `changes`."""
    result = msgspec.structs.replace(decided.result, sequence=next(_SEQUENCES), **changes)
    decided.lineside.apps.on_result(result.device, msgspec.json.encode(result))
    newest = decided.client.results(limit=1).results[-1]
    assert newest.result == result
    return decided.client.lineage(newest.id)


def said(found: ResultLineage, about: str) -> str:
    return " ".join(gap.sentence for gap in found.gaps if gap.about == about)


def again(decided: Decided, **changes: Any) -> ModelVersion:
    """The house's model registered once more as another version."""
    model = decided.model
    fields = {name: getattr(model, name) for name in RegisterModel.__struct_fields__ if hasattr(model, name)}
    return decided.client.register_model(RegisterModel(**(fields | changes)))


@pytest.fixture
def tables(decided: Decided) -> Callable[..., None]:
    """Changes what the models table says about plates:1, until the end of the test."""
    real = decided.client.model("plates", 1)

    def change(**changes: Any) -> None:
        with decided.lineside.core.database.write() as session:
            made = msgspec.structs.replace(real, **changes)
            session.execute(update(ModelRow).where(ModelRow.name == "plates").values(registered=made))

    yield change
    change()


def test_a_file_that_nobody_here_knows(decided: Decided) -> None:
    """The name that the device gives leads nowhere, although there is a model of that name."""
    found = lineage_of(decided, digest=digest_of(b"another model"))
    assert (found.model, found.approval, found.run, found.dataset, found.images) == (None,) * 5
    assert "No model here has the file that decided" in said(found, "model")
    assert "the device calls it plates:1" in said(found, "model")
    assert "No component here brings" in said(found, "components")


def test_a_name_that_is_not_the_files(decided: Decided) -> None:
    found = lineage_of(decided, model="bottles", version=7)
    assert found.model is not None
    assert found.model.label == "plates:1"
    assert said(found, "model") == "The device calls it bottles:7; by its digest it is plates:1."


def test_a_file_of_several_models(decided: Decided) -> None:
    """The device's word says which, if it names one of them; else nothing does."""
    gate = GateResult(name="g", level="WARN", passed=True, value=1, limit=1, sentence="1 of 1")
    twice = again(decided, name="plates-too", gates=(gate,))
    named = lineage_of(decided)
    assert named.model is not None
    assert named.model.label == "plates:1"
    found = lineage_of(decided, model="bottles")
    assert found.model is None
    assert "belongs to plates-too:1, plates:1; the device calls it bottles:1" in said(found, "model")
    unapproved = lineage_of(decided, model="plates-too", version=twice.version)
    assert unapproved.approval is None
    assert "No approver's signature over plates-too:1" in said(unapproved, "approval")
    assert "No report says what the twins saw" in said(unapproved, "twins")


def test_a_device_that_is_not_known(decided: Decided) -> None:
    found = lineage_of(decided, device="ghost")
    assert found.device is None
    assert said(found, "device") == "The device ghost is not known here."
    assert "never reported" in said(found, "components")


def test_a_picture_that_was_not_sent(decided: Decided) -> None:
    found = lineage_of(decided)
    assert (found.picture, found.capture) == (None, None)
    assert "did not send the picture" in said(found, "picture")


@pytest.mark.parametrize(
    ("changes", "about", "words"),
    [
        ({"dataset": None, "dataset_digest": None}, "dataset", "on which images it was trained is not known here"),
        ({"dataset": "ds-000000000000"}, "dataset", "ds-000000000000 is not known here"),
        ({"dataset_digest": digest_of(b"x")}, "dataset", "has another digest than the one"),
        ({"dataset_digest": digest_of(b"x")}, "approval", "What was signed names another dataset"),
        ({"run": None}, "run", "registered without a run"),
        ({"run": "run-000000000000"}, "run", "run-000000000000, which is said to have made it, is not known here"),
        ({"trainer": "imported"}, "images", "only scored on"),
    ],
)
def test_what_the_tables_say_about_where_it_came_from(
    decided: Decided, tables: Callable[..., None], changes: dict[str, Any], about: str, words: str
) -> None:
    """Whoever changes the tables does not change what was signed."""
    tables(lineage=msgspec.structs.replace(decided.model.lineage, **changes))
    found = lineage_of(decided)
    assert words in said(found, about)
    assert found.images is None or about in ("run", "approval")


def test_metrics_that_are_not_those_that_were_signed(decided: Decided, tables: Callable[..., None]) -> None:
    better = {side: msgspec.structs.replace(one, map50=0.99) for side, one in decided.model.metrics.items()}
    tables(metrics=better)
    found = lineage_of(decided)
    assert said(found, "approval") == "What was signed names another metrics than is recorded here."
    assert found.approval is not None
    assert found.approval.statement is not None
    assert found.approval.statement.metrics["test"].map50 == 0.81


def test_metadata_that_cannot_be_believed(decided: Decided) -> None:
    folder = decided.lineside.core.root / "tuf"
    newest = max(folder.glob("*.approvers.json"), key=lambda path: int(path.name.split(".")[0]))
    kept = newest.read_bytes()
    newest.write_bytes(kept.replace(b"plates", b"plazes"))
    try:
        found = lineage_of(decided)
    finally:
        newest.write_bytes(kept)
    assert found.approval is None
    assert "The signed metadata cannot be believed" in said(found, "approval")


def test_a_twin_report_that_was_lost(decided: Decided) -> None:
    report = decided.client.model("plates", 1).twin_report
    assert report is not None
    data = decided.lineside.core.objects.get(report)
    decided.lineside.core.objects.delete(report)
    try:
        found = lineage_of(decided)
    finally:
        decided.lineside.core.objects.put(data)
    assert found.twins is None
    assert "The twins' report cannot be read" in said(found, "twins")
