"""A day of a device in a few minutes: does its memory grow, is a result lost, is one doubled?

`lineside.runtime run` as a process, a million frames (`--quick`: 20,000), as many as one device decides in 24 hours:
two folders (JPEGs of mixed sizes, some damaged, some no images), a video that is recorded anew again and again, and a
camera over HTTP that dies and freezes. Its model is tiny, and is swapped every 10,000 frames through the local API. The
way to the broker is cut for a third of the time.

Proof: every result that was made has arrived at the broker, numbered 1 to N without a gap; every file and every frame
of the videos has exactly one; each source has seen = decided + skipped + failed + waiting; and resident memory in the
last fifth of the day is what it was in the second. Memory levels off after some 25,000 frames, when the folders begin
to forget files that are gone: `--quick` is too short to judge it.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from benchmarks.measure import finish, options, table
from benchmarks.runtime_day_world import Camera, Ear, Way, load_again, picture, record
from benchmarks.runtime_rig import Broker, Process
from lineside.contract.ids import digest_of
from lineside.contract.model import Signature
from lineside.runtime.model import IDENTITY_FILE, MODEL_FILE, SIGNATURE_FILE, ModelIdentity
from lineside.runtime.status import RuntimeState, Status, read_status

DAY, QUICK = 1_000_000, 20_000
SWAP_EVERY = 10_000
AWAY = 1 / 3  # of each cycle the broker cannot be reached
RECORDING = 500  # frames of a video
VIDEO_SHARE = 0.05
AHEAD = 2_000  # files that may wait
BEHIND = 4_000  # files that stay in the folder after they were decided
PATIENCE = 600.0
SIDE = 64


def tiny_model(folder: Path, version: int) -> None:
    """A model's component that takes any size; its scores are the means of 8 x 8 pixels."""
    nodes = [helper.make_node("ReduceMean", ["images"], ["grey"], axes=[1], keepdims=1)]
    for stride, share in ((8, "one"), (16, "nought"), (32, "nought")):  # strides 16 and 32 never find anything
        nodes += [
            helper.make_node(
                "AveragePool", ["grey"], [f"mean{stride}"], kernel_shape=[stride] * 2, strides=[stride] * 2
            ),
            helper.make_node("Reshape", [f"mean{stride}", "column"], [f"row{stride}"]),
            helper.make_node("Mul", [f"row{stride}", share], [f"score{stride}"]),
        ]
    nodes += [
        helper.make_node("Concat", ["score8", "score16", "score32"], ["score"], axis=1),
        helper.make_node("Mul", ["score", "nought"], ["size"]),
        helper.make_node("Add", ["size", "half"], ["middle"]),
        helper.make_node("Add", ["size", "one"], ["sure"]),
        helper.make_node("Concat", ["middle", "middle", "size", "size", "score", "sure"], ["output"], axis=2),
    ]
    constants = [numpy_helper.from_array(np.array([1, -1, 1], np.int64), "column")]
    constants += [
        numpy_helper.from_array(np.float32(v), name) for name, v in (("nought", 0), ("half", 0.5), ("one", 1))
    ]
    inputs = [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, "height", "width"])]
    outputs = [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, None, 6])]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, constants, doc_string=f"version {version}")
    opset = [helper.make_opsetid("", 13)]
    data: bytes = onnx.ModelProto.SerializeToString(helper.make_model(graph, opset_imports=opset, ir_version=8))
    signature = Signature(
        head="yolox",
        input_width=SIDE,
        input_height=SIDE,
        scale=1 / 255,
        labels=("bright",),
        score_threshold=0.9,
        max_detections=5,
        size_divisor=32,
    )
    folder.mkdir()
    (folder / MODEL_FILE).write_bytes(data)
    (folder / SIGNATURE_FILE).write_bytes(msgspec.json.encode(signature))
    identity = ModelIdentity(name="tiny", version=version, digest=digest_of(data))
    (folder / IDENTITY_FILE).write_bytes(msgspec.json.encode(identity))


