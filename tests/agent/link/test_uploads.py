"""Captures on their way home: within budgets and windows, from where they broke off, past what cannot go now."""

from __future__ import annotations

import datetime
import errno
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from lineside.agent.clock import Clock
from lineside.agent.keys.files import FileKeys
from lineside.agent.keys.port import CURRENT, NEXT, PREVIOUS
from lineside.agent.link import upload_ledger
from lineside.agent.link.collecting import ASKED, KEPT, TAKES, Collecting, split
from lineside.agent.link.error import LinkError
from lineside.agent.link.secrets import SecretsLink
from lineside.agent.link.upload_budget import RuledBudget
from lineside.agent.link.upload_ledger import UploadLedger
from lineside.agent.link.upload_rules import UploadRules, Used, default_link, local_time, read_rules, why_not
from lineside.agent.link.uploads import LOOK_SECONDS, Captures, Uploader
from lineside.agent.ports import Content
from lineside.agent.secrets import Secrets
from lineside.agent.supervision.processes import StopSignal
from lineside.agent.testing import FakeControlPlane
from lineside.contract.capture import SignedPut, Ticket
from lineside.contract.captured import packed
from lineside.contract.collection import CaptureProgress, CaptureRequest
from lineside.contract.errors import LinesideError, RemoteError
from lineside.contract.sealing import Sealed, seal
from tests.agent.captures import kept

MONDAY_NOON = datetime.datetime(2026, 11, 23, 12, tzinfo=datetime.UTC).timestamp()


class Breaking(FakeControlPlane):
    """One whose uploads break off after `most` bytes; what came is kept, as the control plane does."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most: int | None = most
        self.came: dict[str, bytes] = {}
        self.direct: SignedPut | None = None
        self.done: list[str] = []

    def ticket(self, record: bytes) -> Ticket:
        found = super().ticket(record)
        received = len(self.came.get(found.digest, b""))
        return msgspec.structs.replace(found, received=received, direct=self.direct)

    def upload(self, ticket: Ticket, data: bytes | Content) -> None:
        before = self.came.get(ticket.digest, b"")
        assert len(before) == ticket.received
        for piece in [data] if isinstance(data, bytes) else data:
            before += piece
            if self.most is not None and len(before) > self.most:
                self.came[ticket.digest] = before[: self.most]
                raise LinkError("link.unreachable", url="memory", why="it broke off")
        self.uploaded[ticket.digest] = before

    def put_done(self, ticket: Ticket) -> None:
        self.done.append(ticket.id)


@pytest.fixture
def stop() -> StopSignal:
    return StopSignal()


class Wall:
    """A clock that is set by hand."""

    def __init__(self, now: float = MONDAY_NOON) -> None:
        self.now = now

    def clock(self) -> Clock:
        return Clock(wall=lambda: self.now, ticks=lambda: 0.0)


def budget(tmp_path: Path, wall: Wall, link: str = "eth0", **uploads: Any) -> RuledBudget:
    said = {"uploads": {"timeZone": "UTC", **uploads}}
    return RuledBudget(lambda: said, tmp_path / "uploads.json", wall.clock(), lambda: link)


# --- sending ----------------------------------------------------------------------------------------------------------


def test_what_broke_off_goes_on_and_only_the_rest_is_sent(tmp_path: Path, stop: StopSignal) -> None:
    control, image = Breaking(100_000), bytes(range(256)) * 1000
    record = kept(tmp_path / "captures", "a", image)
    rules = budget(tmp_path, Wall(), bytesPerDay=400_000)
    captures = Captures(tmp_path / "captures", control, stop, rules)
    with pytest.raises(LinkError):
        captures.send()
    control.most = None
    assert captures.send() == 1
    assert control.uploaded == {record.digest: image}
    used = UploadLedger(tmp_path / "uploads.json", lambda: datetime.date(2026, 11, 23)).used()
    assert len(image) <= used.day < len(image) + 2 * 65536  # the first 100,000 bytes went once
    assert list((tmp_path / "captures").iterdir()) == []


class Waiting(StopSignal):
    """One that waits in no time, remembers how long it was to wait, and is set after so many waits."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most, self.waited = most, list[float]()

    def wait(self, timeout: float) -> bool:
        self.waited.append(timeout)
        if len(self.waited) == self.most:
            self.set()
        return self.is_set()


