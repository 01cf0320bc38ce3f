"""The runtime as a process that is asked over the device's bus: pictures are decided, recorded and answered; what is
no picture, or lies elsewhere, is refused, and the line goes on."""

from __future__ import annotations

from lineside.runtime.frames import SourceState
from lineside.runtime.sinks.bus_line import PATH_VARIABLE, TOKEN_VARIABLE
from tests.agent.bus.harness import House
from tests.runtime.conftest import encoded, squares
from tests.runtime.sources.askers import TOPIC, OverBus
from tests.runtime.test_run import Device, device, put

__all__ = ["device"]


def test_pictures_are_decided_recorded_and_answered(device: Device) -> None:
    put(device.inbox, "a.png", encoded(squares((8, 8))))
    put(device.inbox, "notes.png", b"no picture")
    put(device.inbox, "half.png", encoded(squares((8, 8)))[:60])
    device.configuration |= {"sources": {"asked": {"kind": "requests", "over": "bus", "topic": TOPIC}}}
    with House(device.root / "bus").running() as house:
        variables = house.environment("app")
        device.environment |= {name: variables[name] for name in (PATH_VARIABLE, TOKEN_VARIABLE)}
        asker = OverBus(house)
        device.start()
        device.until(lambda s: "asked" in s.sources and s.sources["asked"].health.state is SourceState.RUNNING)
        for name in ("a.png", "notes.png", "half.png", "/etc/passwd", "none.png"):
            asker.ask({"filepath": name, "id": name})
        answers = {answer["id"]: answer for answer in asker.answers(5)}
        assert [one["class"] for one in answers["a.png"]["result"]["detections"]] == ["bright"]
        assert answers["a.png"]["result"]["source"] == "asked"
        assert {name: answer["error"]["code"] for name, answer in answers.items() if name != "a.png"} == {
            "notes.png": "image.unsupported",
            "half.png": "image.unreadable",
            "/etc/passwd": "request.path_forbidden",
            "none.png": "image.missing",
        }
        counts = device.until(lambda status: status.seen == 5 and not status.waiting).sources["asked"].counts
        assert (counts.decided, counts.decided + counts.failed + counts.skips) == (1, 5)
        assert device.stop() == 0
        asker.close()
    (recorded,) = device.results()
    assert recorded.sequence == answers["a.png"]["result"]["sequence"]
