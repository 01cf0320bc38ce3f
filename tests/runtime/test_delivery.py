"""Delivery: on disk first, then to every sink at its own pace; one that fails or hangs holds no other."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import pytest

from lineside.contract.capture import CaptureRecord
from lineside.contract.ids import digest_of
from lineside.contract.result import Result
from lineside.runtime.captures.chooser import Wanted
from lineside.runtime.captures.store import CaptureFolder
from lineside.runtime.delivery import Delivery, Keep
from lineside.runtime.sinks import outlet
from lineside.runtime.spool import Entry, InputKey, Spool
from tests.eventually import PATIENCE, eventually
from tests.runtime import results


class Sink:
    """Remembers what it was given; may be told to fail, to hang, to be away, or to settle late."""

    def __init__(self, *, durable: bool = True) -> None:
        self.durable = durable
        self.given: list[int] = []
        self.payloads: list[bytes] = []
        self.sizes: list[int] = []
        self.failing: Exception | None = None
        self.away = False
        self.free = threading.Event()
        self.free.set()
        self.closed = False
        self.holding = False  # what was given has not arrived
        self._arrived: list[int] = []

    def room(self) -> int:
        return 0 if self.away else 100

    def send(self, entries: Sequence[Entry]) -> None:
        self.free.wait(PATIENCE)
        if self.failing is not None:
            raise self.failing
        self.sizes.append(len(entries))
        self.given += [entry.sequence for entry in entries]
        self.payloads += [entry.payload for entry in entries]
        self._arrived += [entry.sequence for entry in entries]

    def settled(self) -> list[int]:
        if self.holding:
            return []
        arrived, self._arrived = self._arrived, []
        return arrived

    def trouble(self) -> str:
        return "away" if self.away else ""

    def close(self, timeout: float) -> None:
        self.closed = True


class Bench:
    """A spool and its delivery in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.spool = Spool(folder / "spool.db")
        self.delivery = Delivery(self.spool, CaptureFolder(folder / "captures"))

    def decide(self, count: int, **more: object) -> None:
        for _ in range(count):
            self.delivery.decided(None, result, None, **more)  # type: ignore[arg-type]

    def end(self) -> None:
        self.delivery.stop()
        self.spool.close()


def result(sequence: int) -> Result:
    return results.result(f"{sequence}.jpg", sequence)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.end()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits for a second otherwise, waits for a moment."""
    monkeypatch.setattr(outlet, "_FIRST_WAIT", 0.05)


def test_every_sink_gets_every_result_in_order_and_then_the_spool_is_empty(bench: Bench) -> None:
    sinks = {"a": Sink(), "b": Sink()}
    bench.delivery.start(sinks)
    bench.decide(500)
    eventually(lambda: bench.delivery.counts.published == 500)
    for sink in sinks.values():
        assert sink.given == list(range(1, 501))
    assert msgspec.json.decode(sinks["a"].payloads[41], type=Result) == result(42)
    eventually(lambda: bench.spool.after(0) == [])


def test_a_failing_and_a_hanging_sink_hold_neither_the_line_nor_other_sinks(bench: Bench) -> None:
    sinks = {"fails": Sink(), "hangs": Sink(), "well": Sink()}
    sinks["fails"].failing = OSError("no answer")
    sinks["hangs"].free.clear()
    bench.delivery.start(sinks)
    bench.decide(3000)
    eventually(lambda: len(sinks["well"].given) == 3000)
    eventually(lambda: bench.delivery.sinks()["fails"].failures > 1)
    states = bench.delivery.sinks()
    assert (states["fails"].trouble, states["fails"].delivered) == ("no answer", 0)
    assert states["well"].trouble == ""
    assert bench.delivery.counts.published == 0
    assert len(bench.spool) == 3000
    sinks["fails"].failing = None
    sinks["hangs"].free.set()
    eventually(lambda: bench.delivery.counts.published == 3000)
    assert sinks["fails"].given == sinks["hangs"].given == list(range(1, 3001))
    eventually(lambda: bench.delivery.sinks()["fails"].trouble == "")


def test_even_a_broken_sink_is_only_announced(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    sinks = {"broken": Sink(), "well": Sink()}
    sinks["broken"].failing = ZeroDivisionError("a mistake of the sink's")
    bench.delivery.start(sinks)
    bench.decide(10)
    eventually(lambda: len(sinks["well"].given) == 10)
    eventually(lambda: bench.delivery.sinks()["broken"].failures > 2)
    assert bench.delivery.failure is None
    said = [line for line in capsys.readouterr().out.splitlines() if '"sink.failed"' in line]
    assert len(said) == 1  # not at each try


def test_a_sink_that_is_away_gets_what_waited_when_it_is_back_also_after_a_restart(tmp_path: Path) -> None:
    first, sink = Bench(tmp_path), Sink()
    sink.away = True
    first.delivery.start({"a": sink})
    first.decide(50)
    eventually(lambda: first.spool.next_sequence == 51)
    first.end()
    again, sink = Bench(tmp_path), Sink()
    again.delivery.start({"a": sink})
    again.decide(1)
    eventually(lambda: sink.given == list(range(1, 52)))
    again.end()


def test_what_was_given_but_did_not_arrive_is_given_again_after_a_restart(tmp_path: Path) -> None:
    first, sink = Bench(tmp_path), Sink()
    sink.holding = True
    first.delivery.start({"a": sink})
    first.decide(5)
    eventually(lambda: len(sink.given) == 5)
    first.end()
    again, sink = Bench(tmp_path), Sink()
    again.delivery.start({"a": sink})
    eventually(lambda: sink.given == [1, 2, 3, 4, 5])
    again.end()


def test_a_sink_that_is_not_durable_misses_what_is_too_old_and_it_is_counted(bench: Bench) -> None:
    live, durable = Sink(durable=False), Sink()
    live.away = True
    bench.delivery.start({"live": live, "durable": durable})
    bench.decide(outlet.LAG + 500)
    eventually(lambda: len(durable.given) == outlet.LAG + 500)
    eventually(lambda: bench.delivery.sinks()["live"].missed == 500)
    assert bench.delivery.counts.published == outlet.LAG + 500
    live.away = False
    bench.delivery.wake()
    eventually(lambda: live.given == list(range(501, outlet.LAG + 501)))
    eventually(lambda: bench.spool.after(0) == [])


def test_what_comes_while_the_disk_is_busy_makes_one_batch(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what comes alone is written at once."""
    sizes, free, append = list[int](), threading.Event(), bench.spool.append

    def slow(entries: Sequence[Entry], inputs: Sequence[InputKey] = ()) -> None:
        sizes.append(len(entries))
        free.wait(PATIENCE)
        append(entries, inputs)

    monkeypatch.setattr(bench.spool, "append", slow)
    bench.delivery.start({"a": Sink()})
    bench.decide(1)
    eventually(lambda: sizes == [1])
    bench.decide(300)
    free.set()
    eventually(lambda: bench.spool.next_sequence == 302)
    assert sizes == [1, 300]