class Lossy(FakeControlPlane):
    """One to which the link breaks at each third ticket, or at every one."""

    def __init__(self) -> None:
        super().__init__()
        self.dead, self.heard = False, 0

    def ticket(self, record: bytes) -> Ticket:
        self.heard += 1
        if self.dead or self.heard % 3 == 0:
            raise LinkError("link.unreachable", url="memory", why="it broke off")
        return super().ticket(record)


def test_a_link_that_breaks_all_the_time_carries_what_it_can_and_a_dead_one_is_tried_ever_less(tmp_path: Path) -> None:
    control, waits = Lossy(), Waiting(6)
    for number in range(12):
        kept(tmp_path / "captures", f"a{number:02}", b"image %d" % number)
    uploader = Uploader(Captures(tmp_path / "captures", control, waits), waits)
    uploader.start()
    uploader.join()
    assert waits.waited == [LOOK_SECONDS] * 6
    assert len(control.uploaded) == 10  # two before each break, five times
    control.dead, waits = True, Waiting(5)
    dead = Uploader(Captures(tmp_path / "captures", control, waits), waits)
    dead.start()
    dead.join()
    assert waits.waited == [LOOK_SECONDS * factor for factor in (1, 2, 4, 8, 16)]


@pytest.mark.parametrize("code", ["ticket.used", "ticket.wrong_offset", "blob.digest_mismatch"])
def test_a_refused_ticket_loses_no_capture_and_holds_up_no_other(tmp_path: Path, stop: StopSignal, code: str) -> None:
    class Refusing(FakeControlPlane):
        def upload(self, ticket: Ticket, data: bytes | Content) -> None:
            if ticket.id == "a":
                words = {"ticket": "a", "offset": 1, "received": 2, "actual": "x", "expected": "y"}
                raise RemoteError(LinesideError(code, **words).report(), 409)
            super().upload(ticket, data)

    control = Refusing()
    kept(tmp_path / "captures", "a", b"one")
    second = kept(tmp_path / "captures", "b", b"two")
    assert Captures(tmp_path / "captures", control, stop).send() == 1
    assert set(control.uploaded) == {second.digest}
    assert sorted(path.name for path in (tmp_path / "captures").iterdir()) == ["a.bin", "a.json"]


def test_a_sealed_image_is_opened_and_one_that_rotted_is_not_sent(tmp_path: Path, stop: StopSignal) -> None:
    control = FakeControlPlane()
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    record = kept(tmp_path / "captures", "a", b"clear", packed(seal(key, b"clear", b"capture a")))
    kept(tmp_path / "captures", "b", b"what was kept", b"what the disk gives")
    asked: list[str] = []

    def opened(sealed: Sealed, about: str) -> bytes:
        asked.append(about)
        return b"clear"

    Captures(tmp_path / "captures", control, stop, opened=opened).send()
    assert control.uploaded == {record.digest: b"clear"}
    assert asked == ["capture a"]
    assert list((tmp_path / "captures").iterdir()) == []


def test_a_sealed_image_that_waits_outlives_a_change_of_keys(tmp_path: Path, stop: StopSignal) -> None:
    """The certificate is renewed while it waits for the night; the key before goes when nothing needs it any more."""
    control, keys, folder = FakeControlPlane(), FileKeys(tmp_path / "keys"), tmp_path / "captures"
    keys.make(CURRENT)
    kept(folder, "a", b"clear", packed(keys.seal(b"clear", "capture a")))
    keys.make(NEXT)
    keys.promote()
    kept(folder, "b", b"plain")
    link = SecretsLink(control, Secrets(tmp_path / "secrets", keys, folder))
    link.look()
    assert keys.exists(PREVIOUS)
    assert Captures(folder, control, stop, opened=keys.open).send() == 2
    assert sorted(control.uploaded.values()) == [b"clear", b"plain"]
    link.look()
    assert not keys.exists(PREVIOUS)


