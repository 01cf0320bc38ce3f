"""Real log files as answers: of components as they printed them, of the agent as people read it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from lineside.agent.link.answers import AGENT, DeviceSources
from lineside.agent.paths import Paths
from lineside.agent.supervision.logs.agent_log import JsonLines
from lineside.agent.supervision.logs.files import rotate
from lineside.contract.errors import LinesideError
from lineside.contract.inquiry import CheckResult


def checks() -> Iterator[CheckResult]:
    yield CheckResult(name="disk", ok=True, sentence="There is room.")


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    (tmp_path / "logs").mkdir()
    return Paths(tmp_path)


@pytest.fixture
def sources(paths: Paths) -> DeviceSources:
    return DeviceSources(paths, "cell-1", checks)


def test_a_component_s_log_is_read_from_its_last_lines_on_and_over_rotation(paths, sources):
    log = paths.log("app")
    log.write_bytes(b"one\ntwo\nthree\n")
    reader = sources.log("app", 2)
    assert reader.read(1000) == b"two\nthree\n"
    assert reader.read(1000) == b""
    rotate(log)
    log.write_bytes(b"four\n")
    assert reader.read(1000) == b"four\n"
    reader.close()


@pytest.mark.parametrize("name", [None, "nothing", "../agent", ""])
def test_there_is_no_picture_of_what_runs_no_model(sources, name):
    with pytest.raises(LinesideError, match=r"inquiry\.no_picture"):
        sources.picture(name)


@pytest.mark.parametrize("name", ["nothing", "../agent", "", "a/b"])
def test_only_logs_that_exist_are_read(sources, name):
    with pytest.raises(LinesideError, match=r"inquiry\.no_log"):
        sources.log(name, 10)


def test_the_agent_s_own_log_is_shown_as_lines_for_people(paths, sources):
    handler = JsonLines(paths.log(AGENT))
    logger = logging.Logger("lineside.agent.run")
    logger.addHandler(handler)
    logger.warning("the disk\nis full")
    try:
        raise OSError(28, "No space left on device")
    except OSError:
        logger.exception("it failed")
    with paths.log(AGENT).open("ab") as log:
        log.write(b"not a record\n")
    reader = sources.log(None, 100)
    text = reader.read(10_000).decode()
    reader.close()
    first, *rest = text.splitlines()
    assert first.endswith("Z warning the disk")
    assert rest[0] == "is full"
    assert "Z error   it failed" in rest[1]
    assert "OSError: [Errno 28] No space left on device" in text
    assert text.endswith("not a record\n")


def test_an_agent_that_logged_nothing_yet_has_an_empty_log(sources):
    reader = sources.log(None, 100)
    assert reader.read(1000) == b""
    reader.close()
