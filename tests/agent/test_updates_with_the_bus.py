"""Updates that components on the bus take part in: live configuration, validation, deferral."""

from __future__ import annotations

from pathlib import Path

from lineside.contract.deployment import ConfigurationUpdate, UpdatePolicy
from lineside.contract.reported import Phase
from tests.agent.agents import AgentProcess
from tests.agent.components import recipe
from tests.agent.control_plane import ControlPlane
from tests.eventually import PATIENCE, eventually

PREAMBLE = """
import sys, time
from lineside.agent.bus.client import Client
def say(*words):
    print(*words, flush=True)
say("begun")
"""

LISTENS = """
bus = Client(timeout=1000)
own = Client()
stream = bus.open("SubscribeToConfigurationUpdate", {})
say("listens")
for event in stream:
    say("heard", event["configurationUpdateEvent"]["keyPath"], own.call("GetConfiguration", {})["value"])
"""

VALIDATES = """
bus = Client(timeout=1000)
stream = bus.open("SubscribeToValidateConfigurationUpdates", {})
say("listens")
for event in stream:
    event = event["validateConfigurationUpdateEvent"]
    fine = event["configuration"].get("speed", 0) < 100
    report = {"status": "ACCEPTED" if fine else "REJECTED", "message": "too fast"}
    report["deploymentId"] = event["deploymentId"]
    Client().call("SendConfigurationValidityReport", {"configurationValidityReport": report})
"""

DEFERS = """
bus = Client(timeout=1000)
stream = bus.open("SubscribeToComponentUpdates", {})
say("listens")
for event in stream:
    if "preUpdateEvent" in event:
        say("asked")
        wait = 0 if MARK.exists() else 200
        request = {"deploymentId": event["preUpdateEvent"]["deploymentId"], "recheckAfterMs": wait}
        Client().call("DeferComponentUpdate", request)
    else:
        say("updated")
"""

UPDATES = """
own = Client()
own.call("UpdateConfiguration", {"keyPath": ["learned"], "timestamp": time.time(), "valueToMerge": {"exposure": 7}})
say("listens")
time.sleep(1000)
"""


def program(folder: Path, name: str, text: str) -> dict[str, object]:
    """A recipe whose component runs a Python program that talks to the bus."""
    file = folder / f"{name}.py"
    file.write_text(PREAMBLE + text)
    return recipe("app", configuration={"speed": 1}, Run=f'exec "$LINESIDE_PYTHON" -I {file}')


def begin(plane: ControlPlane, agent: AgentProcess, made: dict[str, object]) -> None:
    revision = plane.want(plane.release(made))
    agent.start()
    plane.wait_report(revision, Phase.HEALTHY)
    eventually(lambda: "listens" in log(agent))


def log(agent: AgentProcess) -> str:
    file = agent.paths.log("app")
    return file.read_text() if file.exists() else ""


def change(plane: ControlPlane, made: dict[str, object], **merge: object) -> int:
    return plane.want(plane.release(made, update=ConfigurationUpdate(merge=merge)))


def test_a_new_configuration_reaches_a_component_that_listens_without_a_restart(
    plane: ControlPlane, agent: AgentProcess, tmp_path: Path
) -> None:
    made = program(tmp_path, "listens", LISTENS)
    begin(plane, agent, made)
    before = agent.status().transferred_bytes
    plane.wait_report(change(plane, made, speed=5), Phase.HEALTHY)
    eventually(lambda: "heard" in log(agent))
    assert "'speed': 5" in log(agent)
    assert log(agent).count("begun") == 1
    assert agent.configuration("app") == {"speed": 5}
    assert agent.status().transferred_bytes == before
    agent.end()
    agent.start()  # and it is what the next start begins with
    eventually(lambda: log(agent).count("begun") == 2)
    assert agent.configuration("app") == {"speed": 5}


