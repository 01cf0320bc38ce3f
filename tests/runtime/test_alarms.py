"""What a run raises as alarms, how long they last, and what a control plane reads of them."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lineside.contract.alarm import MOST, alarms_of, raised
from lineside.contract.errors import ErrorReport, LinesideError
from lineside.contract.reported import ComponentState, Phase, Report, ReportedComponent
from lineside.contract.shadow import ShadowState, ShadowStatus
from lineside.runtime import alarms
from lineside.runtime.announce import rfc3339
from lineside.runtime.frames import SourceHealth, SourceState
from lineside.runtime.main import main
from lineside.runtime.models.swap_status import SwapState, SwapStatus
from lineside.runtime.status import SinkStatus, SourceStatus, Status, StatusFile
from tests.runtime.conftest import encoded, squares
from tests.runtime.test_run import Device, put

NOW = 1_800_000_000.0
MISMATCH = LinesideError("golden.mismatched", image="a.png", difference="a box is missing").report()


def refused(**more: Any) -> Status:
    swap = SwapStatus(folder="/components/tags.model/3.0.0", state=SwapState.REFUSED, error=MISMATCH)
    return Status(swaps={"tags.model": swap}, **more)


def raise_(status: Status, now: float = NOW) -> Status:
    status.alarms = alarms.alarms_of(status, now)
    return status


def test_a_model_that_was_refused_is_an_alarm_with_the_code_behind_it_and_what_to_do() -> None:
    (alarm,) = raise_(refused()).alarms
    assert (alarm.subject, alarm.code, alarm.since) == ("model tags.model", "golden.mismatched", rfc3339(NOW))
    assert "/components/tags.model/3.0.0" in alarm.message
    assert "on a.png: a box is missing" in alarm.message
    assert "The model before goes on." in alarm.message
    assert "lineside deployments create --group GROUP --model NAME:VERSION" in alarm.next


def test_it_keeps_the_moment_it_began_and_ends_when_another_model_decides() -> None:
    status = raise_(raise_(refused()), NOW + 600)
    assert [one.since for one in status.alarms] == [rfc3339(NOW)]
    status.swaps = {"tags.model": SwapStatus(folder="/components/tags.model/2.0.0", state=SwapState.DONE)}
    assert raise_(status).alarms == ()


@pytest.mark.parametrize("state", [SwapState.LOADING, SwapState.DONE, SwapState.UNUSED])
def test_a_swap_that_goes_well_is_none(state: SwapState) -> None:
    assert raise_(Status(swaps={"tags.model": SwapStatus(folder="/", state=state)})).alarms == ()


def test_a_source_that_is_unwell_is_one_since_it_is() -> None:
    away = SourceHealth(state=SourceState.AWAY, code="source.away", why="It is gone.", next="Look.", since=NOW - 60)
    status = raise_(Status(sources={"cam": SourceStatus(health=away), "inbox": SourceStatus()}))
    assert [msgspec.to_builtins(one) for one in status.alarms] == [
        {
            "subject": "source cam",
            "code": "source.away",
            "message": "It is gone.",
            "next": "Look.",
            "since": rfc3339(NOW - 60),
        }
    ]


def test_a_sink_is_one_once_it_has_been_away_for_a_minute() -> None:
    status = Status(sinks={"webhook": SinkStatus(trouble="refused", since=rfc3339(NOW)), "jsonl": SinkStatus()})
    assert raise_(status, NOW + 59).alarms == ()
    (alarm,) = raise_(status, NOW + 61).alarms
    assert (alarm.subject, alarm.code, alarm.since) == ("sink webhook", "sink.away", rfc3339(NOW))
    assert "refused" in alarm.message


def test_results_that_a_receiver_will_never_take_are_one_and_stand_in_the_status(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sink = SinkStatus(delivered=5, refused=2, refusal="number 7: mes answers 413 too large")
    status = raise_(Status(sinks={"webhook": sink}))
    (alarm,) = status.alarms
    assert (alarm.subject, alarm.code, alarm.since) == ("sink webhook", "sink.refused", rfc3339(NOW))
    assert "2 since the start, the last one number 7: mes answers 413 too large" in alarm.message
    StatusFile(tmp_path).write(status)
    assert main(["status", "--work", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert "sink webhook: 5 delivered, 0 missed, 0 failures; 2 refused, the last one number 7: mes answers 413" in told


def test_a_sink_that_is_away_is_one_after_the_clock_was_set_back_too() -> None:
    """Else nobody hears of it for as long as the clock went back."""
    status = Status(sinks={"webhook": SinkStatus(trouble="refused", since=rfc3339(NOW))})
    (alarm,) = raise_(status, NOW - 365 * 24 * 3600).alarms
    assert (alarm.subject, alarm.code) == ("sink webhook", "sink.away")


def test_a_candidate_that_cannot_look_is_one_and_one_that_was_ended_is_none() -> None:
    off = ShadowStatus(state=ShadowState.OFF, why="model.missing: there is none")
    (alarm,) = raise_(Status(shadow=off)).alarms
    assert (alarm.subject, alarm.code) == ("shadow", "model.shadow_off")
    assert "there is none" in alarm.message
    assert raise_(Status(shadow=ShadowStatus(state=ShadowState.OFF))).alarms == ()


def test_a_local_api_that_cannot_listen_is_one() -> None:
    taken = LinesideError("api.unusable", address="127.0.0.1:8700", why="Address already in use").report()
    (alarm,) = raise_(Status(api=taken)).alarms
    assert (alarm.subject, alarm.code) == ("api", "api.unusable")
    assert "127.0.0.1:8700: Address already in use" in alarm.message
    assert "api.port" in alarm.next


def test_a_port_that_is_taken_is_an_alarm_of_a_run_that_decides_all_the_same(
    tmp_path: Path, bright_folder: Path
) -> None:
    device = Device(tmp_path / "device", bright_folder)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        device.configuration["api"] = {"port": taken.getsockname()[1]}
        device.start()
        (alarm,) = device.ready().alarms
        put(device.inbox, "a.png", encoded(squares((8, 8))))
        device.until(lambda status: status.decided == 1)
        assert device.stop() == 0
    assert (alarm.subject, alarm.code) == ("api", "api.unusable")


def test_a_device_without_h11_is_told_what_to_install(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['h11'] = None; from pathlib import Path; "
        "from lineside.runtime.api.api import Api, unasked; from lineside.runtime.api.settings import ApiSettings; "
        f"api = Api(ApiSettings(), None, Path({str(tmp_path)!r}), unasked); api.start(); api.stop(); "
        "print(api.trouble.code, api.trouble.next)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "api.not_installed pip install --upgrade 'lineside[runtime]'"


def test_results_that_were_lost_are_one() -> None:
    (alarm,) = raise_(Status(dropped=7)).alarms
    assert (alarm.subject, alarm.code, "7 since the start" in alarm.message) == ("spool", "spool.dropped", True)


def test_a_control_plane_reads_what_a_probe_printed() -> None:
    printed = json.loads(msgspec.json.encode(raise_(refused())))
    assert alarms_of(printed) == raise_(refused()).alarms
    report = Report(
        device="cam-1",
        sequence=1,
        at="",
        revision=1,
        phase=Phase.HEALTHY,
        running=(
            ReportedComponent(name="other", version="1", recipe_digest="", state=ComponentState.RUNNING),
            ReportedComponent(
                name="tags.inference", version="1", recipe_digest="", state=ComponentState.RUNNING, probe=printed
            ),
        ),
    )
    (found,) = raised(report)
    assert (found.component, found.where) == ("tags.inference", "tags.inference, model tags.model")
    assert found.report() == ErrorReport(
        code="golden.mismatched",
        message=f"tags.inference, model tags.model: {found.alarm.message}",
        next=found.alarm.next,
        params={"component": "tags.inference", "subject": "model tags.model", "since": rfc3339(NOW)},
    )
    assert raised(None) == ()


@pytest.mark.parametrize(
    "said",
    [None, 5, "alarms", {"subject": "a"}, [None, 5, "a", [], {}], [{"subject": "a"}], [{"subject": "", "code": "a"}]],
)
def test_what_is_no_alarm_is_passed_over(said: object) -> None:
    assert alarms_of({"alarms": said}) == ()
    assert alarms_of({}) == ()


def test_alarms_of_any_program_are_bounded() -> None:
    long = {"subject": "s" * 1000, "code": "c" * 1000, "message": "m" * 10_000, "next": 7, "extra": {}}
    found = alarms_of({"alarms": [long] * 100})
    assert len(found) == MOST
    assert [len(text) for text in msgspec.structs.astuple(found[0])] == [128, 64, 1000, 0, 0]


def test_people_see_alarms_sources_sinks_and_models_in_the_status(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = refused(sources={"cam": SourceStatus(kind="rtsp", model="model")}, sinks={"jsonl": SinkStatus()})
    status.shadow = ShadowStatus(state=ShadowState.LOOKING, model="tags", version=4, sampled=5, looked=3, agreed=2)
    StatusFile(tmp_path).write(raise_(status))
    assert main(["status", "--work", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert f"alarm, model tags.model, since {rfc3339(NOW)}: golden.mismatched: The model in /components" in told
    assert "  Next: Keep the version before" in told
    assert (
        "source cam (rtsp, to model): starting; 0 seen, 0 decided, 0 late, 0 failed, 0 waiting; skipped: none" in told
    )
    assert "sink jsonl: 0 delivered, 0 missed, 0 failures" in told
    assert "follows tags.model: refused, /components/tags.model/3.0.0" in told
    assert "shadow: tags:4 looked at 3 of 5 sampled images and agrees on 2 (66.7 %); it alone found 0 objects" in told