class Device(Process):
    """The runtime, over a way to the broker that can be cut."""

    def __init__(self, root: Path, port: int, camera: str) -> None:
        self.work, self.model, self.video = root / "work", root / "model", root / "belt.mkv"
        self.folders = (root / "left", root / "right")
        for folder in (self.work, *self.folders):
            folder.mkdir()
        for version in (1, 2):
            tiny_model(root / f"model-{version}", version)
        self.model.symlink_to(root / "model-1")
        configuration = {
            "sources": {
                "left": {"kind": "folder", "folder": str(self.folders[0])},
                "right": {"kind": "folder", "folder": str(self.folders[1])},
                "belt": {"kind": "video", "file": str(self.video)},
                "cam": {"kind": "rtsp", "url": camera, "silent_after": 3, "frozen_after": 2},
            },
            "capture": None,
            "soak_seconds": 5,
            "deadline_ms": 1000,
            "rules": {"bright": {"classes": ["bright"], "frames": [2, 3]}},
        }
        (root / "config.json").write_bytes(msgspec.json.encode(configuration))
        environment = {
            "LINESIDE_CONFIG": str(root / "config.json"),
            "LINESIDE_MQTT_HOST": "127.0.0.1",
            "LINESIDE_MQTT_PORT": str(port),
            "LINESIDE_DEVICE": "day",
        }
        for name in ("LINESIDE_CA", "LINESIDE_CERT", "LINESIDE_KEY", "LINESIDE_INBOX", "LINESIDE_CAPTURES"):
            environment[name] = ""
        command = ["lineside.runtime", "run", "--model", str(self.model), "--work", str(self.work)]
        with (root / "log").open("wb") as log:
            super().__init__(command, environment, stdout=log, stderr=log)
        self.log = root / "log"
        self.until(lambda status: status.state is RuntimeState.READY)

    def status(self) -> Status:
        return read_status(self.work) or Status()

    def until(self, reached: Any) -> Status:
        end = time.monotonic() + PATIENCE
        while not reached(status := self.status()):
            if time.monotonic() > end or self._process.poll() is not None:
                raise TimeoutError(f"{status}\n{self.log.read_text()[-2000:]}")
            time.sleep(0.1)
        return status

    def swap(self, number: int) -> int:
        """Has the other model decide; the status of the API's answer."""
        link = self.model.with_name("model.new")
        link.symlink_to(self.model.with_name(f"model-{1 + number % 2}"))
        link.replace(self.model)
        return load_again(self.work / "api.sock", "model")


class Feeder:
    """Puts files into the two folders by turns, not too far ahead; takes them out long after they were decided."""

    def __init__(self, device: Device, root: Path) -> None:
        self._device, self.count, self.good = device, 0, [0, 0]
        self._there: deque[Path] = deque()
        rooms = root / "pictures"
        rooms.mkdir()
        sizes = [(64, 64)] * 60 + [(96, 40)] * 25 + [(160, 120)] * 12 + [(640, 480)] * 2 + [(1920, 1080)]
        self._pictures = [self._kept(rooms / f"{n}.jpg", picture(*size, n)) for n, size in enumerate(sizes)]
        self._damaged = self._kept(rooms / "damaged", picture(64, 64, 1)[:300])
        self._text = self._kept(rooms / "text", b"this is a text")

    def feed(self, frames: int) -> Iterator[int]:
        """How many files there were so far, after every hundredth."""
        while self.count < frames:
            number, side = self.count, self.count % 2
            good = number % 100 not in (7, 8)
            source = self._pictures[number % len(self._pictures)] if good else (self._damaged, self._text)[number % 2]
            name = f"{number:07}.jpg"
            unfinished = source.with_name(name)
            os.link(source, unfinished)
            unfinished.rename(self._device.folders[side] / name)
            self._there.append(self._device.folders[side] / name)
            self.good[side] += good
            self.count += 1
            if self.count % 100 == 0:
                self._wait()
                yield self.count

    def finished(self) -> int:
        """Files that the runtime is done with."""
        sources = self._device.status().sources
        return sum(sources[name].counts.seen - sources[name].counts.waiting for name in ("left", "right"))

    def _wait(self) -> None:
        if self.count % 1000 == 0:
            while self.count - self.finished() > AHEAD:
                time.sleep(0.05)
        while len(self._there) > AHEAD + BEHIND:
            self._there.popleft().unlink()

    @staticmethod
    def _kept(path: Path, data: bytes) -> Path:
        path.write_bytes(data)
        os.utime(path, (1_700_000_000, 1_700_000_000))  # long ago: not one that is still being written
        return path


class Belt:
    """Records the video anew whenever it was decided wholly."""

    def __init__(self, device: Device, recordings: int) -> None:
        self._device, self.recordings = device, recordings
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        for number in range(self.recordings):
            record(self._device.video, RECORDING, number)
            wanted = (number + 1) * RECORDING
            self._device.until(lambda status, wanted=wanted: status.sources["belt"].counts.decided >= wanted)


