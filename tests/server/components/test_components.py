"""Components: packed, signed for twins, signed for the fleet, fetched by devices."""

from __future__ import annotations

import msgspec
import pytest
from sqlalchemy.orm import Session

from lineside.contract.deployment import ComponentSpec
from lineside.contract.errors import LinesideError
from lineside.contract.trust import ApprovalStatement
from lineside.server.components.downloads import Downloads
from lineside.server.components.service import Components
from lineside.server.components.testing import model_version, release
from lineside.server.deployments.store import DeploymentRow
from lineside.server.devices.desired import DesiredDocuments
from lineside.server.rollouts.assignments import Assignments
from lineside.server.rollouts.testing import Fleet
from lineside.server.services import Core


@pytest.fixture
def components(core: Core) -> Components:
    return Components(core)


@pytest.fixture
def session(core: Core):
    with core.database.write() as opened:
        yield opened


def test_packing_twice_stores_nothing_new(core, components, session):
    model = model_version(core.objects)
    first = components.package(session, model)
    assert components.package(session, model) == first
    assert components.packaged(session, model) == first
    assert components.page(session).total == 2


def test_two_models_share_neither_component_and_two_versions_share_the_code(core, components, session):
    one = components.package(session, model_version(core.objects, 1))
    two = components.package(session, model_version(core.objects, 2))
    other = components.package(session, model_version(core.objects, 1, name="bolts"))
    assert one[0].version != two[0].version
    assert one[1] == two[1]
    assert {part.name for part in other} == {"bolts.model", "bolts.inference"}


def test_staging_signs_for_twins_only(core, components, session):
    staged = components.stage(session, components.package(session, model_version(core.objects)))
    assert [one.staging_target for one in staged] == [
        "staging/tags.model-1.0.0.json",
        "staging/tags.inference-0.1.0.json",
    ]
    assert [one.target for one in staged] == [None, None]
    assert components.repository.find("staging/tags.model-1.0.0.json") is not None
    assert components.repository.find("models/tags.model-1.0.0.json") is None


def test_release_signs_the_approval_with_its_numbers(core, components, session):
    model = model_version(core.objects)
    components.stage(session, components.package(session, model))
    files, code = release(components, session, model)
    assert (files.target, code.target) == ("models/tags.model-1.0.0.json", "apps/tags.inference-0.1.0.json")
    signed = components.repository.find("models/tags.model-1.0.0.json")
    assert signed.hashes["sha256"] == files.recipe_digest.removeprefix("sha256:")
    statement = ApprovalStatement.from_custom(signed.custom)
    assert (statement.recipe, statement.digest, statement.metrics) == (files.recipe_digest, model.digest, model.metrics)


def test_release_twice_keeps_the_first_approval(core, components, session):
    model = model_version(core.objects)
    components.package(session, model)
    release(components, session, model)
    release(components, session, msgspec.structs.replace(model, metrics={}))
    signed = components.repository.find("models/tags.model-1.0.0.json")
    assert ApprovalStatement.from_custom(signed.custom).metrics == model.metrics


def test_a_model_that_was_never_packed_cannot_be_released(core, components, session):
    with pytest.raises(LinesideError, match=r"request\.not_found"):
        release(components, session, model_version(core.objects))


def test_a_device_fetches_recipes_and_only_the_artifacts_it_should_run(core, components):
    fleet, downloads = Fleet(core), Downloads(core, components, DesiredDocuments(core))
    fleet.join("a", "b")
    with core.database.write() as session:
        files, _ = components.stage(session, components.package(session, model_version(core.objects)))
    digest, path = files.artifacts[0].digest, files.staging_target
    recipe = downloads.recipe(path)
    assert msgspec.json.decode(recipe)["ComponentName"] == "tags.model"
    prefixed = path.replace("staging/", f"staging/{files.recipe_digest[7:]}.")
    assert downloads.recipe(prefixed) == recipe
    for wrong in ("staging/nothing.json", path.replace("staging/", f"staging/{'0' * 64}.")):
        with pytest.raises(LinesideError, match=r"request\.not_found"):
            downloads.recipe(wrong)
    with pytest.raises(LinesideError, match=r"artifact\.not_desired"):
        downloads.artifact("a", digest, None)
    _want(core, components, "a")
    assert b"".join(downloads.artifact("a", digest, None).chunks) == core.objects.get(digest)
    with pytest.raises(LinesideError, match=r"artifact\.not_desired"):
        downloads.artifact("b", digest, None)


def _want(core: Core, components: Components, device: str) -> None:
    with core.database.write() as session:
        row = DeploymentRow(
            group="line",
            name="",
            components={"tags.model": ComponentSpec(component_version="1.0.0")},
            failure_policy="ROLLBACK",
            digest="",
            created_at="",
            staging=True,
        )
        session.add(row)
        session.flush()
        Assignments(core, components).assign(session, device, "line", row.number)


@pytest.mark.parametrize(
    ("header", "start", "end"),
    [
        (None, 0, 21),
        ("bytes=0-4", 0, 5),
        ("bytes=5-", 5, 21),
        ("bytes=-3", 18, 21),
        ("bytes=5-900", 5, 21),
        ("items=1-2", 0, 21),
        ("bytes=-", 0, 21),
        ("bytes=0-1,3-4", 0, 21),
    ],
)
def test_a_range_gives_that_part(core, components, header, start, end):
    fleet, downloads = Fleet(core), Downloads(core, components, DesiredDocuments(core))
    fleet.join("a")
    with core.database.write() as session:
        files, _ = components.stage(session, components.package(session, model_version(core.objects)))
    _want(core, components, "a")
    part = downloads.artifact("a", files.artifacts[0].digest, header)
    data = b"the network of tags:1"
    assert b"".join(part.chunks) == data[start:end]
    assert (part.start, part.length, part.size) == (start, end - start, len(data))


@pytest.mark.parametrize("header", ["bytes=21-", "bytes=9-3", "bytes=-0"])
def test_a_range_outside_the_artifact_is_refused(core, components, header):
    fleet, downloads = Fleet(core), Downloads(core, components, DesiredDocuments(core))
    fleet.join("a")
    with core.database.write() as session:
        files, _ = components.stage(session, components.package(session, model_version(core.objects)))
    _want(core, components, "a")
    with pytest.raises(LinesideError, match=r"artifact\.range"):
        downloads.artifact("a", files.artifacts[0].digest, header)


def test_unknown_components_and_versions_say_what_there_is(core, components, session: Session):
    components.package(session, model_version(core.objects))
    with pytest.raises(LinesideError, match=r"component\.unknown:"):
        components.row(session, "bolts.model", "1.0.0")
    with pytest.raises(LinesideError, match=r"it has 1\.0\.0"):
        components.row(session, "tags.model", "2.0.0")
