"""A component's own wheels, installed offline: what is pinned is what is there, and nothing is ever half there."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import pytest

from lineside.agent.attention import Attention, Superseded
from lineside.agent.paths import Paths
from lineside.agent.updating import environments, packages
from lineside.agent.updating.requirements import Requirement, read_requirements, wheels_of
from lineside.agent.updating.store import Store
from lineside.contract.errors import LinesideError
from lineside.contract.recipes.reader import read_recipe
from lineside.contract.recipes.recipe import Recipe
from tests.agent.wheels import Wheel, files_of, recipe_with, requirements, wheel
from tests.eventually import eventually

HERE = {"os": "linux", "architecture": "amd64"}
TINY = wheel(script="tiny-speak")


class Device:
    """A store and package directories below one root."""

    def __init__(self, root: Path) -> None:
        self.paths = Paths(root)
        self.store = Store(self.paths.store)

    def recipe(self, files: dict[str, bytes], version: str = "1.0.0") -> Recipe:
        for data in files.values():
            self.store.put(data)
        return read_recipe(msgspec.json.encode(recipe_with(files, version)), HERE)

    def stage(self, recipe: Recipe, attention: Attention | None = None) -> None:
        packages.stage(recipe, self.store, self.paths, attention)

    def python(self, recipe: Recipe, code: str) -> str:
        """What the environment's Python prints."""
        python = environments.python_of(recipe, self.paths)
        assert python is not None
        return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Device:
    """With an index that would fail every test that asked it."""
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple")
    monkeypatch.setenv("PIP_REQUIRE_VIRTUALENV", "1")
    return Device(tmp_path / "root")


# --- good ones --------------------------------------------------------------------------------------------------------


def test_wheels_are_installed_with_their_commands_and_apart_from_the_agents(device: Device) -> None:
    recipe = device.recipe(files_of(TINY))
    device.stage(recipe)
    assert device.python(recipe, "import tiny; tiny.main()") == "tiny speaks"
    assert device.python(recipe, "import importlib.util as u; print(u.find_spec('msgspec'), u.find_spec('pip'))") == (
        "None None"
    )
    found = environments.variables(recipe, device.paths, "/usr/bin:/bin")
    assert subprocess.run(["/bin/sh", "-c", "tiny-speak"], env=found, capture_output=True, check=True).stdout == (
        b"tiny speaks\n"
    )
    assert found["LINESIDE_PYTHON"] == str(environments.python_of(recipe, device.paths))
    assert packages.intact(recipe, device.store, device.paths)


def test_a_component_without_wheels_uses_the_agents_python(device: Device) -> None:
    for files in ({}, {"requirements.txt": b"requests\n"}, {TINY.name: TINY.data}):
        recipe = device.recipe(files)
        device.stage(recipe)
        assert environments.python_of(recipe, device.paths) is None
        assert environments.variables(recipe, device.paths, "/bin") == {}
        assert packages.intact(recipe, device.store, device.paths)
    assert not device.paths.environments.exists()


def test_what_is_there_is_left_alone(device: Device) -> None:
    recipe = device.recipe(files_of(TINY))
    device.stage(recipe)
    place = environments.directory(recipe, device.paths)
    before = place.stat().st_ino, (place / "complete.json").stat().st_mtime_ns
    device.stage(recipe)
    assert (place.stat().st_ino, (place / "complete.json").stat().st_mtime_ns) == before


def test_other_wheels_for_the_same_version_are_built_beside_what_runs(device: Device) -> None:
    first = device.recipe(files_of(TINY))
    device.stage(first)
    second = device.recipe(files_of(wheel(source="def main() -> None:\n    print('new')\n")))
    device.stage(second)
    assert device.python(first, "import tiny; tiny.main()") == "tiny speaks"
    assert device.python(second, "import tiny; tiny.main()") == "new"


def test_a_wheel_is_chosen_for_this_device_among_others(device: Device) -> None:
    other = wheel(tag="cp39-cp39-win_amd64", source="def main(): 1/0\n")
    text = requirements(TINY).replace(b"\n    # via", f" --hash=sha256:{other.sha256}\n    # via".encode())
    recipe = device.recipe(files_of(TINY, other, text=text))
    device.stage(recipe)
    assert device.python(recipe, "import tiny; tiny.main()") == "tiny speaks"


