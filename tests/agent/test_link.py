"""The link over real TLS: joining, tokens, refusals, retries, reports, captures."""

from __future__ import annotations

import stat
from pathlib import Path

import msgspec
import pytest

from lineside.agent.database import Database
from lineside.agent.keys.opening import open_keys
from lineside.agent.link import join_state
from lineside.agent.link.error import LinkError
from lineside.agent.link.https import Link
from lineside.agent.link.join import JoinOptions, join
from lineside.agent.link.outbox import LIMIT, Outbox
from lineside.agent.link.uploads import Captures
from lineside.agent.paths import Paths
from lineside.agent.supervision.processes import StopSignal
from lineside.agent.testing import FakeControlPlane
from lineside.agent.updating.installed import ComponentSet
from lineside.agent.updating.state import State
from lineside.agent.updating.store import Store
from lineside.contract.errors import ErrorReport, LinesideError, RemoteError
from lineside.contract.reported import Phase, Report
from tests.agent.agents import AgentProcess
from tests.agent.captures import kept
from tests.agent.control_plane import ControlPlane


def options(plane: ControlPlane, **changes: object) -> JoinOptions:
    found = JoinOptions(url=plane.url, token=plane.token, ca_sha256=plane.ca.sha256, name="cell-1")
    return msgspec.structs.replace(found, **changes)


def connect(agent: AgentProcess) -> Link:
    joined = join_state.load(agent.paths)
    return Link(joined.url, joined.device, open_keys(agent.paths), agent.paths.ca)


def test_joining_keeps_the_key_here_and_readable_by_nobody_else(plane: ControlPlane, tmp_path: Path) -> None:
    paths = Paths(tmp_path / "a")
    paths.root.mkdir()
    state = join(options(plane), paths)
    assert (state.device, state.url) == ("cell-1", plane.url)
    assert stat.S_IMODE(paths.key.stat().st_mode) == 0o600
    assert b"CERTIFICATE" in paths.certificate.read_bytes()
    with pytest.raises(LinesideError, match=r"join\.already_joined"):
        join(options(plane), paths)
    before = paths.key.read_bytes()
    join(options(plane, force=True), paths)
    assert paths.key.read_bytes() == before


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"ca_sha256": "0" * 64}, "join.ca_mismatch"),
        ({"token": "wrong"}, "join.token_unknown"),
        ({"name": "../x"}, "join.bad_name"),
        ({"url": "https://127.0.0.1:9"}, "link.refused"),
    ],
)
def test_a_join_that_is_refused_leaves_no_joined_device(
    plane: ControlPlane, tmp_path: Path, changes: dict[str, object], code: str
) -> None:
    paths = Paths(tmp_path / "a")
    paths.root.mkdir()
    with pytest.raises(LinesideError) as caught:
        join(options(plane, **changes), paths)
    assert caught.value.code == code
    with pytest.raises(LinesideError, match=r"agent\.not_joined"):
        join_state.load(paths)
    join(options(plane), paths)


def test_a_fingerprint_may_be_written_with_colons_and_capitals(plane: ControlPlane, tmp_path: Path) -> None:
    text = plane.ca.sha256.upper()
    colons = ":".join(text[at : at + 2] for at in range(0, 64, 2))
    (tmp_path / "a").mkdir()
    join(options(plane, ca_sha256=f"sha256:{colons}"), Paths(tmp_path / "a"))


def test_a_token_that_is_refused_is_renewed_once(plane: ControlPlane, agent: AgentProcess) -> None:
    link = connect(agent)
    first = link.desired(None)
    assert first is not None
    assert link.desired(first[1]) is None
    assert plane.served["token"] == 1
    plane.tokens.clear()
    assert link.desired(first[1]) is None
    assert plane.served["token"] == 2
    plane.revoked = True
    with pytest.raises(RemoteError, match=r"device\.revoked"):
        link.desired(None)
    link.close()


def test_retry_after_is_heard(plane: ControlPlane, agent: AgentProcess) -> None:
    link = connect(agent)
    plane.overloaded = 1
    with pytest.raises(LinkError) as caught:
        link.desired(None)
    assert caught.value.retry_after == 0
    link.close()