def test_one_that_nobody_can_open_or_read_or_that_is_of_another_device_holds_up_no_other(
    tmp_path: Path, stop: StopSignal
) -> None:
    """A key that is gone, a bad sector (here: a folder in place of a file), and captures of the name before."""

    class Choosy(FakeControlPlane):
        def ticket(self, record: bytes) -> Ticket:
            if b'"cell-0"' in record:
                raise RemoteError(LinesideError("auth.not_yours", device="cell-1").report(), 403)
            return super().ticket(record)

    control, keys, folder = Choosy(), FileKeys(tmp_path / "keys"), tmp_path / "captures"
    keys.make(CURRENT)
    foreign = ec.generate_private_key(ec.SECP256R1()).public_key()
    for name in ("a", "b"):
        kept(folder, name, b"clear", packed(seal(foreign, b"clear", b"capture " + name.encode())))
    kept(folder, "c", device="cell-0")
    kept(folder, "e", b"lies on a bad sector")
    (folder / "d.json").mkdir()
    (folder / "e.bin").unlink()
    (folder / "e.bin").mkdir()
    last = kept(folder, "f", b"good")
    opened: list[str] = []

    def counting(sealed: Sealed, about: str) -> bytes:
        opened.append(about)
        return keys.open(sealed, about)

    captures = Captures(folder, control, stop, opened=counting)
    assert captures.send() + captures.send() == 1
    assert control.uploaded == {last.digest: b"good"}
    assert sorted(path.name for path in folder.glob("*.json")) == ["a.json", "b.json", "c.json", "d.json", "e.json"]
    assert opened == ["capture a"]  # a short-lived process each: one look a minute tells enough of a key


def test_a_full_disk_spends_no_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = UploadLedger(tmp_path / "uploads.json", lambda: datetime.date(2026, 11, 23))
    monkeypatch.setattr(upload_ledger, "write_atomically", _full)
    for _ in range(3):
        with pytest.raises(OSError, match="No space"):
            ledger.reserve(10, metered=True)
    assert ledger.used() == Used()


