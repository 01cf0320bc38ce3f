"""What the agent says to a service manager, over a socket as systemd opens it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lineside.agent.systemd.notify import Notifier
from lineside.agent.systemd.watchdog import Pulse, Watchdog
from tests.agent.systemd.manager import Manager


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    name = str(tmp_path / "notify") if request.param == "path" else f"@lineside-test-{os.getpid()}"
    found = Manager(name)
    yield found
    found.close()


def test_ready_status_and_stopping_are_heard(manager: Manager) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": manager.address})
    notifier.ready("revision 3:\nhealthy")
    assert manager.hear() == ["READY=1", "STATUS=revision 3: healthy", f"MAINPID={os.getpid()}"]
    notifier.status("busy")
    notifier.stopping()
    assert [manager.hear(), manager.hear()] == [["STATUS=busy"], ["STOPPING=1"]]


def test_without_a_manager_nothing_is_said_and_nothing_fails(tmp_path: Path) -> None:
    silent = Notifier({})
    assert not silent.listening
    silent.ready("fine")
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready("fine")


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "2000000"}, 2.0),
        ({"WATCHDOG_USEC": "2000000", "WATCHDOG_PID": str(os.getpid())}, 2.0),
        ({"WATCHDOG_USEC": "2000000", "WATCHDOG_PID": str(os.getppid())}, 2.0),
        ({"WATCHDOG_USEC": "2000000", "WATCHDOG_PID": "1"}, None),
    ],
)
def test_the_watchdog_runs_when_this_process_is_asked(environment: dict[str, str], seconds: float | None) -> None:
    if environment.get("WATCHDOG_PID") == "1" and os.getppid() == 1:
        pytest.skip("process 1 is our parent here")
    assert Notifier(environment).watchdog_seconds == seconds


def test_a_thread_that_hangs_silences_the_watchdog(tmp_path: Path) -> None:
    manager = Manager(str(tmp_path / "notify"))
    now = [100.0]
    pulse = Pulse(lambda: now[0])
    pulse.beat("update", within=10)
    pulse.beat("link", within=60)
    watchdog = Watchdog(Notifier({"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "20000"}), pulse)
    watchdog.start()
    assert manager.hear() == ["WATCHDOG=1"]
    now[0] = 120.0
    while (said := manager.hear()) == ["WATCHDOG=1"]:
        pass  # what was under way
    assert said == ["STATUS=hangs: update"]
    assert manager.hear() == ["STATUS=hangs: update"]
    pulse.beat("update", within=10)
    while (said := manager.hear()) == ["STATUS=hangs: update"]:
        pass
    assert said == ["WATCHDOG=1"]
    pulse.end("update")
    now[0] = 150.0
    assert pulse.overdue() == []
    watchdog.stop()
    manager.close()


def test_nobody_asked_for_a_watchdog(tmp_path: Path) -> None:
    watchdog = Watchdog(Notifier({"WATCHDOG_USEC": "20000"}), Pulse())
    watchdog.start()
    watchdog.stop()