def test_a_server_of_another_ca_is_not_spoken_to(plane: ControlPlane, agent: AgentProcess, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = ControlPlane(tmp_path / "other")
    link = Link(other.url, "cell-1", open_keys(agent.paths), agent.paths.ca)
    with pytest.raises(LinkError, match=r"link\.captive_portal.*issuer certificate"):
        link.desired(None)
    link.close()
    other.close()


def test_a_connection_that_breaks_is_resumed_with_a_range(plane: ControlPlane, agent: AgentProcess) -> None:
    link, store, data = connect(agent), Store(agent.paths.store), bytes(range(256)) * 4000
    digest = plane.add_blob(data)
    plane.break_after = 300_000
    received: list[int] = []
    with pytest.raises(LinkError):
        store.fetch(link, digest, "data.bin", received.append)
    plane.break_after = None
    store.fetch(link, digest, "data.bin", received.append)
    assert store.read(digest) == data
    assert sum(received) == len(data)
    link.close()


def report(sequence: int, revision: int = 1) -> Report:
    return Report(
        device="cell-1", sequence=sequence, at="2026-01-01T00:00:00.000Z", revision=revision, phase=Phase.IDLE
    )


def test_reports_wait_on_disk_in_order_and_are_sent_at_least_once(tmp_path: Path) -> None:
    outbox, control = Outbox(Database(tmp_path / "agent.db")), FakeControlPlane()
    control.away = True
    for _ in range(250):
        outbox.add(report)
    with pytest.raises(LinkError):
        outbox.flush(control)
    again = Outbox(Database(tmp_path / "agent.db"))
    control.away = False
    again.flush(control)
    assert [one.sequence for one in control.reports] == list(range(1, 251))
    assert again.waiting() == ()
    assert again.add(report).sequence == 251


def test_the_newest_report_is_never_dropped(tmp_path: Path) -> None:
    outbox = Outbox(Database(tmp_path / "agent.db"))
    for _ in range(LIMIT + 20):
        outbox.add(report)
    assert outbox.waiting()[0].sequence == 21
    control = FakeControlPlane()
    outbox.flush(control)
    assert control.reports[-1].sequence == LIMIT + 20


def test_numbers_go_on_above_what_the_control_plane_knows(tmp_path: Path) -> None:
    outbox, control = Outbox(Database(tmp_path / "agent.db")), FakeControlPlane()
    control.reports = [report(40)]
    outbox.add(lambda sequence: report(sequence, revision=9))
    outbox.flush(control)
    outbox.flush(control)
    assert (control.reports[-1].sequence, control.reports[-1].revision) == (41, 9)
    assert outbox.add(report).sequence == 42


def test_a_trial_is_remembered_committed_or_failed(tmp_path: Path) -> None:
    state = State(Database(tmp_path / "agent.db"))
    one, two = ComponentSet(document="r1", revision=1), ComponentSet(document="r2", revision=2)
    state.begin(one)
    state.commit()
    assert (state.good(), state.attempt()) == (one, None)
    assert state.begin(two).tries == 1
    assert State(Database(tmp_path / "agent.db")).begin(two).tries == 2
    state.fail(ErrorReport(code="component.broken", message="It broke."), held=False)
    assert (state.good(), state.attempt()) == (one, None)
    outcome = state.outcome()
    assert outcome is not None
    assert outcome.document == "r2"


def test_captures_go_home_and_are_deleted(plane: ControlPlane, agent: AgentProcess) -> None:
    folder, link = agent.paths.captures, connect(agent)
    first, second = kept(folder, "a1", b"one"), kept(folder, "b2", b"two")
    link.desired(None)
    assert Captures(folder, link, StopSignal()).send() == 2
    assert plane.captures == {"a1": first, "b2": second}
    assert plane.uploaded == {"a1": b"one", "b2": b"two"}
    assert list(folder.iterdir()) == []
    link.close()


def test_a_capture_that_was_sent_but_not_deleted_is_finished(tmp_path: Path) -> None:
    control, folder = FakeControlPlane(), tmp_path / "captures"
    record = kept(folder, "a1")
    control.uploaded[record.digest] = b"image"
    (folder / "a1.bin").unlink()  # the power went between the two deletions
    Captures(folder, control, StopSignal()).send()
    assert list(folder.iterdir()) == []


def test_captures_wait_while_nobody_answers_and_go_when_they_are_not_wanted(tmp_path: Path) -> None:
    control, folder = FakeControlPlane(), tmp_path / "captures"
    kept(folder, "a1")
    control.away = True
    with pytest.raises(LinkError):
        Captures(folder, control, StopSignal()).send()
    assert len(list(folder.iterdir())) == 2
    control.away = False
    control.refusal = RemoteError(ErrorReport(code="blob.too_large", message="Too large."), 413)
    Captures(folder, control, StopSignal()).send()
    assert list(folder.iterdir()) == []
