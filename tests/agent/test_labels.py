"""Labels of the device's own configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineside.agent import labels
from lineside.agent.facts import device_facts
from lineside.agent.link import report
from lineside.agent.paths import Paths
from lineside.contract.errors import LinesideError
from tests.agent.rig import Rig


def test_what_was_written_is_read_and_is_a_fact(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    assert labels.load(paths) == {}
    labels.save(paths, ["site=berlin", "line = 3", "note=a=b", "empty="])
    assert labels.load(paths) == {"site": "berlin", "line": "3", "note": "a=b", "empty": ""}
    assert device_facts(tmp_path)["labels"] == labels.load(paths)


def test_a_file_that_people_wrote_may_have_anything_in_it(tmp_path: Path) -> None:
    (tmp_path / "labels").write_text("# by hand\n\nsite=berlin\nnonsense\n-bad=1\nos=mine\nlong=" + "x" * 300 + "\n")
    assert labels.load(Paths(tmp_path)) == {"site": "berlin"}
    (tmp_path / "labels").write_bytes(b"\xff\xfe")
    assert labels.load(Paths(tmp_path)) == {}


@pytest.mark.parametrize(
    ("word", "code"), [("site", "label.invalid"), ("-a=1", "label.invalid"), ("os=x", "label.is_fact")]
)
def test_what_is_no_label_is_refused(tmp_path: Path, word: str, code: str) -> None:
    with pytest.raises(LinesideError) as raised:
        labels.save(Paths(tmp_path), ["site=berlin", word])
    assert raised.value.code == code
    assert not Paths(tmp_path).labels.exists()


def test_a_label_that_changes_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(tmp_path / "device")
    rig.want(1)
    rig.boot()
    told = _told(rig)
    monkeypatch.setattr(report, "LOOK", 0.0)
    assert _told(rig) == told  # nothing has changed
    (tmp_path / "device" / "labels").write_text("site=berlin\n")
    told_again = _told(rig), _told(rig)
    rig.off()
    assert told_again == (told + 1, told + 1)
    assert rig.control.reports[-1].facts["labels"] == {"site": "berlin"}


def _told(rig: Rig) -> int:
    """How many reports there are after the device has lived for a while."""
    rig.live()
    rig.agent._poller._report()
    return len(rig.control.reports)
