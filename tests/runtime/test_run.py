"""The runtime as a process: ready, deciding, stopped, killed, refused; over files and over a real broker."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import msgspec
import numpy as np
import pytest

from lineside.contract.capture import CaptureRecord
from lineside.contract.ids import digest_of
from lineside.contract.result import Result
from lineside.runtime.golden import write_golden
from lineside.runtime.model import Model, load_folder
from lineside.runtime.status import GoldenState, RuntimeState, Status, read_status
from tests.eventually import PATIENCE, eventually
from tests.frozen import frozen
from tests.runtime.conftest import encoded, squares, write_model
from tests.runtime.sinks.broker import Broker, Listener


class Device:
    """A runtime with its folders."""

    def __init__(self, root: Path, model: Path) -> None:
        self.root, self.model = root, model
        self.inbox, self.captures, self.work = root / "inbox", root / "captures", root / "work"
        self.inbox.mkdir(parents=True)
        self.configuration: dict[str, object] = {"capture": None, "threads": 1}
        self.environment: dict[str, str] = {}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.work.mkdir(exist_ok=True)
        (self.work / "config.json").write_text(json.dumps(self.configuration))
        environment = {
            **os.environ,
            "LINESIDE_DEVICE": "cam-1",
            "LINESIDE_CONFIG": str(self.work / "config.json"),
            "LINESIDE_INBOX": str(self.inbox),
            "LINESIDE_CAPTURES": str(self.captures),
            **self.environment,
        }
        arguments = ["run", "--model", str(self.model), "--work", str(self.work)]
        with (self.root / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "lineside.runtime", *arguments], env=environment, stdout=log, stderr=log
            )

    def status(self) -> Status | None:
        status = read_status(self.work)
        return status if status and self.process and status.pid == self.process.pid else None

    def until(self, reached: Callable[[Status], bool]) -> Status:
        def look() -> Status | None:
            assert self.process is not None
            assert self.process.poll() is None, (self.root / "log").read_text()
            status = self.status()
            return status if status and reached(status) else None

        return eventually(look)

    def ready(self) -> Status:
        return self.until(lambda status: status.state is RuntimeState.READY)

    def stop(self, number: int = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def frozen(self) -> AbstractContextManager[None]:
        """The process does nothing for a while, whatever it was at."""
        return frozen(self.process)

    def events(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in (self.root / "log").read_text().splitlines()]

    def results(self) -> list[Result]:
        path = self.work / "results.jsonl"
        lines = path.read_bytes().splitlines() if path.exists() else []
        return [msgspec.json.decode(line, type=Result) for line in lines]


@pytest.fixture
def device(tmp_path: Path, bright_folder: Path) -> Iterator[Device]:
    made = Device(tmp_path / "device", bright_folder)
    yield made
    if made.process and made.process.poll() is None:
        made.stop(signal.SIGKILL)


def put(folder: Path, name: str, data: bytes, age: float = 60.0) -> None:
    """A file as a careful writer leaves it, `age` seconds ago."""
    unfinished = folder / f".{name}"
    unfinished.write_bytes(data)
    then = unfinished.stat().st_mtime - age
    os.utime(unfinished, (then, then))
    unfinished.rename(folder / name)


def noise(number: int) -> bytes:
    return encoded(np.random.default_rng(number).integers(0, 256, (16, 16, 3), np.uint8))


def one_meaning_a_number(results: list[Result]) -> dict[int, Result]:
    """Results by sequence number; a number that came twice must have come with the same result."""
    by_number: dict[int, Result] = {}
    for result in results:
        assert by_number.setdefault(result.sequence, result) == result
    return by_number


def test_images_become_results_in_a_file(device: Device) -> None:
    put(device.inbox, "part.jpg_0", encoded(squares((24, 40)), "JPEG", quality=95), age=90)
    put(device.inbox, "good.png", encoded(squares()), age=80)
    put(device.inbox, "notes.txt", b"not an image", age=70)
    put(device.inbox, "broken.jpg", encoded(squares(), "JPEG")[:200], age=60)
    device.start()
    status = device.until(lambda s: s.seen == 4 and s.published == 2 and s.waiting == 0)
    assert (status.decided, status.skipped, status.failed) == (2, 1, 1)
    assert status.golden is GoldenState.ABSENT
    put(device.inbox, "later.png", encoded(squares((0, 0))))
    device.until(lambda s: s.published == 3)
    assert device.stop() == 0
    first, second, third = device.results()
    assert [r.image for r in (first, second, third)] == ["part.jpg_0", "good.png", "later.png"]
    assert [r.sequence for r in (first, second, third)] == [1, 2, 3]
    assert [(d.label, round(d.x), round(d.y)) for d in first.detections] == [("bright", 24, 40)]
    assert second.detections == ()
    assert (first.device, first.model, first.version, first.width, first.height) == ("cam-1", "bright", 3, 64, 64)
    assert first.captured_at.endswith("Z")
    passed_over = {event["image"]: event["code"] for event in device.events() if event["event"] == "image.passed_over"}
    assert passed_over == {"notes.txt": "image.unsupported", "broken.jpg": "image.unreadable"}


def test_a_half_written_file_becomes_one_result_when_it_is_whole(device: Device) -> None:
    device.start()
    device.ready()
    data = encoded(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    (device.inbox / "slow.png").write_bytes(data[: len(data) // 2])
    put(device.inbox, "other.png", noise(1))
    device.until(lambda s: s.decided == 1)
    with (device.inbox / "slow.png").open("ab") as file:
        file.write(data[len(data) // 2 :])
    status = device.until(lambda s: s.decided == 2)
    assert (status.failed, status.skipped) == (0, 0)


def test_a_restart_decides_nothing_again_and_numbers_go_on(device: Device) -> None:
    for number in range(5):
        put(device.inbox, f"{number}.png", noise(number), age=60 - number)
    device.start()
    device.until(lambda s: s.published == 5)
    assert device.stop(signal.SIGINT) == 0
    put(device.inbox, "new.png", noise(9))
    device.start()
    device.until(lambda s: s.published == 1)
    assert device.stop() == 0
    assert [(r.image, r.sequence) for r in device.results()][-2:] == [("4.png", 5), ("new.png", 6)]


def test_kill_9_at_any_moment_loses_nothing_and_uses_no_number_twice(device: Device) -> None:
    """Six kills, each at a random moment while a portion of 250 images is being decided."""
    source = random.Random(11)
    interrupted = 0
    for portion in range(6):
        for number in range(portion * 250, portion * 250 + 250):
            put(device.inbox, f"{number:04}.png", noise(number), age=5000 - number)
        goal = len(whole_results(device)) + source.randrange(120)
        device.start()
        eventually(lambda goal=goal: len(whole_results(device)) >= goal)
        device.stop(signal.SIGKILL)
        interrupted += len({r.image for r in whole_results(device)}) < portion * 250 + 250
    assert interrupted > 0
    device.start()
    device.ready()
    eventually(lambda: len({r.image for r in whole_results(device)}) == 1500)
    assert device.stop() == 0
    by_number = one_meaning_a_number(device.results())
    assert sorted(by_number) == list(range(1, 1501))
    assert sorted(r.image for r in by_number.values()) == [f"{number:04}.png" for number in range(1500)]


def whole_results(device: Device) -> list[Result]:
    """The results in the file but for a line that is being written."""
    path = device.work / "results.jsonl"
    data = path.read_bytes() if path.exists() else b""
    return [msgspec.json.decode(line, type=Result) for line in data[: data.rfind(b"\n") + 1].splitlines()]


@pytest.mark.mosquitto
def test_kill_9_of_broker_and_runtime_loses_nothing(device: Device, broker: Broker, listener: Listener) -> None:
    settings = broker.settings("cam-1", "factory/results")
    device.configuration["topic"] = "factory/results"
    device.environment = {
        "LINESIDE_MQTT_HOST": settings.host,
        "LINESIDE_MQTT_PORT": str(settings.port),
        "LINESIDE_CA": str(settings.ca),
        "LINESIDE_CERT": str(settings.certificate),
        "LINESIDE_KEY": str(settings.key),
    }
    device.start()
    device.ready()
    for number in range(150):
        put(device.inbox, f"{number:03}.png", noise(number), age=1000 - number)
        if number == 50:
            eventually(lambda: len(listener.on("factory/results")) >= 20)
            with device.frozen():  # results in flight; those the broker has acknowledged would be the broker's loss
                listener.drain()
                broker.kill()
        if number == 100:
            device.until(lambda s: s.decided >= 70)
            device.stop(signal.SIGKILL)
            broker.start()
            eventually(lambda: listener.subscribed)
            device.start()
    for topic in ("factory/results", "lineside/v1/cam-1/results"):
        eventually(lambda topic=topic: len({json.loads(p)["image"] for p in listener.on(topic)}) == 150)
        heard = [msgspec.json.decode(payload, type=Result) for payload in listener.on(topic)]
        by_number = one_meaning_a_number(heard)
        assert sorted(by_number) == list(range(1, 151))
    device.until(lambda s: s.state is RuntimeState.READY)
    assert device.stop() == 0


def test_the_golden_set_is_reproduced_before_it_is_ready(device: Device, tmp_path: Path) -> None:
    device.model = write_model(tmp_path / "model")
    write_golden(device.model / "golden.zip", load_folder(device.model), {"a.png": encoded(squares((8, 8)))})
    device.start()
    assert device.ready().golden is GoldenState.MATCHED
    assert device.stop() == 0


def test_a_model_with_other_answers_fails_with_exit_code_4(device: Device, tmp_path: Path, bright: Model) -> None:
    device.model = write_model(tmp_path / "model")
    write_golden(device.model / "golden.zip", bright, {"a.png": encoded(squares((8, 8)))})
    signature = msgspec.structs.replace(bright.signature, scale=bright.signature.scale / 1.3)
    (device.model / "signature.json").write_bytes(msgspec.json.encode(signature))
    put(device.inbox, "a.png", noise(1))
    device.start()
    assert device.process
    assert device.process.wait(PATIENCE) == 4
    status = read_status(device.work)
    assert status
    assert (status.state, status.golden) == (RuntimeState.FAILED, GoldenState.MISMATCHED)
    assert status.error
    assert status.error.code == "golden.mismatched"
    assert "on a.png" in status.error.message
    assert device.results() == []


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        ("model.onnx", "model.digest_mismatch"),
        ("model.json", "model.description_invalid"),
        ("config", "config.invalid"),
    ],
)
def test_what_cannot_run_fails_with_exit_code_2_and_says_why(
    device: Device, tmp_path: Path, damage: str, code: str
) -> None:
    device.model = write_model(tmp_path / "model")
    if damage == "config":
        device.configuration["threads"] = "many"
    else:
        (device.model / damage).write_bytes(b"damaged")
    device.start()
    assert device.process
    assert device.process.wait(PATIENCE) == 2
    status = read_status(device.work)
    assert status
    assert status.error
    assert status.error.code == code
    assert device.events()[-1]["code"] == code


def test_whatever_else_ends_it_is_told_too(device: Device) -> None:
    device.configuration["capture"] = {}
    device.captures.touch()  # a file where a folder is wanted
    device.start()
    assert device.process
    assert device.process.wait(PATIENCE) == 1
    status = device.status()
    assert status
    assert status.error
    assert status.error.code == "runtime.broken"
    assert str(device.captures) in status.error.message


def test_threads_that_cannot_be_are_refused(bright_folder: Path) -> None:
    arguments = ["bench", str(bright_folder), "--threads", "-1"]
    answer = subprocess.run(
        [sys.executable, "-m", "lineside.runtime", *arguments], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 2
    assert "no number from 0 to 256" in answer.stderr


def test_uncertain_and_random_images_are_kept_with_their_result(device: Device) -> None:
    device.configuration["capture"] = {"uncertain": [0.45, 0.59], "random": 0.0, "per_hour": 100}
    sure, unsure = encoded(squares((8, 8))), encoded((squares((8, 8)) * 0.5).astype(np.uint8))
    put(device.inbox, "sure.png", sure, age=90)
    put(device.inbox, "unsure.png", unsure, age=80)
    device.start()
    status = device.until(lambda s: s.published == 2)
    assert status.captured == 1
    assert device.stop() == 0
    (path,) = device.captures.glob("*.json")
    record = msgspec.json.decode(path.read_bytes(), type=CaptureRecord)
    assert (record.strategy, record.digest, record.device) == ("uncertain", digest_of(unsure), "cam-1")
    assert path.with_suffix(".bin").read_bytes() == unsure
    assert record.result == device.results()[1]
    assert record.result.detections == ()  # below what devices publish


def test_try_draws_and_prints(bright_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "in.png").write_bytes(encoded(squares((8, 8))))
    arguments = ["try", str(bright_folder), str(tmp_path / "in.png"), "--out", str(tmp_path / "out.png")]
    answer = subprocess.run(
        [sys.executable, "-m", "lineside.runtime", *arguments], capture_output=True, text=True, check=True
    )
    assert json.loads(answer.stdout.splitlines()[0])["class"] == "bright"
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")


def test_bench_prints_one_object(bright_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "in.png").write_bytes(encoded(squares((8, 8))))
    arguments = ["bench", str(bright_folder), str(tmp_path / "in.png"), "--seconds", "0.1", "--threads", "1"]
    answer = subprocess.run(
        [sys.executable, "-m", "lineside.runtime", *arguments], capture_output=True, text=True, check=True
    )
    report = json.loads(answer.stdout)
    assert report["threads"] == 1
    assert 0 < report["median_ms"] <= report["p95_ms"]


def test_a_missing_extra_is_one_sentence(bright_folder: Path, tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['onnxruntime'] = None; from lineside.runtime.main import main; "
        f"sys.exit(main(['run', '--model', {str(bright_folder)!r}, '--work', {str(tmp_path)!r}]))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert answer.returncode == 2
    assert answer.stderr.splitlines() == [
        "start.extra_missing: This command needs the extra [runtime], which is not installed.",
        "Next: pip install 'lineside[runtime]'",
    ]
