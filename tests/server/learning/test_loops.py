"""Loops: applied by people; started by hand, by the clock, by new data and by signed messages; one run at a time."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from lineside.client import Client
from lineside.contract.dataset import DatasetVersion, ImageRecord, Split
from lineside.contract.errors import LinesideError
from lineside.contract.ids import digest_of
from lineside.contract.loop import LoopDocument, Triggers
from lineside.contract.own_step import OwnStep
from lineside.contract.run import RunFinish, RunState
from lineside.contract.webhook import ID, SIGNATURE, TIMESTAMP, TOLERANCE, secret_key, sign
from lineside.server.datasets.series import add_to_series
from lineside.server.datasets.service import DatasetsService
from lineside.server.datasets.store import add_version
from lineside.server.learning.service import Loops
from lineside.server.learning.store import LoopMessageRow
from lineside.server.runs.service import RunsService
from lineside.server.runs.store import Filter
from lineside.server.services import Core
from lineside.server.testing import FakeClock, Running


def add_dataset(core: Core, number: int = 1) -> str:
    """A version of the dataset `tags`; its id."""
    image = ImageRecord(digest=digest_of(b"i%d" % number), file_name="a.png", width=1, height=1, split=Split.TRAIN)
    version = DatasetVersion(
        id=f"ds-{number:012d}", digest=f"d{number}", name="tags", created_at="", format="coco", origin="photographs",
        images=1, boxes=0, classes=("dent",), splits={"train": 1}, groups=0, split_by="given",
    )  # fmt: skip
    with core.database.write() as session:
        add_version(session, version, (image,))
        add_to_series(session, "tags", version.id)
    return version.id


@pytest.fixture
def loops(core: Core) -> Loops:
    add_dataset(core)
    datasets = DatasetsService(core)
    return Loops(core, RunsService(core, datasets), datasets)


def document(**fields: Any) -> LoopDocument:
    return LoopDocument(**({"name": "nightly", "dataset": "tags@latest", "parameters": {"epochs": 3}} | fields))


def started(loops: Loops) -> list[str]:
    return [run.id for run in loops._runs.page(Filter(loop="nightly")).runs]


def finish_newest(loops: Loops) -> None:
    run = loops._runs.claim("w")
    assert run is not None
    loops._runs.finish(run.id, RunFinish(state=RunState.SUCCEEDED))


def test_applying_the_same_again_changes_nothing(loops: Loops, clock: FakeClock) -> None:
    first = loops.apply(document())
    clock.advance(60)
    again = loops.apply(document())
    assert (first.changed, again.changed) == (True, False)
    assert again.loop == first.loop
    assert loops.apply(document(seed=1)).changed
    assert [loop.document.seed for loop in loops.all()] == [1]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"schedule": "tomorrow"}, "loop.invalid"),
        ({"schedule": "99 * * * *"}, "loop.invalid"),
        ({"schedule": "0 0 31 2 *"}, "loop.invalid"),
        ({"schedule": "* * * * * *"}, "loop.invalid"),
        ({"name": "../up"}, "loop.invalid"),
        ({"spec": "lineside.loop/9"}, "loop.invalid"),
        ({"init": "weights.pth"}, "loop.invalid"),
        ({"dataset": "ds-1", "triggers": Triggers(new_dataset=True)}, "loop.invalid"),
        ({"targets": ("toaster",)}, "gate.target_unknown"),
        ({"steps": (OwnStep(name="a", command=("true",), files=("a.py",)),)}, "run.step_invalid"),
        ({"steps": (OwnStep(name="a", command=("true",), files={"a.py": digest_of(b"no")}),)}, "request.not_found"),
        ({"steps": (OwnStep(name="a", command=("true",), files={"../a.py": digest_of(b"")}),)}, "run.step_invalid"),
        ({"steps": (OwnStep(name="a", command=("true",), needs=("a",)),)}, "run.step_invalid"),
        ({"steps": (OwnStep(name="train", command=("true",)),)}, "run.step_invalid"),
    ],
)
def test_a_loop_that_makes_no_sense_is_refused(loops: Loops, fields: dict[str, Any], code: str) -> None:
    with pytest.raises(LinesideError) as caught:
        loops.apply(document(**fields))
    assert caught.value.code == code
    assert loops.all() == []


def test_a_schedule_starts_a_run_and_one_that_goes_on_is_waited_for(loops: Loops, clock: FakeClock) -> None:
    due = loops.apply(document(schedule="0 * * * *")).loop.next_at
    loops.step()
    assert started(loops) == []
    clock.advance(3600)
    loops.step()
    loops.step()
    (first,) = started(loops)
    assert loops.get("nightly").run == first
    assert loops.get("nightly").next_at > due
    clock.advance(3600)
    loops.step()
    assert started(loops) == [first]
    assert loops.get("nightly").due == "its schedule 0 * * * *"
    finish_newest(loops)
    loops.step()
    assert len(started(loops)) == 2
    assert loops.get("nightly").due is None


def test_a_new_version_of_the_dataset_starts_a_run_on_it(loops: Loops, core: Core) -> None:
    loops.apply(document(triggers=Triggers(new_dataset=True)))
    loops.step()
    assert started(loops) == []  # what was there before it was applied starts nothing
    newer = add_dataset(core, 2)
    loops.step()
    loops.step()
    (run,) = loops._runs.page(Filter(loop="nightly")).runs
    assert (run.request.dataset, run.request.loop, run.request.parameters) == (newer, "nightly", {"epochs": 3})


def test_it_cools_down(loops: Loops, core: Core, clock: FakeClock) -> None:
    loops.apply(document(triggers=Triggers(new_dataset=True), cooldown_minutes=30))
    add_dataset(core, 2)
    loops.step()
    finish_newest(loops)
    add_dataset(core, 3)
    loops.step()
    assert len(started(loops)) == 1
    clock.advance(31 * 60)
    loops.step()
    assert len(started(loops)) == 2


def test_by_hand_or_by_itself_it_has_one_run_at_a_time(loops: Loops, clock: FakeClock) -> None:
    loops.apply(document(schedule="0 * * * *"))
    clock.advance(3600)
    loops.step()
    (first,) = started(loops)
    with pytest.raises(LinesideError) as caught:
        loops.start("nightly", {}, None)
    assert caught.value.code == "loop.at_work"
    assert first in caught.value.message
    finish_newest(loops)
    by_hand = loops.start("nightly", {}, None).id
    beside = loops._runs.start(msgspec.structs.replace(loops._runs.get(first).request, loop=None))
    clock.advance(3600)
    loops.step()
    assert started(loops) == [by_hand, first]
    loops._runs.cancel(by_hand)
    loops.step()
    assert len(started(loops)) == 3
    assert beside.id not in started(loops)


def test_every_run_of_a_loop_is_waited_for_not_only_the_one_it_began_last(loops: Loops, clock: FakeClock) -> None:
    loops.apply(document(schedule="0 * * * *"))
    last = loops.start("nightly", {}, None)
    other = loops._runs.start(last.request)
    loops._runs.cancel(last.id)
    clock.advance(3600)
    loops.step()
    assert len(started(loops)) == 2
    loops._runs.cancel(other.id)
    loops.step()
    assert len(started(loops)) == 3


def test_what_is_due_stays_due_when_the_loop_is_changed_unless_it_starts_nothing_any_more(
    loops: Loops, core: Core, clock: FakeClock
) -> None:
    on_data = Triggers(new_dataset=True)
    loops.apply(document(schedule="0 * * * *", triggers=on_data))
    loops.start("nightly", {}, None)
    clock.advance(3600)
    loops.step()
    loops.apply(document(schedule="0 * * * *", triggers=on_data, description="other"))
    assert loops.get("nightly").due == "its schedule 0 * * * *"
    loops.apply(document(triggers=on_data))
    assert loops.get("nightly").due is None
    newer = add_dataset(core, 2)
    loops.step()
    loops.apply(document(triggers=on_data, description="third"))
    assert loops.get("nightly").due == f"the dataset version {newer}"
    loops.apply(document(schedule="0 * * * *"))
    assert loops.get("nightly").due is None


def test_what_cannot_begin_is_said_and_not_tried_for_ever(loops: Loops, clock: FakeClock) -> None:
    loops.apply(document(dataset="other@latest", schedule="0 * * * *"))
    clock.advance(3600)
    loops.step()
    loop = loops.get("nightly")
    assert loop.problem is not None
    assert (loop.problem.code, loop.due, loop.run) == ("request.not_found", None, None)


def test_by_hand_it_starts_other_than_it_says(loops: Loops) -> None:
    loops.apply(document(steps=(OwnStep(name="count", command=("true",), needs=("optimize",)),)))
    run = loops.start("nightly", {"trainer": "yolox", "epochs": 9, "steps.count.limit": 4}, "evaluate")
    request = run.request
    assert (request.trainer, request.parameters, request.from_step) == ("yolox", {"epochs": 9}, "evaluate")
    assert request.steps[0].parameters == {"limit": 4}
    names = [step.name for step in run.steps]
    assert names.index("optimize") < names.index("count") < names.index("register")
    with pytest.raises(LinesideError) as caught:
        loops.start("nightly", {"steps.other.limit": 4}, None)
    assert caught.value.code == "loop.invalid"
    with pytest.raises(LinesideError) as caught:
        loops.start("nightly", {"seed": "x"}, None)
    assert caught.value.code == "loop.invalid"


def test_a_removed_loop_starts_nothing(loops: Loops, clock: FakeClock) -> None:
    loops.apply(document(schedule="0 * * * *"))
    loops.remove("nightly")
    clock.advance(7200)
    loops.step()
    assert started(loops) == []
    with pytest.raises(LinesideError):
        loops.get("nightly")


def test_a_signed_message_asks_for_a_run_once(lineside: Running, clock: FakeClock) -> None:
    add_dataset(lineside.core)
    client = Client(lineside.people_url)
    made = client.apply_loop(document(triggers=Triggers(webhook=True)))
    assert made.url == f"{lineside.people_url}/loop-hooks/nightly"
    assert client.apply_loop(document(triggers=Triggers(webhook=True))).secret is None
    key = secret_key(made.secret or "")

    def send(id_: str, key: bytes = key, name: str = "nightly") -> int:
        at = int(clock.now().timestamp())
        headers = {ID: id_, TIMESTAMP: str(at), SIGNATURE: sign(key, id_, at, b"{}")}
        request = urllib.request.Request(f"{lineside.people_url}/loop-hooks/{name}", b"{}", headers, method="POST")
        try:
            with urllib.request.urlopen(request) as answer:
                assert json.load(answer) == {"name": "nightly", "due": True}
                return int(answer.status)
        except urllib.error.HTTPError as refused:
            return refused.code

    assert send("1", key=b"x" * 32) == send("1", name="other") == 401
    assert client.loop("nightly").due is None
    assert send("1") == 202
    schedules = next(loop for loop in lineside.apps.loops if loop.name == "schedules")
    schedules.step()
    (run,) = client.runs(loop="nightly")
    assert run.by == "loop nightly"
    client.cancel_run(run.id)
    client.claim_run("w")
    fresh = client.apply_loop(document(triggers=Triggers(webhook=True)), new_secret=True).secret
    assert fresh not in (None, made.secret)
    assert send("2") == 401


def test_messages_are_forgotten_when_their_time_is_over(loops: Loops, core: Core, clock: FakeClock) -> None:
    key = secret_key(loops.apply(document(triggers=Triggers(webhook=True))).secret or "")

    def send(id_: str, at: int) -> None:
        loops.receive("nightly", {ID: id_, TIMESTAMP: str(at), SIGNATURE: sign(key, id_, at, b"{}")}, b"{}")

    def remembered() -> list[str]:
        loops.step()
        with core.database.read() as session:
            return sorted(session.scalars(select(LoopMessageRow.id)))

    ahead = int(clock.now().timestamp()) + TOLERANCE
    send("1", ahead)
    clock.advance(2 * TOLERANCE)
    send("1", ahead)  # as late as it may come: it is known
    assert remembered() == ["1"]
    clock.advance(86_400)
    send("2", int(clock.now().timestamp()))
    assert remembered() == ["2"]
    with pytest.raises(LinesideError, match="from ours"):
        send("1", ahead)


def test_the_page_shows_what_starts_a_loop(lineside: Running) -> None:
    add_dataset(lineside.core)
    Client(lineside.people_url).apply_loop(document(schedule="0 3 * * *", description="<b>every night</b>"))
    with urllib.request.urlopen(f"{lineside.people_url}/loops") as answer:
        page = answer.read().decode()
    assert "0 3 * * *" in page
    assert "&lt;b&gt;every night" in page


def test_what_is_written_in_a_loop_yaml_is_the_schema(tmp_path: Path) -> None:
    """The fields that docs/loop-yaml.md names are those that there are."""
    page = (Path(__file__).parents[3] / "docs" / "loop-yaml.md").read_text()
    for kind in (LoopDocument, OwnStep, Triggers):
        for field in msgspec.structs.fields(kind):
            assert f"`{field.name}`" in page, field.name
