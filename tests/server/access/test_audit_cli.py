"""`lineside audit`: list, verify and export, against a control plane and against files alone."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import httpx
import msgspec
import pytest

from lineside.cli.main import main
from lineside.contract.audit import AuditEntry, AuditPage, AuditVerdict
from lineside.server.access.caller import Caller, acting
from lineside.server.testing import FakeClock, Running

Audit = Callable[..., tuple[int, str]]


@pytest.fixture
def audit(lineside: Running, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Audit:
    """Runs `lineside audit …`; its exit status and what it printed."""
    monkeypatch.setenv("LINESIDE_URL", lineside.people_url)

    def run(*arguments: str) -> tuple[int, str]:
        status = main(["audit", *arguments])
        captured = capfd.readouterr()
        return status, captured.out + captured.err

    return run


@pytest.fixture
def decided(lineside: Running, clock: FakeClock) -> Running:
    """A trail of nine decisions by two people."""
    for number in range(9):
        clock.advance(3600)
        name = ("ann", "bob")[number % 2]
        action = ("model.approve", "model.reject", "run.start")[number % 3]
        with acting(Caller(name=name, by="token", source="10.0.0.9")), lineside.core.database.write() as session:
            lineside.core.audit.record(session, action, f"plates:{number}", digest="sha256:" + "12" * 32, why="because")
    return lineside


def tamper(lineside: Running, statement: str) -> None:
    with closing(sqlite3.connect(lineside.core.root / "lineside.db")) as database, database:
        database.execute(statement)


def lines(file: Path) -> list[bytes]:
    return file.read_bytes().splitlines(keepends=True)


FILTERS: dict[str, list[int]] = {
    "": [9, 8, 7, 6, 5, 4, 3, 2, 1],
    "--actor bob": [8, 6, 4, 2],
    "--action model": [8, 7, 5, 4, 2, 1],
    "--action model.reject": [8, 5, 2],
    "--action mod": [],
    "--subject plates:3": [4],
    "--since 2026-01-01T07": [9, 8, 7],
    "--since 2026-01-02": [],
    "--before 3": [2, 1],
    "--limit 2": [9, 8],
}


def test_lists_with_filters(decided: Running, audit: Audit) -> None:
    found = {}
    for options in FILTERS:
        _, out = audit("list", *options.split(), "--json")
        found[options] = [one.number for one in msgspec.json.decode(out, type=AuditPage).entries]
    assert found == FILTERS


def test_the_table_says_who_what_where_and_why(decided: Running, audit: Audit) -> None:
    _, out = audit("list", "--limit", "1")
    for word in (
        "9",
        "2026-01-01 09:00:00Z",
        "ann",
        "token",
        "10.0.0.9",
        "run.start",
        "plates:8",
        "1212121212",
        "because",
    ):
        assert word in out


def test_an_unbroken_trail(decided: Running, audit: Audit) -> None:
    status, out = audit("verify", "--json")
    verdict = msgspec.json.decode(out, type=AuditVerdict)
    assert (status, verdict.good, verdict.entries, verdict.ending) == (0, True, 9, True)
    assert "unbroken" in audit("verify")[1]


def test_a_broken_trail_ends_with_status_1_and_names_the_row(decided: Running, audit: Audit) -> None:
    tamper(decided, "UPDATE audit SET actor = 'eve' WHERE number = 4")
    status, out = audit("verify")
    assert status == 1
    assert "Row 4 was edited" in out


def test_an_export_holds_every_row_and_its_own(decided: Running, audit: Audit, tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    status, out = audit("export", "-o", str(file), "--json")
    assert (status, msgspec.json.decode(out.splitlines()[0])["rows"]) == (0, 10)
    rows = [msgspec.json.decode(line, type=AuditEntry) for line in lines(file)]
    assert [row.number for row in rows] == list(range(1, 11))
    assert (rows[-1].action, rows[-1].why) == ("audit.export", "all rows")
    assert audit("verify", "--file", str(file))[0] == 0
    assert not (tmp_path / "audit.jsonl.part").exists()


def test_an_export_to_standard_output_since_a_row(decided: Running, audit: Audit, tmp_path: Path) -> None:
    _, out = audit("export", "--since", "6")
    file = tmp_path / "later.jsonl"
    file.write_text(out)
    assert [msgspec.json.decode(line)["number"] for line in lines(file)] == [7, 8, 9, 10]
    status, said = audit("verify", "--file", str(file), "--since", "6", "--json")
    assert (status, msgspec.json.decode(said, type=AuditVerdict).trusted) == (0, 6)
    status, said = audit("verify", "--file", str(file))
    assert (status, "Rows 1 to 6 are not there" in said) == (1, True)


CHANGES: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "Row 4 was edited": lambda rows: [*rows[:3], rows[3].replace(b"bob", b"eve"), *rows[4:]],
    "Row 4 is not there": lambda rows: rows[:3] + rows[4:],
    "Rows 3 to 5 are not there": lambda rows: rows[:2] + rows[5:],
    "Row 4 stands after row 5": lambda rows: [*rows[:3], rows[4], rows[3], *rows[5:]],
    "Row 3 stands after row 3": lambda rows: [*rows[:3], rows[2], *rows[3:]],
    "Row 4 cannot be read": lambda rows: [*rows[:3], b"{}\n", *rows[4:]],
    "Row 5 cannot be read": lambda rows: [*rows[:4], b"\xff\xfe\n", *rows[5:]],
}


def test_a_file_that_somebody_changed(decided: Running, audit: Audit, tmp_path: Path) -> None:
    whole, changed = tmp_path / "audit.jsonl", tmp_path / "changed.jsonl"
    audit("export", "-o", str(whole))
    for said, change in CHANGES.items():
        changed.write_bytes(b"".join(change(lines(whole))))
        status, out = audit("verify", "--file", str(changed))
        assert (status, said in out) == (1, True), out


def test_what_is_no_export(audit: Audit, tmp_path: Path) -> None:
    file = tmp_path / "other"
    for content in (None, b"", b"hello\n", b"\xff"):
        if content is not None:
            file.write_bytes(content)
        status, out = audit("verify", "--file", str(file))
        assert (status, "is no export of an audit trail" in out) == (1, True), content


def test_a_kept_export_is_looked_for(decided: Running, audit: Audit, tmp_path: Path) -> None:
    file = tmp_path / "kept.jsonl"
    audit("export", "-o", str(file))
    assert audit("verify", "--kept", str(file))[0] == 0
    tamper(decided, "UPDATE audit SET hash = 'sha256:0' WHERE number = 10")
    status, out = audit("verify", "--kept", str(file))
    assert status == 1
    assert "Row 10 is not the one that was exported" in " ".join(out.split())


def test_the_page_has_the_rows_the_filter_and_the_state(decided: Running) -> None:
    everything = httpx.get(f"{decided.people_url}/audit").text
    assert everything.count('<tr id="row-') == 9
    some = httpx.get(f"{decided.people_url}/audit", params={"actor": "bob", "action": "model"}).text
    assert some.count('<tr id="row-') == 3
    assert "unbroken" in httpx.get(f"{decided.people_url}/audit/state").text
    tamper(decided, "DELETE FROM audit WHERE number = 4")
    assert "Row 4 is not there" in httpx.get(f"{decided.people_url}/audit/state").text
