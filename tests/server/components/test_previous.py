"""Which earlier version comes along with a model: the newest approved one that can be compared with, chosen once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from lineside.contract.component import Component
from lineside.contract.model import ModelState, ModelVersion
from lineside.server.components.service import Components
from lineside.server.components.testing import model_version
from lineside.server.models.store import ModelRow
from lineside.server.services import Core


@pytest.fixture
def components(core: Core) -> Components:
    return Components(core)


@pytest.fixture
def session(core: Core) -> Iterator[Session]:
    with core.database.write() as opened:
        yield opened


def registered(
    core: Core, session: Session, version: int, state: ModelState = ModelState.APPROVED, **signature: Any
) -> ModelVersion:
    made = model_version(core.objects, version)
    made = msgspec.structs.replace(made, signature=msgspec.structs.replace(made.signature, **signature))
    row = ModelRow(name="tags", version=version, content=str(version), registered=made, state=state.value)
    session.add(row)
    session.flush()
    return made


def previous(component: Component) -> str | None:
    return next((one.digest for one in component.artifacts if one.name == "previous.onnx"), None)


def test_the_newest_approved_version_before_comes_along(core: Core, components: Components, session: Session) -> None:
    first, second = registered(core, session, 1), registered(core, session, 2)
    registered(core, session, 3, ModelState.REJECTED)
    fourth = registered(core, session, 4, ModelState.CANDIDATE)
    registered(core, session, 5)
    assert previous(components.package(session, first)[0]) is None
    assert previous(components.package(session, second)[0]) == first.digest
    assert previous(components.package(session, fourth)[0]) == second.digest


def test_other_classes_or_another_head_cannot_be_compared(core: Core, components: Components, session: Session) -> None:
    first = registered(core, session, 1)
    registered(core, session, 2, labels=("dent",))
    registered(core, session, 3, head="yolox")
    other = registered(core, session, 4, ModelState.CANDIDATE, input_width=128)  # is prepared by its own signature
    assert previous(components.package(session, other)[0]) == first.digest


def test_what_was_packed_stays_as_it_is_whatever_is_decided_later(
    core: Core, components: Components, session: Session
) -> None:
    registered(core, session, 1)
    model = registered(core, session, 3, ModelState.CANDIDATE)
    packed = components.package(session, model)
    lone = registered(core, session, 4, ModelState.CANDIDATE, labels=("crack",))
    alone = components.package(session, lone)
    session.execute(update(ModelRow).where(ModelRow.version == 1).values(state=ModelState.RETIRED.value))
    registered(core, session, 2)
    registered(core, session, 5, labels=("crack",))
    assert components.package(session, model) == packed
    assert components.package(session, lone) == alone