def test_a_requirement_for_another_platform_needs_no_wheel(device: Device) -> None:
    text = requirements(TINY) + b'colorama==0.4.6 ; sys_platform == "win32" --hash=sha256:' + b"0" * 64 + b"\n"
    device.stage(device.recipe(files_of(TINY, text=text)))


def test_pip_that_came_with_python_will_do(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    find = environments.importlib.util.find_spec
    monkeypatch.setattr(environments.importlib.util, "find_spec", lambda name: None if name == "pip" else find(name))
    if not environments.pip()[0].endswith(".whl/pip"):
        pytest.skip("this Python came without one")
    recipe = device.recipe(files_of(TINY))
    device.stage(recipe)
    assert device.python(recipe, "import tiny; tiny.main()") == "tiny speaks"


# --- refusals ---------------------------------------------------------------------------------------------------------

HASH = "--hash=sha256:" + "0" * 64
REFUSED = {
    "no hash": (files_of(TINY, text=b"tiny==1.0\n"), "environment.not_pinned"),
    "another kind of hash": (files_of(TINY, text=b"tiny==1.0 --hash=md5:abcd\n"), "environment.not_pinned"),
    "a wrong hash": (files_of(TINY, text=f"tiny==1.0 {HASH}\n".encode()), "environment.hash_mismatch"),
    "no wheel": (files_of(TINY, text=f"other==1.0 {HASH}\n".encode()), "environment.no_wheel"),
    "another version": (files_of(TINY, text=f"tiny==2.0 {HASH}\n".encode()), "environment.no_wheel"),
    "another platform": (files_of(wheel(tag="cp39-cp39-win_amd64")), "environment.no_wheel"),
    "a range": (files_of(TINY, text=f"tiny>=1.0 {HASH}\n".encode()), "environment.requirement"),
    "an index": (files_of(TINY, text=b"--index-url http://127.0.0.1:1/\n"), "environment.requirement"),
    "another file": (files_of(TINY, text=b"-r /etc/passwd\n"), "environment.requirement"),
    "a url": (files_of(TINY, text=b"tiny @ http://127.0.0.1:1/tiny.whl\n"), "environment.requirement"),
    "an editable folder": (files_of(TINY, text=b"-e .\n"), "environment.requirement"),
    "a variable": (files_of(TINY, text=b"${TINY}==1.0\n"), "environment.requirement"),
    "no text": (files_of(TINY, text=b"\xff\xfe"), "environment.requirement"),
    "no zip": (files_of(Wheel(TINY.name, b"nothing")), "environment.failed"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_and_what_was_there_is_still_there(device: Device, case: str) -> None:
    before = device.recipe(files_of(TINY))
    device.stage(before)
    files, code = REFUSED[case]
    recipe = device.recipe(files)
    with pytest.raises(LinesideError) as caught:
        device.stage(recipe)
    assert caught.value.code == code
    assert environments.python_of(recipe, device.paths) != environments.python_of(before, device.paths)
    assert not environments.intact(recipe, device.paths)
    assert packages.intact(before, device.store, device.paths)


def test_a_wheel_that_says_too_much_of_itself_finds_no_room(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environments, "free_bytes", lambda path: environments.RESERVE + 100)
    with pytest.raises(LinesideError, match=r"store\.no_space"):
        device.stage(device.recipe(files_of(TINY)))


# --- whenever it stops ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", ["change", "remove", "truncate", "marker", "python"])
def test_damage_is_noticed_and_repaired(device: Device, damage: str) -> None:
    recipe = device.recipe(files_of(TINY))
    device.stage(recipe)
    place = environments.directory(recipe, device.paths)
    (module,) = place.rglob("tiny/__init__.py")
    if damage == "change":
        module.write_text("def main():\n    print('evil speaks')\n")
    elif damage == "remove":
        module.unlink()
    elif damage == "truncate":
        next(place.rglob("__pycache__/*.pyc")).write_bytes(b"")
    else:
        (place / {"marker": "complete.json", "python": "bin/python"}[damage]).unlink()
    assert not packages.intact(recipe, device.store, device.paths)
    device.stage(recipe)
    assert packages.intact(recipe, device.store, device.paths)
    assert device.python(recipe, "import tiny; tiny.main()") == "tiny speaks"


KILLED = """
import sys, os, signal
from pathlib import Path
from lineside.agent.paths import Paths
from lineside.agent.updating import environments
from lineside.contract.recipes.reader import read_recipe
stage = sys.argv[2]
real = getattr(environments, stage)
def dies(*arguments, **named):
    if stage == "_run" and "venv" in arguments[0]:
        return real(*arguments, **named)
    if stage != "_run":
        real(*arguments, **named)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(environments, stage, dies)
root = Path(sys.argv[1])
recipe = read_recipe((root / "recipe.json").read_bytes(), {"os": "linux", "architecture": "amd64"})
environments.build(recipe, root / "files", Paths(root))
"""


@pytest.mark.parametrize("stage", ["_check_space", "_run", "_make", "_listing"])
def test_killed_while_it_is_made(tmp_path: Path, stage: str) -> None:
    device = Device(tmp_path)
    files = files_of(TINY)
    (tmp_path / "files").mkdir()
    for name, data in files.items():
        (tmp_path / "files" / name).write_bytes(data)
    (tmp_path / "recipe.json").write_bytes(msgspec.json.encode(recipe_with(files)))
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), stage], check=False)
    assert done.returncode == -signal.SIGKILL
    recipe = device.recipe(files)
    assert not environments.intact(recipe, device.paths)
    assert set(packages.installed(device.paths)) == {("app", "1.0.0")}
    device.stage(recipe)
    assert device.python(recipe, "import tiny; tiny.main()") == "tiny speaks"