class Day:
    """All of it, and what was seen."""

    def __init__(self, root: Path, frames: int) -> None:
        self.frames, self.root = frames, root
        self.broker, self.camera = Broker(root), Camera()
        self.way, self.ear = Way(self.broker.port), Ear(self.broker.port)
        self.device = Device(root, self.way.port, self.camera.url)
        self.feeder = Feeder(self.device, root)
        self.memory: list[float] = []
        self.alarms: set[str] = set()
        self.swaps = self.refused = 0

    def run(self) -> Status:
        """Plays the day; the last status."""
        files = round(self.frames * (1 - VIDEO_SHARE))
        belt = Belt(self.device, max(1, round(self.frames * VIDEO_SHARE / RECORDING)))
        cycle = max(files // 30, 5000)
        for count in self.feeder.feed(files):
            self._troubles(count, cycle)
            if count % 1000 == 0:
                self.memory.append(self.device.memory())
                self.alarms |= {f"{alarm.subject}: {alarm.code}" for alarm in self.device.status().alarms}
            if count // SWAP_EVERY > self.swaps:
                self.swaps += 1
                self.refused += self.device.swap(self.swaps) != 200
        self.way.open()
        self.camera.dead.set()
        belt.thread.join(PATIENCE)
        self.device.until(lambda status: status.waiting == 0 and self.feeder.finished() == files)
        self.device.until(lambda status: len(self.ear.numbers) >= status.decided == status.published)
        self.device.stop()
        self.belt = belt
        return self.device.status()

    def _troubles(self, count: int, cycle: int) -> None:
        """Within each cycle: the broker is away for its last third, the camera dies and freezes."""
        part = count % cycle / cycle
        (self.way.cut if part >= 1 - AWAY else self.way.open)()
        for trouble, begin in ((self.camera.dead, 0.2), (self.camera.frozen, 0.6)):
            (trouble.set if begin <= part < begin + 0.2 else trouble.clear)()

    def close(self) -> None:
        self.device.stop()
        self.ear.close()
        self.broker.stop()

    def verdict(self, status: Status) -> dict[str, float]:
        """What the benchmark shows."""
        made = status.decided
        files = [self.ear.images.get(name, {}) for name in ("left", "right")]
        belt = self.ear.images.get("belt", {})
        sums = [one.counts for one in status.sources.values()]
        fifth = len(self.memory) // 5
        early, late = self.memory[fifth : 2 * fifth], self.memory[-fifth:]
        return {
            "frames": status.seen,
            "results": made,
            "lost": made - len(set(self.ear.numbers) & set(range(1, made + 1))),
            "unknown_numbers": len(set(self.ear.numbers) - set(range(1, made + 1))),
            "contradictions": self.ear.contradictions,
            "lost_files": sum(good - len(heard) for good, heard in zip(self.feeder.good, files, strict=True)),
            "doubled_files": sum(times - 1 for heard in files for times in heard.values()),
            "wrong_video_frames": sum(times != self.belt.recordings for times in belt.values()) + RECORDING - len(belt),
            "wrong_sums": sum(c.seen != c.decided + c.skips + c.failed + c.waiting for c in sums),
            "sent_again": self.ear.again,
            "swaps": self.swaps,
            "swaps_refused": self.refused,
            "reconnects": status.sources["cam"].health.reconnects,
            "rss_mb": round(statistics.median(late), 1),
            "rss_growth_mb": round(statistics.median(late) - statistics.median(early), 1),
        }


PROOFS = (
    *("lost", "unknown_numbers", "contradictions", "lost_files", "doubled_files", "wrong_video_frames", "wrong_sums"),
    "swaps_refused",
)
"""What must be 0."""


def main() -> int:
    """Exit code 1 when a result was lost or doubled."""
    asked = options(__doc__ or "")
    with tempfile.TemporaryDirectory(prefix="day-") as folder:
        day = Day(Path(folder), QUICK if asked.quick else DAY)
        try:
            began = time.perf_counter()
            shown = day.verdict(day.run())
            shown["frames_per_s"] = round(shown["frames"] / (time.perf_counter() - began))
        finally:
            day.close()
    print(table([("what", "seen"), *((name.replace("_", " "), f"{value:,}") for name, value in shown.items())]))
    print("alarms seen:", ", ".join(sorted(day.alarms)) or "none")
    finish(shown, as_json=asked.json)
    return int(any(shown[name] for name in PROOFS))


if __name__ == "__main__":
    sys.exit(main())
