"""The runtime as a process with several sources, models and faults; and a video that survives kills."""

from __future__ import annotations

import random
import signal
from pathlib import Path

import numpy as np

from lineside.runtime.frames import SourceState
from tests.eventually import eventually
from tests.runtime.conftest import BRIGHT, encoded, squares, write_model
from tests.runtime.sources.cameras import SIDE, Camera, write_video
from tests.runtime.test_run import Device, device, one_meaning_a_number, put, whole_results

__all__ = ["device"]


def test_several_sources_and_models_with_one_that_fails(device: Device, tmp_path: Path) -> None:
    """Folder, video and camera go on beside a source that cannot run; each has its model, and the sum holds."""
    other = write_model(tmp_path / "other", BRIGHT)
    video = write_video(tmp_path / "line.mkv", (squares((8, 8)) for _ in range(30)))
    camera = Camera()
    (tmp_path / "parts").mkdir()
    device.configuration |= {
        "sources": {
            "parts": {"kind": "folder", "folder": str(tmp_path / "parts")},
            "belt": {"kind": "video", "file": str(video), "every": 2},
            "cam": {"kind": "rtsp", "url": camera.url},
            "asked": {"kind": "requests", "topic": "line/ask"},  # and there is no broker
        },
        "models": {"own": {}, "other": {"folder": str(other)}},
        "routes": [
            {"source": "parts", "model": "own", "rules": ["scratch"]},
            {"source": "belt", "model": "other"},
            {"source": "cam", "model": "other"},
            {"source": "asked", "model": "own"},
        ],
        "rules": {"scratch": {"classes": ["bright"], "action": "reject"}},
        "sinks": {"jsonl": {}},
    }
    put(tmp_path / "parts", "a.png", encoded(squares((8, 8))))
    device.start()
    status = device.until(
        lambda s: (
            s.sources.keys() == {"parts", "belt", "cam", "asked"}
            and s.sources["parts"].counts.decided == 1
            and s.sources["belt"].counts.decided == 15
            and s.sources["cam"].counts.decided > 5
            and s.sources["asked"].health.state is SourceState.FAILED
        )
    )
    assert status.sources["belt"].counts.skipped == {"thinned": 15}
    assert [alarm.subject for alarm in status.alarms] == ["source asked"]
    assert {name: source.model for name, source in status.sources.items()}["belt"] == "other"
    camera.close()
    device.until(lambda s: {alarm.subject for alarm in s.alarms} == {"source asked", "source cam"})
    put(tmp_path / "parts", "b.png", encoded(squares((16, 8))))
    device.until(lambda s: s.sources["parts"].counts.decided == 2)
    assert device.stop() == 0
    status = device.status()
    assert status
    for source in status.sources.values():
        counts = source.counts
        assert counts.seen == counts.decided + counts.skips + counts.failed + counts.waiting
    results = [result for result in device.results() if result.source == "parts"]
    assert [(result.image, [event.name for event in result.events]) for result in results] == [
        ("a.png", ["scratch"]),
        ("b.png", ["scratch"]),
    ]


def test_kill_9_while_a_video_plays_loses_no_frame_and_decides_none_twice(device: Device, tmp_path: Path) -> None:
    noise = np.random.default_rng(3).integers(0, 256, (900, SIDE, SIDE, 3), np.uint8)
    video = write_video(tmp_path / "line.mkv", noise)
    device.configuration["sources"] = {"belt": {"kind": "video", "file": str(video)}}
    source, interrupted = random.Random(5), 0
    for _ in range(4):
        goal = len(whole_results(device)) + source.randrange(20, 120)
        device.start()
        eventually(lambda goal=goal: len(whole_results(device)) >= goal)
        device.stop(signal.SIGKILL)
        interrupted += len(whole_results(device)) < 900
    assert interrupted
    device.start()
    status = device.until(lambda s: s.state.value == "ready" and s.sources["belt"].health.state is SourceState.ENDED)
    eventually(lambda: len({result.sequence for result in whole_results(device)}) == 900)
    assert status.sources["belt"].counts.failed == 0
    assert device.stop() == 0
    by_number = one_meaning_a_number(device.results())
    assert sorted(by_number) == list(range(1, 901))
    assert [by_number[n].image for n in sorted(by_number)] == [f"line.mkv#{n}" for n in range(900)]
    device.start()  # and it is not played again
    device.until(lambda s: s.state.value == "ready" and s.sources["belt"].health.state is SourceState.ENDED)
    assert device.stop() == 0
    assert len(one_meaning_a_number(device.results())) == 900
