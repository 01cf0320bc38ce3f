"""A component that brings its own wheels, deployed by a real agent."""

from __future__ import annotations

from lineside.contract.desired import DesiredComponent
from lineside.contract.reported import Phase
from tests.agent.agents import AgentProcess
from tests.agent.control_plane import ControlPlane
from tests.agent.wheels import files_of, recipe_with, wheel
from tests.eventually import eventually

SCRIPT = 'tiny-speak > spoken; "$LINESIDE_PYTHON" -c "import tiny; tiny.main()" >> spoken; exec sleep 1000'


def released(plane: ControlPlane, files: dict[str, bytes], version: str = "1.0.0") -> DesiredComponent:
    for data in files.values():
        plane.add_blob(data)
    return plane.release(recipe_with(files, version, Run=SCRIPT))


def test_its_commands_and_its_python_are_its_own(plane: ControlPlane, agent: AgentProcess) -> None:
    revision = plane.want(released(plane, files_of(wheel(script="tiny-speak"))))
    agent.start()
    plane.wait_report(revision, Phase.HEALTHY)
    spoken = agent.paths.work("app") / "spoken"
    eventually(lambda: spoken.exists() and spoken.read_text() == "tiny speaks\ntiny speaks\n")
    agent.kill()
    (module,) = agent.paths.environments.rglob("tiny/__init__.py")
    module.write_text("raise SystemExit('damaged')\n")
    spoken.unlink()
    agent.start()
    eventually(lambda: spoken.exists() and spoken.read_text() == "tiny speaks\ntiny speaks\n")


def test_a_wheel_that_is_not_the_one_required_is_not_tried(plane: ControlPlane, agent: AgentProcess) -> None:
    good = plane.want(released(plane, files_of(wheel(script="tiny-speak"))))
    agent.start()
    plane.wait_report(good, Phase.HEALTHY)
    text = b"tiny==1.0 --hash=sha256:" + b"0" * 64
    bad = plane.want(released(plane, files_of(wheel(script="tiny-speak"), text=text), "2.0.0"))
    report = plane.wait_report(bad, Phase.REFUSED, Phase.FAILED, Phase.ROLLED_BACK)
    assert report.error is not None
    assert report.error.code == "environment.hash_mismatch"
    assert [(one.name, one.version) for one in report.running] == [("app", "1.0.0")]
