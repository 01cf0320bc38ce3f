"""What starts a loop beside the clock, data and messages: reviews, drift, accuracy in the field; and its budget."""

from __future__ import annotations

import urllib.request
from typing import Any

import pytest
from sqlalchemy.orm import Session

from lineside.client import Client
from lineside.contract.errors import LinesideError
from lineside.contract.loop import Triggers
from lineside.server.datasets.service import DatasetsService
from lineside.server.learning.service import Loops
from lineside.server.learning.signals import FieldAccuracy
from lineside.server.runs.service import RunsService
from lineside.server.services import Core
from lineside.server.testing import FakeClock, Running
from tests.server.learning.test_loops import add_dataset, document, finish_newest, started


class Told:
    """Signals that a test sets; it remembers since when reviews were asked for."""

    def __init__(self) -> None:
        self.count, self.where, self.accuracy = 0, "", FieldAccuracy(None, 0, 30)
        self.asked: list[tuple[str, str]] = []

    def reviewed(self, session: Session, model: str, since: str) -> int:
        self.asked.append((model, since))
        return self.count

    def drift(self, session: Session, model: str) -> str:
        return self.where

    def field_accuracy(self, session: Session, model: str) -> FieldAccuracy:
        return self.accuracy


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def loops(core: Core, told: Told) -> Loops:
    add_dataset(core)
    datasets = DatasetsService(core)
    made = Loops(core, RunsService(core, datasets), datasets)
    made.signals = told
    return made


def test_so_many_reviewed_pictures_start_a_run_once_they_are_in_the_dataset(
    loops: Loops, core: Core, told: Told, clock: FakeClock
) -> None:
    loops.apply(document(model="tags-v", triggers=Triggers(reviewed=200)))
    told.count = 199
    loops.step()
    assert loops.get("nightly").waits == ("199 of 200 pictures reviewed since 2026-01-01T00:00Z",)
    add_dataset(core, 2)
    loops.step()
    assert started(loops) == []
    told.count = 200
    clock.advance(3600)
    loops.step()
    (run,) = started(loops)
    assert loops.get("nightly").started_by == "200 of 200 pictures reviewed since 2026-01-01T00:00Z"
    assert loops._runs.get(run).request.dataset == "ds-000000000002"
    clock.advance(60)
    told.asked.clear()
    finish_newest(loops)
    loops.step()
    assert set(told.asked) == {("tags-v", "2026-01-01T01:00:00.000Z")}  # since its last run began
    assert started(loops) == [run]


def test_what_would_train_on_the_same_pictures_again_waits_for_new_ones(loops: Loops, core: Core, told: Told) -> None:
    loops.apply(document(triggers=Triggers(drift=True)))
    told.where = "confidence on cam-1"
    loops.step()
    assert started(loops) == []
    (waits,) = loops.get("nightly").waits
    assert waits == "drift: confidence on cam-1; a version of tags that is newer than ds-000000000001"
    add_dataset(core, 2)
    loops.step()
    loops.step()
    assert len(started(loops)) == 1
    finish_newest(loops)
    loops.step()
    assert len(started(loops)) == 1  # it is still held, and nothing was learnt about it since
    add_dataset(core, 3)
    told.where = ""
    loops.step()
    assert len(started(loops)) == 1
    assert loops.get("nightly").waits == ("drift: none is held",)


@pytest.mark.parametrize(
    ("accuracy", "begins", "said"),
    [
        (FieldAccuracy(None, 12, 30), 0, "too few reviews of the random sample (12 of 30)"),
        (FieldAccuracy(0.6, 40, 30), 0, "0.600 is not below 0.6"),
        (FieldAccuracy(0.59, 40, 30), 1, "has to end"),
    ],
)
def test_a_run_begins_when_the_model_is_worth_less_in_the_field_than_the_line(
    loops: Loops, core: Core, told: Told, accuracy: FieldAccuracy, begins: int, said: str
) -> None:
    loops.apply(document(triggers=Triggers(field_accuracy=0.6)))
    add_dataset(core, 2)
    told.accuracy = accuracy
    loops.step()
    assert len(started(loops)) == begins
    assert said in "; ".join(loops.get("nightly").waits)


def test_no_more_runs_begin_by_themselves_than_its_month_has(
    loops: Loops, core: Core, told: Told, clock: FakeClock
) -> None:
    loops.apply(document(triggers=Triggers(new_dataset=True), runs_per_month=2))
    loops.start("nightly", {}, None)  # by hand: not of the budget
    finish_newest(loops)
    for number in (2, 3, 4):
        add_dataset(core, number)
        loops.step()
        if number < 4:
            finish_newest(loops)
    assert len(started(loops)) == 3
    loop = loops.get("nightly")
    assert loop.due == "the dataset version ds-000000000004"
    assert loop.waits == ("it began 2 of 2 runs this month: the next may begin on 2026-02-01",)
    clock.advance(31 * 86_400)
    loops.step()
    assert len(started(loops)) == 4


def test_it_says_what_holds_up_what_is_due(loops: Loops, core: Core, clock: FakeClock) -> None:
    loops.apply(document(triggers=Triggers(new_dataset=True), cooldown_minutes=90))
    add_dataset(core, 2)
    loops.step()
    add_dataset(core, 3)
    loops.step()
    (run,) = started(loops)
    assert loops.get("nightly").waits == (f"{run} has to end", "it cools down until 2026-01-01T01:30Z")
    finish_newest(loops)
    clock.advance(91 * 60)
    loops.step()
    assert len(started(loops)) == 2


@pytest.mark.parametrize(
    "fields",
    [
        {"triggers": Triggers(reviewed=0)},
        {"triggers": Triggers(reviewed=5), "dataset": "ds-1"},
        {"triggers": Triggers(drift=True), "dataset": None},
        {"triggers": Triggers(field_accuracy=1.5)},
        {"triggers": Triggers(field_accuracy=0.0)},
        {"runs_per_month": 0},
    ],
)
def test_triggers_that_make_no_sense_are_refused(loops: Loops, fields: dict[str, Any]) -> None:
    with pytest.raises(LinesideError) as caught:
        loops.apply(document(**fields))
    assert caught.value.code == "loop.invalid"


def test_the_page_says_what_a_loop_waits_for_and_why_it_began(lineside: Running) -> None:
    add_dataset(lineside.core)
    client = Client(lineside.people_url)
    client.apply_loop(document(triggers=Triggers(reviewed=50, drift=True), runs_per_month=4))
    client.start_loop("nightly", {}, None)
    with urllib.request.urlopen(f"{lineside.people_url}/loops") as answer:
        page = answer.read().decode()
    assert "0 of 50 pictures reviewed since" in page
    assert "drift: none is held" in page
    assert "by hand" in page
    assert "4 runs a month" in page
