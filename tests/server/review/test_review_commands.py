"""`lineside review …` over a real control plane; label files in folders and zips; Label Studio beside its port."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from lineside.cli.app import run
from lineside.server.testing import FakeClock, Running
from tests.server.review.label_studio import label_studio
from tests.server.review.world import World


@pytest.fixture
def plane(lineside: Running, clock: FakeClock) -> Running:
    """With three captures in review."""
    World(lineside.core, clock).some(3)
    return lineside


def said(plane: Running, capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> Any:
    assert run(["review", *words, "--url", plane.people_url, "--json"]) == status
    return json.loads(capsys.readouterr().out)


def test_next_answer_undo_and_stats(plane: Running, capsys: pytest.CaptureFixture[str]) -> None:
    assert [one["record"]["id"] for one in said(plane, capsys, "next", "--count", "2")["items"]] == ["c2", "c1"]
    answered = said(plane, capsys, "answer", "c2", "correct", "--box", "dent=1,2,30.5,40")
    assert (answered["state"], answered["labels"][0]["width"]) == ("reviewed", 30.5)
    assert said(plane, capsys, "stats")["states"]["reviewed"] == 1
    assert run(["review", "stats", "--url", plane.people_url]) == 0
    shown = capsys.readouterr().out
    assert "2 waiting, 1 reviewed" in shown  # where they stand, and who answered
    assert "1 correct" in shown
    assert said(plane, capsys, "undo")["record"]["id"] == "c2"
    assert said(plane, capsys, "show", "c2")["state"] == "waiting"
    assert len(said(plane, capsys, "list", "--limit", "2")["items"]) == 2
    assert said(plane, capsys, "alike", "c2")["items"][0]["record"]["id"] == "c2"
    assert said(plane, capsys, "answer", "c9", "nothing", status=1)["error"]["code"] == "request.not_found"


def test_policy_rules_and_a_dataset(plane: Running, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(plane, capsys, "policy", "--people", "2", "--class", "dent")["people"] == 2
    assert said(plane, capsys, "policy", "--people", "1")["classes"] == ["dent"]
    said(plane, capsys, "rules", "apply", "tags", "--reviewed", "50")
    assert [one["name"] for one in said(plane, capsys, "rules", "list")] == ["tags"]
    said(plane, capsys, "rules", "remove", "tags")
    said(plane, capsys, "answer", "c0", "accept")
    made = said(plane, capsys, "dataset", "tags", "--field-share", "0")
    assert (made["added"], made["version"]["name"]) == (1, "tags")


def test_labels_go_out_as_a_zip_and_come_back(plane: Running, tmp_path: Path, capsys: Any) -> None:
    archive = tmp_path / "captures.zip"
    listing = said(plane, capsys, "export", "--to", str(archive))
    with zipfile.ZipFile(archive) as found:
        assert (
            sorted(found.namelist()) == sorted(listing["files"]) == ["annotations.json", "c0.png", "c1.png", "c2.png"]
        )
    assert said(plane, capsys, "import", str(archive))["answered"] == 3
    assert said(plane, capsys, "export", "--to", str(archive), status=1)["error"]["code"] == "cli.file_unwritable"


def test_archives_that_are_none_or_lie_are_refused(plane: Running, tmp_path: Path, capsys: Any) -> None:
    outside, broken = tmp_path / "outside.zip", tmp_path / "broken.zip"
    with zipfile.ZipFile(outside, "w") as archive:
        archive.writestr("../../labels.json", '{"images": [{"id": 1, "file_name": "c0.png"}], "annotations": []}')
    assert said(plane, capsys, "import", str(outside), status=1)["error"]["code"] == "dataset.path_refused"
    assert said(plane, capsys, "import", str(tmp_path / "no.zip"), status=1)["error"]["message"].endswith(
        "no.zip: No such file or directory."
    )
    broken.write_bytes(outside.read_bytes()[:40])
    assert said(plane, capsys, "import", str(broken), status=1)["error"]["code"] == "review.labels_refused"
    assert said(plane, capsys, "stats")["states"]["waiting"] == 3


def test_label_studio_gets_predictions_and_gives_labels(plane: Running, tmp_path: Path, capsys: Any) -> None:
    token = tmp_path / "token"
    token.write_text("personal-token\n")
    with label_studio() as studio:
        words = ("--server", studio.url, "--project", "1", "--token-file", str(token))
        assert said(plane, capsys, "labelstudio", "push", *words) == {"tasks": 3}
        first = studio.tasks[1]["predictions"][0]
        assert (first["model_version"], first["result"][0]["value"]["rectanglelabels"]) == ("tags:3", ["scratch"])
        studio.finish(1, first["result"])  # as it was
        moved = json.loads(json.dumps(first["result"]))
        moved[0]["value"] |= {"x": 50, "rectanglelabels": ["dent"]}
        studio.finish(2, moved)
        assert said(plane, capsys, "labelstudio", "pull", *words)["answered"] == 2
        assert said(plane, capsys, "labelstudio", "pull", *words)["passed_over"] == 2
    labels = [said(plane, capsys, "show", name)["labels"] for name in ("c2", "c1", "c0")]
    assert [labels[0][0]["source"]["kind"], labels[1][0]["label"], labels[1][0]["x"], labels[2]] == [
        "model", "dent", 60, None
    ]  # fmt: skip


def test_label_studio_that_refuses_or_talks_nonsense(plane: Running, tmp_path: Path, capsys: Any) -> None:
    token = tmp_path / "token"
    token.write_text("another")
    with label_studio() as studio:
        words = ("--server", studio.url, "--project", "1", "--token-file", str(token))
        assert said(plane, capsys, "labelstudio", "pull", *words, status=1)["error"]["code"] == "labelstudio.refused"
        token.write_text("personal-token")
        studio.broken = b"<html>"
        assert said(plane, capsys, "labelstudio", "push", *words, status=1)["error"]["code"] == "labelstudio.refused"
        error = said(plane, capsys, "labelstudio", "pull", *words, status=1)["error"]["code"]
        assert error.startswith(("dataset.", "review."))
    away = ("--server", studio.url, "--project", "1", "--token-file", str(token))
    assert said(plane, capsys, "labelstudio", "pull", *away, status=1)["error"]["code"] == "labelstudio.unreachable"