def test_from_several_threads_no_number_is_used_twice_or_left_out(bench: Bench) -> None:
    sink = Sink()
    bench.delivery.start({"a": sink})
    threads = [threading.Thread(target=bench.decide, args=(200,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    eventually(lambda: sink.given == list(range(1, 801)))
    assert [msgspec.json.decode(each, type=Result).sequence for each in sink.payloads] == sink.given


def test_who_waits_is_told_once_the_result_is_on_disk(bench: Bench) -> None:
    seen: list[tuple[Result, int]] = []
    sink = Sink()
    bench.delivery.start({"a": sink})
    bench.decide(3, then=lambda each: seen.append((each, bench.spool.next_sequence)))
    eventually(lambda: len(seen) == 3)
    assert [each for each, _ in seen] == [result(1), result(2), result(3)]
    assert all(stored > each.sequence for each, stored in seen)


def test_who_asked_and_is_gone_harms_nobody(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    def gone(result: Result) -> None:
        raise BrokenPipeError("nobody listens")

    sink = Sink()
    bench.delivery.start({"a": sink})
    bench.decide(1, then=gone)
    bench.decide(1)
    eventually(lambda: sink.given == [1, 2])
    assert "nobody listens" in capsys.readouterr().out


def test_inputs_are_remembered_with_their_results_and_without(bench: Bench) -> None:
    bench.delivery.start({"a": Sink()})
    bench.delivery.decided(InputKey("a.jpg", 1, 1), result, None)
    bench.delivery.passed_over(InputKey("notes.txt", 2, 2))
    bench.delivery.passed_over(None)
    eventually(lambda: bench.spool.inputs() == {InputKey("a.jpg", 1, 1), InputKey("notes.txt", 2, 2)})


def test_a_full_disk_holds_the_line_and_loses_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    append, full, refused = bench.spool.append, threading.Event(), list[int]()
    full.set()

    def refuse(*arguments: object) -> None:
        if full.is_set():
            refused.append(1)
            raise OSError(28, "No space left on device")
        append(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(bench.spool, "append", refuse)
    monkeypatch.setattr("lineside.runtime.delivery._DISK_RETRY", 0.01)
    monkeypatch.setattr("lineside.runtime.delivery.WAITING_AT_MOST", 10)
    sink = Sink()
    bench.delivery.start({"a": sink})
    line = threading.Thread(target=bench.decide, args=(100,))
    line.start()
    eventually(lambda: len(refused) > 2)
    assert line.is_alive()
    assert capsys.readouterr().out.count("disk.failed") == 1  # not at each try
    full.clear()
    line.join(PATIENCE)
    eventually(lambda: sink.given == list(range(1, 101)))


def test_an_image_is_kept_with_its_result(bench: Bench) -> None:
    wanted = Wanted("random", "A sample.", digest_of(b"\xff\xd8\xff"))
    bench.delivery.start({"a": Sink()})
    bench.delivery.decided(None, result, Keep(b"\xff\xd8\xff", wanted))
    eventually(lambda: bench.delivery.counts.captured == 1)
    (path,) = (bench.folder / "captures").glob("*.json")
    assert msgspec.json.decode(path.read_bytes(), type=CaptureRecord).result == result(1)


def test_stopping_brings_what_waits_to_disk_and_to_the_sinks(tmp_path: Path) -> None:
    bench, sink = Bench(tmp_path), Sink()
    bench.delivery.start({"a": sink})
    bench.decide(700)
    bench.end()
    assert sink.given == list(range(1, 701))
    assert sink.closed
    again = Spool(tmp_path / "spool.db")
    assert (again.after(0), again.next_sequence) == ([], 701)
    again.close()


def test_the_line_waits_while_too_many_bytes_wait_for_the_disk(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lineside.runtime.delivery._HELD_AT_MOST", 5000)
    picture = Keep(bytes(3000), Wanted("random", "A sample.", "sha256:0"))
    through: list[int] = []

    def decide() -> None:
        for number in range(3):
            bench.delivery.decided(None, result, picture)
            through.append(number)

    line = threading.Thread(target=decide)
    line.start()
    eventually(lambda: through == [0, 1])
    assert line.is_alive()
    bench.delivery.start({"a": Sink()})
    line.join(PATIENCE)
    assert through == [0, 1, 2]
