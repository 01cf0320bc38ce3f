"""A loop.yaml: read as it is written, and refused with the line that is wrong."""

from __future__ import annotations

import msgspec
import pytest

from lineside.contract.errors import LinesideError
from lineside.contract.gate import Level
from lineside.contract.ids import digest_of
from lineside.contract.loop import LoopDocument, changed, request_of
from lineside.contract.loop_yaml import read_loop
from lineside.contract.run import TRAIN_STEPS
from lineside.contract.run_order import arrange

WHOLE = """\
spec: lineside.loop/1
name: tags
dataset: tags@latest
init: weights.pth
parameters: {epochs: 30, turn: true}
gates:
  - {rule: minimum_map, limit: 0.4, level: WARN}
schedule: "0 3 * * 1-5"
triggers: {new_dataset: true}
steps:
  - name: report
    needs: [register]
    command: [echo, done]
  - name: count
    inputs: {model: optimize.variants}
    files: [count.py, lib]
    command: [python3, count.py]
"""


def test_a_whole_one_is_read_and_its_files_are_named_by_digest() -> None:
    document = read_loop(
        WHOLE,
        "loop.yaml",
        send=lambda path: digest_of(path.encode()),
        collect=lambda paths: {path: digest_of(path.encode()) for path in paths},
    )
    assert document.init == digest_of(b"weights.pth")
    assert (document.gates[0].level, document.triggers.new_dataset) == (Level.WARN, True)
    assert document.steps[1].files == {"count.py": digest_of(b"count.py"), "lib": digest_of(b"lib")}
    names = [step.name for step in arrange("train", document.steps)]
    assert names == ["collect", "split", "train", "evaluate", "optimize", "count", "register", "report"]
    request = request_of(document, "ds-1")
    assert (request.kind, request.model, request.loop, request.dataset) == ("train", "tags", "tags", "ds-1")


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("name: a\nseed: x\n", 2, "expected `int`, got `str`"),
        ("name: a\n\nparameter: {}\n", 3, "there is no field `parameter`"),
        ("name: a\nsteps:\n- name: b\n  comand: [ls]\n", 4, "there is no field `comand`"),
        ("name: a\nsteps:\n- name: b\n  command: [ls]\n- name: c\n  command: [1]\n", 6, "expected `str`, got `int`"),
        ("name: a\nsteps:\n- name: b\n  command: [ls]\n- name: c\n  needs: [z]\n  command: [ls]\n", 5, "no such step"),
        ("name: a\nsteps:\n- {name: b, command: [ls], python: 'a:b'}\n", 3, "one of command and python"),
        (
            "name: a\nsteps:\n- {name: b, needs: [c], command: [ls]}\n- {name: c, needs: [b], command: [ls]}\n",
            3,
            "never",
        ),
        ("name: a\nsteps:\n- {name: b, command: [ls], outputs: {x: ../y}}\n", 3, "leads out"),
        ("dataset: tags\n", 1, "missing required field `name`"),
        ("name: a\n b: [\n", 2, "mapping values"),
        ("a: &x 1\nname: *x\n", 2, "aliases are not read"),
        ("- 1\n", 1, "expected `object`, got `array`"),
        ("name: a\ndataset: d\ntargets: [toaster]\n", 1, "toaster"),
        ("", 1, "expected `object`, got `null`"),
        ("name: " + 70 * "[", 1, "nested deeper"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, line: int, why: str) -> None:
    with pytest.raises(LinesideError) as caught:
        read_loop(text, "loop.yaml")
    assert caught.value.code == "loop.unreadable"
    assert caught.value.message.startswith(f"loop.yaml, line {line}: ")
    assert why in caught.value.message.lower()


def test_settings_change_fields_parameters_and_those_of_steps() -> None:
    document = read_loop("name: a\ndataset: d\nsteps:\n- {name: b, command: [ls]}\n", "loop.yaml")
    other = changed(document, {"trainer": "yolox", "seed": 4, "epochs": 2, "steps.b.size": [1]})
    assert (other.trainer, other.seed, other.parameters) == ("yolox", 4, {"epochs": 2})
    assert other.steps[0].parameters == {"size": [1]}
    assert changed(document, {}) == document


def test_without_own_steps_the_order_is_the_built_in_one() -> None:
    steps = arrange("train")
    assert tuple(step.name for step in steps) == TRAIN_STEPS
    assert [step.needs for step in steps] == [(), *((name,) for name in TRAIN_STEPS[:-1])]
    with pytest.raises(LinesideError, match=r"run\.request_incomplete"):
        arrange("steps")


def test_a_document_is_the_same_after_its_travels() -> None:
    document = read_loop("name: a\ndataset: d\n", "loop.yaml")
    assert msgspec.json.decode(msgspec.json.encode(document), type=LoopDocument) == document
