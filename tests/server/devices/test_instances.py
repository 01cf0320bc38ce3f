"""Two agents with one identity are noticed, and nothing else is ever taken for that: crashes, retries, lost and late
answers in every order, with the agent's own count on a real disk."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lineside.agent import crash
from lineside.agent.link.instance import BLOCK, Instance
from lineside.agent.link.instance import Count as Said
from lineside.server.devices.instances import Count, Verdict, judge

pytestmark = pytest.mark.both_databases


class PowerCut(BaseException):
    """The power went."""


@dataclass
class Machine:
    """One disk, and the agent that runs on it."""

    path: Path
    agent: Instance = field(init=False)
    last: Said | None = None  # what the running agent has asked last

    def __post_init__(self) -> None:
        self.boot()

    def boot(self) -> None:
        self.agent, self.last = Instance(self.path), None

    def ask(self, cut: str | None, *, kept: bool) -> Said | None:
        """The next request, unless the power goes at `cut`; `kept`: whether the disk had written it by then."""
        before = self.path.read_bytes() if self.path.exists() else None

        def point(name: str) -> None:
            if name == cut:
                raise PowerCut

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(crash, "point", point)
            try:
                self.last = self.agent.next()
            except PowerCut:
                if not kept and cut != "instance.kept" and before is not None:
                    self.path.write_bytes(before)
                self.boot()
                return None
        return self.last


@dataclass
class Plane:
    """The control plane's memory."""

    seen: Count | None = None

    def take(self, said: Said, *, committed: bool = True) -> Verdict:
        heard = Count(count=said.count, nonce=said.nonce, earlier=said.earlier)
        verdict = judge(self.seen, heard)
        if verdict is Verdict.NEWER and committed:
            self.seen = heard
        return verdict


CUTS = (None, None, None, "instance.torn", "instance.written", "instance.kept")
ACTS = st.one_of(
    st.tuples(st.just("ask"), st.sampled_from(CUTS)),
    st.tuples(st.just("ask and hear"), st.none()),
    st.tuples(st.just("reboot"), st.none()),
    st.tuples(st.just("deliver"), st.integers(0, 9)),
    st.tuples(st.just("deliver and crash"), st.integers(0, 9)),
    st.tuples(st.just("full disk"), st.none()),
)


def live(machine: Machine, plane: Plane, acts: list[tuple[str, object]], kept: bool) -> list[Verdict]:
    """Let a device that is alone go through `acts`; what the control plane thought of what reached it."""
    under_way: list[Said] = []
    verdicts = []
    for act, how in acts:
        if act == "reboot":
            machine.boot()
        elif act == "ask":
            said = machine.ask(how if isinstance(how, str) else None, kept=kept)
            under_way += [said] if said is not None else []
        elif act == "ask and hear":
            said = machine.ask(None, kept=kept)
            assert said is not None
            verdicts.append(plane.take(said))
            machine.agent.answered()
        elif act == "full disk" and machine.last is not None:
            away = machine.path.with_suffix(".away")
            machine.path.rename(away)  # the disk takes nothing
            under_way.append(machine.agent.next())
            machine.last = under_way[-1]
            away.rename(machine.path)
        elif under_way and isinstance(how, int):
            said = under_way.pop(how % len(under_way))
            verdicts.append(plane.take(said, committed=act != "deliver and crash"))
            if act == "deliver" and said == machine.last:
                machine.agent.answered()
    return verdicts


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(acts=st.lists(ACTS, max_size=40), kept=st.booleans())
def test_a_device_that_is_alone_is_never_taken_for_two(acts: list[tuple[str, object]], kept: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        machine, plane = Machine(Path(folder) / "instance.json"), Plane()
        assert Verdict.CLONED not in live(machine, plane, acts, kept)
        said = machine.ask(None, kept=True)
        assert said is not None
        assert plane.take(said) is Verdict.NEWER  # and it can always go on


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    before=st.lists(ACTS, max_size=12),
    apart=st.tuples(st.integers(0, 4), st.integers(0, 4)),
    stopped=st.booleans(),
)
def test_a_copied_disk_is_noticed_when_both_have_asked_twice(
    before: list[tuple[str, object]], apart: tuple[int, int], stopped: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        first, plane = Machine(Path(folder) / "instance.json"), Plane()
        live(first, plane, before, kept=True)
        first.ask(None, kept=True)
        if stopped:
            first.boot()  # else the disk is copied while its agent runs
        shutil.copy(first.path, Path(folder) / "copy.json")
        second = Machine(Path(folder) / "copy.json")
        for machine, times in zip((first, second), apart, strict=True):
            for _ in range(times):
                machine.ask(None, kept=True)  # asked, and never heard
        verdicts = []
        for _ in range(2):
            for machine in (first, second):
                said = machine.ask(None, kept=True)
                assert said is not None
                verdicts.append(plane.take(said))
        assert Verdict.CLONED in verdicts


def test_what_the_rule_says() -> None:
    seen = Count(count=7, nonce="n" * 16, earlier=("e" * 16,))
    cases = {
        Verdict.NEWER: Count(count=8, nonce="x" * 16),
        Verdict.SAME: Count(count=7, nonce="n" * 16),
        Verdict.LATE: Count(count=6, nonce="e" * 16),
        Verdict.CLONED: Count(count=7, nonce="x" * 16),
    }
    assert {verdict: judge(seen, said) for verdict, said in cases.items()} == {one: one for one in cases}
    assert judge(seen, Count(count=3, nonce="x" * 16)) is Verdict.CLONED
    assert judge(None, Count(count=0, nonce="x" * 16)) is Verdict.NEWER  # a restored control plane, or the first time


def test_a_damaged_file_begins_anew(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "instance.json")
    said = [machine.ask(None, kept=True) for _ in range(3)]
    assert [one.count for one in said if one] == [1, 2, 3]
    assert machine.path.stat().st_mode & 0o777 == 0o600
    assert machine.path.stat().st_size == 2 * BLOCK
    machine.path.write_bytes(b"\0" * 2 * BLOCK)
    machine.boot()
    again = machine.ask(None, kept=True)
    assert again is not None
    assert again.count == 1