def test_broken_off_when_something_newer_is_wanted(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = device.paths.root / "slow.py"
    slow.write_text(f"import time\nopen({str(slow)!r} + '.runs', 'w').close()\ntime.sleep(1000)\n")
    monkeypatch.setattr(environments, "pip", lambda: [str(slow)])
    attention = Attention()
    begun = slow.with_name("slow.py.runs")
    newer = threading.Thread(target=lambda: (eventually(begun.exists), attention.newer()))
    newer.start()
    recipe = device.recipe(files_of(TINY))
    with pytest.raises(Superseded):
        device.stage(recipe, attention)
    newer.join()
    assert not environments.intact(recipe, device.paths)


def test_removed_with_its_package(device: Device) -> None:
    for version in ("1.0.0", "2.0.0"):
        device.stage(device.recipe(files_of(TINY), version))
    packages.remove(device.paths, "app", "1.0.0")
    assert set(packages.installed(device.paths)) == {("app", "2.0.0")}
    assert environments.intact(device.recipe(files_of(TINY), "2.0.0"), device.paths)
    packages.remove(device.paths, "app", "2.0.0")
    assert not any(device.paths.environments.iterdir())


# --- requirements.txt -------------------------------------------------------------------------------------------------


def test_what_pip_compile_writes_is_read() -> None:
    text = f"""\
#
# This file is autogenerated by pip-compile with Python 3.11
#
certifi==2025.1.31 \\
    --hash=sha256:{"a" * 64} \\
    --hash=sha256:{"b" * 64}
    # via requests
requests[socks,security]==2.32.3 ; python_version >= "3.9" and sys_platform != "win32" \\
    --hash=sha256:{"c" * 64}
zope.interface==7.2+local.1 --hash=sha256:{"d" * 64}  # a comment
"""
    assert read_requirements("app", text.encode()) == [
        Requirement(name="certifi", version="2025.1.31", hashes=frozenset({"a" * 64, "b" * 64})),
        Requirement(name="requests", version="2.32.3", hashes=frozenset({"c" * 64})),
        Requirement(name="zope.interface", version="7.2+local.1", hashes=frozenset({"d" * 64})),
    ]


@pytest.mark.parametrize(
    ("pin", "file"),
    [
        ("Zope.Interface==7.2", "zope_interface-7.2-cp311-cp311-manylinux_2_17_x86_64.whl"),
        ("torch==2.0+cpu", "torch-2.0.0+cpu-py3-none-any.whl"),
        ("x==1", "x-1.0-1-py3-none-any.whl"),
    ],
)
def test_wheels_are_found_by_their_names(pin: str, file: str) -> None:
    name, version = pin.split("==")
    requirement = Requirement(name=name, version=version, hashes=frozenset())
    assert wheels_of(requirement, [file, "other-7.2-py3-none-any.whl"]) == [file]