def _full(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_capture_that_was_taken_back_is_no_error(tmp_path: Path, stop: StopSignal) -> None:
    class Thinning(FakeControlPlane):
        def ticket(self, record: bytes) -> Ticket:
            for path in (tmp_path / "captures").iterdir():
                path.unlink()
            return super().ticket(record)

    kept(tmp_path / "captures", "a", b"one")
    assert Captures(tmp_path / "captures", Thinning(), stop).send() == 0


def test_a_bucket_takes_images_and_when_it_does_not_the_control_plane_does(tmp_path: Path, stop: StopSignal) -> None:
    taken: dict[str, bytes] = {}

    class Bucket(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            taken[self.path] = body
            self.send_response(200 if self.path.startswith("/good") else 403)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Bucket)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    control = Breaking(1 << 30)
    captures = Captures(tmp_path / "captures", control, stop)
    base = f"http://127.0.0.1:{server.server_address[1]}"
    for name in ("good", "bad"):
        kept(tmp_path / "captures", name, name.encode())
        control.direct = SignedPut(url=f"{base}/{name}?X-Amz=1", headers={"content-length": str(len(name))})
        assert captures.send() == 1
    server.shutdown()
    server.server_close()
    assert taken == {"/good?X-Amz=1": b"good", "/bad?X-Amz=1": b"bad"}
    assert control.done == ["good"]
    assert set(control.uploaded.values()) == {b"bad"}


# --- rules ------------------------------------------------------------------------------------------------------------


def test_a_budget_holds_over_restarts_and_lets_small_ones_pass(tmp_path: Path, stop: StopSignal) -> None:
    control, wall = FakeControlPlane(), Wall()
    for name, size in (("a", 60), ("b", 50), ("c", 40)):
        kept(tmp_path / "captures", name, name.encode() * size)
    rules: dict[str, Any] = {"bytesPerDay": 100}

    def send() -> list[str]:
        Captures(tmp_path / "captures", control, stop, budget(tmp_path, wall, **rules)).send()
        return sorted(path.stem for path in (tmp_path / "captures").glob("*.json"))

    assert send() == ["b"]  # 60 + 50 are more than 100, 60 + 40 are not
    assert send() == ["b"]  # an agent that starts again remembers
    wall.now += 24 * 3600
    assert send() == []
    assert len(control.uploaded) == 3


def test_a_clock_that_jumps_gives_no_second_budget(tmp_path: Path) -> None:
    wall = Wall()
    ledger = UploadLedger(tmp_path / "used", lambda: datetime.datetime.fromtimestamp(wall.now, datetime.UTC).date())
    ledger.reserve(10, metered=False)
    wall.now += 400 * 24 * 3600.0  # wrong by a year and more
    assert ledger.used() == Used(day=0, month=0)
    ledger.reserve(5, metered=True)
    wall.now = MONDAY_NOON
    assert ledger.used() == Used(day=15, month=15, metered=5)
    wall.now += 24 * 3600
    assert ledger.used() == Used(day=0, month=15)
    wall.now += 10 * 24 * 3600
    assert ledger.used() == Used()
    wall.now = MONDAY_NOON
    again = UploadLedger(tmp_path / "used", lambda: datetime.date(2026, 11, 23))
    assert again.used().day == 15


def test_a_month_has_a_budget_too(tmp_path: Path) -> None:
    wall = Wall()
    rules = budget(tmp_path, wall, bytesPerMonth=100)
    ledger = UploadLedger(tmp_path / "uploads.json", lambda: datetime.date(2026, 11, 1))
    ledger.reserve(90, metered=False)
    rules = budget(tmp_path, wall, bytesPerMonth=100)
    assert rules.why_not(10) == ""
    assert rules.why_not(11) == "90 bytes of this month's 100 are used"
    wall.now += 8 * 24 * 3600  # December
    assert rules.why_not(100) == ""


@pytest.mark.parametrize(
    ("moment", "may"),
    [
        ("2026-11-23T21:59:00+01:00", False),  # a Monday in Berlin
        ("2026-11-23T22:00:00+01:00", True),
        ("2026-11-24T05:59:00+01:00", True),
        ("2026-11-24T06:00:00+01:00", False),
        ("2026-11-24T23:00:00+01:00", False),  # Tuesday's evening is none
        ("2026-11-22T23:00:00+01:00", False),
        ("2026-07-06T20:00:00+00:00", True),  # summer time: 22:00 there
    ],
)
def test_windows_are_of_the_devices_local_time(moment: str, may: bool) -> None:
    window = {"start": "22:00", "end": "06:00", "days": ["mon"]}
    rules = read_rules({"uploads": {"windows": [window], "timeZone": "Europe/Berlin"}})
    local = local_time(rules, datetime.datetime.fromisoformat(moment).timestamp())
    assert (why_not(rules, 1, Used(), local, "eth0") == "") is may


def test_metered_links(tmp_path: Path) -> None:
    never = {"interfaces": ["wwan*"]}
    assert budget(tmp_path, Wall(), "wwan0", metered=never).why_not(1) == "wwan0 is a metered link"
    assert budget(tmp_path, Wall(), "eth0", metered=never).why_not(1) == ""
    some = {"interfaces": ["wwan*"], "rule": "budget", "bytesPerDay": 10}
    metered = budget(tmp_path, Wall(), "wwan0", metered=some)
    assert (metered.why_not(10), bool(metered.why_not(11))) == ("", True)
    routes = tmp_path / "route"
    head = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n"
    routes.write_text(
        head
        + "wwan0 00000000 0101A8C0 0003 0 0 700 00000000 0 0 0\n"
        + "eth0 00000000 0100A8C0 0003 0 0 100 00000000 0 0 0\n"
        + "eth1 0000A8C0 00000000 0001 0 0 0 00FFFFFF 0 0 0\n"
    )
    assert default_link(routes) == "eth0"
    assert default_link(tmp_path / "none") == ""


@pytest.mark.parametrize(
    "uploads",
    [
        {"bytesPerDay": "many"},
        {"bytesPerWeek": 1},
        {"windows": [{"start": "25:00", "end": "1:00"}]},
        {"timeZone": "X/Y"},
    ],
)
def test_rules_that_cannot_be_read_let_nothing_go(tmp_path: Path, stop: StopSignal, uploads: Any) -> None:
    control = FakeControlPlane()
    kept(tmp_path / "captures", "a", b"one")
    rules = RuledBudget(lambda: {"uploads": uploads}, tmp_path / "used", Wall().clock())
    assert Captures(tmp_path / "captures", control, stop, rules).send() == 0
    assert control.uploaded == {}
    assert read_rules(None) == read_rules({}) == UploadRules()


# --- collections ------------------------------------------------------------------------------------------------------


def request(id_: str, count: int, component: str = "") -> CaptureRequest:
    return CaptureRequest(
        id=id_, component=component, count=count, until="2026-12-01T00:00:00.000Z", strategy="requested"
    )


def test_requests_go_to_components_that_take_them_and_what_was_kept_is_told(tmp_path: Path) -> None:
    control = FakeControlPlane()
    collecting = Collecting(tmp_path, control)
    for name in ("seer", "twin", "other"):
        (tmp_path / name).mkdir()
    for name in ("seer", "twin"):
        (tmp_path / name / TAKES).touch()
    (tmp_path / "seer" / KEPT).write_text('{"c1": {"kept": 3, "refused": {"store full": 2}}}')
    control.requests = [request("c1", 5), request("c2", 7, "twin"), request("c3", 1, "gone")]
    collecting.look()
    assert not (tmp_path / "seer" / ASKED).exists()  # nothing was asked yet, ever
    control.collections = 1
    collecting.look()
    shares = {
        name: {row["id"]: row["count"] for row in json.loads((tmp_path / name / ASKED).read_text())}
        for name in ("seer", "twin")
    }
    assert shares == {"seer": {"c1": 3}, "twin": {"c1": 2, "c2": 7}}
    assert not (tmp_path / "other" / ASKED).exists()
    assert control.kept["c1"] == CaptureProgress(kept=3, refused={"store full": 2})
    assert "No component" in control.kept["c3"].why
    (tmp_path / "seer" / KEPT).write_text('{"c1": {"kept": 5, "refused": {"same image": 4}}}')
    collecting.look()
    assert control.kept["c1"].kept == 3  # told every few seconds
    control.requests, control.collections = [], 2
    collecting.look()
    assert control.kept["c1"] == CaptureProgress(kept=5, refused={"same image": 4})  # the last word, at once
    assert json.loads((tmp_path / "seer" / ASKED).read_text()) == []


def test_a_component_cannot_make_the_agent_read_something_else(tmp_path: Path) -> None:
    control = FakeControlPlane()
    (tmp_path / "secret").write_text('{"c1": {"kept": 9}}')
    (tmp_path / "seer").mkdir()
    (tmp_path / "seer" / TAKES).touch()
    (tmp_path / "seer" / KEPT).symlink_to(tmp_path / "secret")
    control.requests, control.collections = [request("c1", 5)], 1
    Collecting(tmp_path, control).look()
    assert control.kept["c1"].kept == 0


@pytest.mark.parametrize(
    ("count", "kept", "shares"),
    [
        (5, [0, 0], [3, 2]),
        (10, [4, 1], [5, 5]),
        (6, [5, 1], [5, 1]),  # fewer than before: nobody keeps more
        (8, [5, 0, 0], [5, 2, 1]),
        (3, [5, 1], [5, 1]),
        (4, [], []),
    ],
)
def test_components_share_what_is_asked_and_none_is_asked_for_less_than_it_has(
    count: int, kept: list[int], shares: list[int]
) -> None:
    assert split(count, kept) == shares
