"""A person's own component, end to end: added, run by a real agent, watched through its logs, diagnosed, carried."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import msgspec

from lineside.contract.deployment import ComponentSpec, ConfigurationUpdate, DeploymentDocument
from lineside.contract.inquiry import CheckResult
from tests.e2e import processes
from tests.e2e.plant import GROUP, Plant, Station
from tests.eventually import PATIENCE, eventually

NAME = "com.example.Counter"
RECIPE = f"""
RecipeFormatVersion: 2020-01-25
ComponentName: {NAME}
ComponentVersion: 1.0.0
ComponentConfiguration: {{DefaultConfiguration: {{Word: counted}}}}
ComponentDependencies: {{aws.greengrass.Nucleus: {{VersionRequirement: ^2.0.0, DependencyType: SOFT}}}}
Manifests:
  - Platform: {{os: linux}}
    Lifecycle: {{Run: '"$LINESIDE_PYTHON" -u {{artifacts:path}}/count.py {{configuration:/Word}}'}}
    Artifacts: [{{URI: s3://BUCKET_NAME/COMPONENT_NAME/COMPONENT_VERSION/count.py}}]
"""
COUNT = """
import sys, time
for number in range(10_000_000):
    print(sys.argv[1], number, flush=True)
    time.sleep(0.2)
"""


def command(plant: Plant, *words: str) -> subprocess.CompletedProcess[str]:
    return processes.run("lineside.cli", *words, "--root", str(plant.root))


def added(plant: Plant, folder: Path) -> None:
    """`components add`, then a deployment with a configuration of its own."""
    (folder / "recipe.yaml").write_text(RECIPE)
    (folder / "count.py").write_text(COUNT)
    done = command(plant, "components", "add", str(folder / "recipe.yaml"))
    assert done.returncode == 0, done.stderr
    spec = ComponentSpec(component_version="1.0.0", configuration_update=ConfigurationUpdate(merge={"Word": "looked"}))
    plant.client.deploy(DeploymentDocument(group_name=GROUP, components={NAME: spec}))


def wait_healthy(plant: Plant, station: Station) -> None:
    eventually(lambda: plant.shown(station).healthy)


def test_a_component_of_ones_own_runs_and_is_seen_from_afar(tmp_path: Path) -> None:
    with Plant(tmp_path) as plant:
        station = plant.device("cell-1")
        added(plant, tmp_path)
        wait_healthy(plant, station)
        _follow(plant)
        tail = msgspec.json.decode(command(plant, "devices", "logs", "cell-1", NAME, "-n", "3", "--json").stdout)
        assert len(tail["text"].splitlines()) == 3
        own = command(plant, "devices", "logs", "cell-1")
        assert (own.returncode, own.stderr) == (0, "")
        unknown = command(plant, "devices", "logs", "cell-1", "nothing")
        assert unknown.returncode == 1
        assert "cell-1 has no log of a component named nothing" in unknown.stderr
        found = command(plant, "devices", "diagnose", "cell-1", "--json")
        assert found.returncode in (0, 3), found.stderr
        checks = msgspec.json.decode(found.stdout, type=list[CheckResult])
        assert {"disk", "clock"} <= {check.name for check in checks}
        shown = command(plant, "devices", "show", "cell-1")
        assert "RUNNING" in shown.stdout
        (use,) = plant.client.component(NAME, "1.0.0").uses
        assert (use.device, use.wanted, use.state) == ("cell-1", True, "RUNNING")


def _follow(plant: Plant) -> None:
    """What it prints comes while it prints, and Ctrl-C ends it."""
    words = ("devices", "logs", "cell-1", NAME, "--follow", "--lines", "1", "--root", str(plant.root))
    with subprocess.Popen([sys.executable, "-m", "lineside.cli", *words], stdout=subprocess.PIPE, text=True) as tail:
        assert tail.stdout is not None
        lines = [tail.stdout.readline() for _ in range(8)]
        tail.send_signal(signal.SIGINT)
        tail.communicate(timeout=PATIENCE)
    numbers = [int(line.removeprefix("looked ")) for line in lines]
    assert numbers == list(range(numbers[0], numbers[0] + 8))
    assert tail.returncode == 130


def test_what_a_group_should_run_is_carried_to_a_device_by_hand(tmp_path: Path) -> None:
    with Plant(tmp_path) as plant:
        carried = Station(tmp_path, "cell-2")
        assert carried.join(plant.token()).returncode == 0
        added(plant, tmp_path)
        file = tmp_path / "stick.zip"
        eventually(lambda: plant.client.device("cell-2").desired_revision > 0)
        done = command(plant, "deployments", "bundle", "cell-2", "-o", str(file))
        assert done.returncode == 0, done.stderr
        plant.stop()
        plant.stations.append(carried)
        carried.start()
        taken = processes.run("lineside.cli", "agent", "import", str(file), "--root", str(carried.root))
        assert taken.returncode == 0, taken.stdout + taken.stderr
        log = carried.root / "logs" / f"{NAME}.log"
        eventually(lambda: log.exists() and "looked 3" in log.read_text())