def test_a_configuration_that_a_component_refuses_changes_nothing(
    plane: ControlPlane, agent: AgentProcess, tmp_path: Path
) -> None:
    made = program(tmp_path, "validates", VALIDATES)
    begin(plane, agent, made)
    refused = change(plane, made, speed=500)
    report = plane.wait_report(refused, Phase.REFUSED)
    assert report.error is not None
    assert report.error.code == "deploy.configuration_refused"
    assert "too fast" in report.error.message
    assert agent.configuration("app") == {"speed": 1}
    assert log(agent).count("begun") == 1
    plane.wait_report(change(plane, made, speed=5), Phase.HEALTHY)
    assert agent.configuration("app") == {"speed": 5}


def test_a_component_puts_its_update_off_until_it_is_ready(
    plane: ControlPlane, agent: AgentProcess, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    text = f"from pathlib import Path\nMARK = Path({str(mark)!r})\n" + DEFERS
    begin(plane, agent, program(tmp_path, "defers", text))
    newer = recipe("app", "2.0.0")
    revision = plane.want(plane.release(newer), update_policy=UpdatePolicy(timeout_in_seconds=1000))
    eventually(lambda: log(agent).count("asked") >= 3)
    assert agent.status().components[0].version == "1.0.0"
    mark.touch()
    plane.wait_report(revision, Phase.HEALTHY)


def test_nobody_puts_an_update_off_for_longer_than_the_policy_says(
    plane: ControlPlane, agent: AgentProcess, tmp_path: Path
) -> None:
    text = f"from pathlib import Path\nMARK = Path({str(tmp_path / 'never')!r})\n" + DEFERS
    begin(plane, agent, program(tmp_path, "defers", text))
    revision = plane.want(plane.release(recipe("app", "2.0.0")), update_policy=UpdatePolicy(timeout_in_seconds=0.5))
    plane.wait_report(revision, Phase.HEALTHY)
    assert "asked" in log(agent)


def test_a_newer_revision_does_not_wait_for_a_component_that_puts_off_an_older_one(
    plane: ControlPlane, agent: AgentProcess, tmp_path: Path
) -> None:
    text = f"from pathlib import Path\nMARK = Path({str(tmp_path / 'never')!r})\n" + DEFERS
    begin(plane, agent, program(tmp_path, "defers", text))
    before = plane.document.components
    plane.want(plane.release(recipe("app", "2.0.0")), update_policy=UpdatePolicy(timeout_in_seconds=1000))
    eventually(lambda: "asked" in log(agent))
    report = plane.wait_report(plane.want(*before), Phase.HEALTHY)
    assert [one.version for one in report.running] == ["1.0.0"]
    assert log(agent).count("begun") == 1


def test_what_a_component_learned_survives_restarts_and_the_next_version(
    plane: ControlPlane, agent: AgentProcess, tmp_path: Path
) -> None:
    made = program(tmp_path, "updates", UPDATES)
    begin(plane, agent, made)
    learned = {"speed": 1, "learned": {"exposure": 7}}
    eventually(lambda: agent.configuration("app") == learned)
    assert log(agent).count("begun") == 1  # its own change restarts nothing
    agent.kill()
    agent.start()
    eventually(lambda: log(agent).count("begun") == 2)
    assert agent.configuration("app") == learned
    revision = plane.want(plane.release(recipe("app", "2.0.0", configuration={"speed": 2, "new": True})))
    plane.wait_report(revision, Phase.HEALTHY)
    assert agent.configuration("app") == learned | {"new": True}


def test_killed_in_the_middle_of_a_live_change_it_starts_with_the_new_configuration(
    plane: ControlPlane, agent: AgentProcess, tmp_path: Path
) -> None:
    made = program(tmp_path, "listens", LISTENS)
    revision = plane.want(plane.release(made))
    process = agent.start(crash_at="component.configured")
    plane.wait_report(revision, Phase.HEALTHY)
    eventually(lambda: "listens" in log(agent))
    revision = change(plane, made, speed=5)
    assert process.wait(PATIENCE) == 137
    agent.start()
    plane.wait_report(revision, Phase.HEALTHY)
    assert agent.configuration("app") == {"speed": 5}
