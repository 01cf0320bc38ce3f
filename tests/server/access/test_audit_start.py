"""A start is a decision, too: which version, told what; and whoever starts learns when rows were cut off meanwhile."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import lineside
from lineside.server.access.started import record_start
from lineside.server.access.trail import AuditTrail, Wanted
from lineside.server.testing import FakeClock, make_core
from tests.server.processes import ControlPlaneProcess


def test_it_says_what_it_was_told_but_for_what_may_hold_a_password(tmp_path: Path, clock: FakeClock) -> None:
    url = f"sqlite:///{tmp_path}/other.db"
    core = make_core(tmp_path / "root", clock, four_eyes="on", port=9000, database_url=url)
    assert record_start(core) == ()
    (entry,) = AuditTrail(core).page(Wanted(), None, 10).entries
    core.database.close()
    assert (entry.action, entry.subject) == ("control-plane.start", f"lineside {lineside.__version__}")
    assert (entry.actor, entry.by) == ("control plane", "system")
    assert sorted(entry.why.split(", ")) == [
        "database_url is set",
        "four_eyes=on",
        "port=9000",
        "twin_soak_seconds=0.0",
    ]


def test_rows_that_were_cut_off_meanwhile_need_a_person(tmp_path: Path, clock: FakeClock) -> None:
    core = make_core(tmp_path / "root", clock)
    for _ in range(3):
        record_start(core)
    core.database.close()
    with closing(sqlite3.connect(tmp_path / "root" / "lineside.db")) as database, database:
        database.execute("DELETE FROM audit WHERE number > 1")
    core = make_core(tmp_path / "root", clock)
    (need,) = record_start(core)
    core.database.close()
    assert (need.href, need.command) == ("/audit", "lineside audit verify")
    assert "Rows 2 to 3 were removed" in need.what


def test_every_start_of_the_real_program_is_a_row(tmp_path: Path) -> None:
    ports = ("--port", "0", "--device-port", "0", "--mqtt-port", "0")
    for _ in range(2):
        with ControlPlaneProcess(tmp_path / "r", *ports) as lineside:
            page = lineside.get("/audit?action=control-plane")
    assert page["total"] == 2
    assert "device_port=0" in page["entries"][0]["why"]
