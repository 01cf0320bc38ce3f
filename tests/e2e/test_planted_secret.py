"""A secret goes from a person to one component on one device, and is found nowhere else, whatever is looked at."""

from __future__ import annotations

import hashlib
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from lineside.contract.deployment import ComponentSpec, DeploymentDocument
from tests.e2e import planted, processes
from tests.e2e.plant import GROUP, Plant, Station
from tests.eventually import PATIENCE, eventually

pytest.importorskip("awsiot")
pytestmark = [pytest.mark.slow]

NAME = "com.example.Reader"
RECIPE = f"""
RecipeFormatVersion: 2020-01-25
ComponentName: {NAME}
ComponentVersion: 1.0.0
ComponentConfiguration:
  DefaultConfiguration:
    accessControl:
      aws.greengrass.SecretManager:
        {NAME}:secrets:1:
          operations: [aws.greengrass#GetSecretValue]
          resources: [line1/database, own]
Manifests:
  - Platform: {{os: linux}}
    Lifecycle: {{Run: '"$LINESIDE_PYTHON" -u {{artifacts:path}}/read.py {{work:path}}'}}
    Artifacts: [{{URI: s3://BUCKET_NAME/COMPONENT_NAME/COMPONENT_VERSION/read.py}}]
"""
READ = """
import hashlib, pathlib, sys, time
from awsiot.greengrasscoreipc.clientv2 import GreengrassCoreIPCClientV2
client, work = GreengrassCoreIPCClientV2(), pathlib.Path(sys.argv[1])
while True:
    for name in ("line1/database", "own"):
        try:
            found = client.get_secret_value(secret_id=name).secret_value.secret_string
            said = hashlib.sha256(found.encode()).hexdigest()
        except Exception as error:
            said = type(error).__name__
        print(name, said, flush=True)
        (work / name.replace("/", "-")).write_text(said)
    time.sleep(0.3)
"""
"""Says of each secret only what it hashes to."""


def value() -> str:
    """Long enough to be nowhere by chance, with signs that each encoding writes in another way."""
    return f'{secrets.token_urlsafe(24)} /+&=%ä"{secrets.token_urlsafe(12)}'


def fed(words: tuple[str, ...], text: str) -> None:
    """A command of ours that reads a value from standard input."""
    command = [sys.executable, "-m", *words]
    environment = processes.environment()
    done = subprocess.run(
        command, input=text.encode(), capture_output=True, timeout=PATIENCE, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert not planted.traces(done.stdout + done.stderr, [text])


def wait_read(station: Station, name: str, expected: str) -> None:
    file = station.root / "work" / NAME / name.replace("/", "-")
    eventually(lambda: file.exists() and file.read_text() == expected)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def asked(plant: Plant, *words: str) -> bytes:
    done = processes.run("lineside.cli", *words, "--root", str(plant.root))
    assert done.returncode in (0, 3), done.stderr
    return (done.stdout + done.stderr).encode()


def everything_said(plant: Plant, folder: Path) -> bytes:
    """All that people can be shown about it."""
    bundle = folder / "carried.bundle"
    status = processes.run("lineside.cli", "agent", "status", "--json", "--root", str(plant.stations[0].root))
    said = [
        asked(plant, "devices", "diagnose", "cell-1", "--json"),
        asked(plant, "devices", "logs", "cell-1", NAME, "-n", "200", "--json"),
        asked(plant, "devices", "logs", "cell-1", "-n", "200", "--json"),
        asked(plant, "devices", "show", "cell-1", "--json"),
        asked(plant, "secrets", "list", "--json"),
        asked(plant, "secrets", "show", "line1/database", "--json"),
        asked(plant, "events", "list", "--json"),
        asked(plant, "audit", "export", "--output", str(folder / "audit.jsonl")),
        asked(plant, "deployments", "bundle", "cell-1", "--output", str(bundle)),
        status.stdout.encode(),
    ]
    pages = ("/", "/secrets", "/secrets/details?name=line1/database", "/devices/cell-1", "/events", "/audit")
    return b"\0".join([*said, *(plant.page(page).encode() for page in pages)])


def test_a_planted_secret_is_found_nowhere(tmp_path: Path) -> None:
    first, second, own, unnamed = (value() for _ in range(4))
    values = [first, second, own, unnamed]
    with planted.Processes(values) as watched, Plant(tmp_path) as plant:
        station = plant.device("cell-1")
        set_here = ("lineside.cli", "secrets", "set", "--root", str(plant.root))
        fed((*set_here, "unnamed"), unnamed)
        fed((*set_here, "line1/database"), first)
        fed(("lineside.cli", "agent", "secret", "set", "own", "--root", str(station.root)), own)
        (tmp_path / "recipe.yaml").write_text(RECIPE)
        (tmp_path / "read.py").write_text(READ)
        asked(plant, "components", "add", str(tmp_path / "recipe.yaml"))
        plant.client.deploy(
            DeploymentDocument(group_name=GROUP, components={NAME: ComponentSpec(component_version="1.0.0")})
        )
        wait_read(station, "line1/database", digest(first))
        wait_read(station, "own", digest(own))
        fed((*set_here, "line1/database"), second)
        wait_read(station, "line1/database", digest(second))
        asked(plant, "secrets", "rotate-key")
        plant.kill()
        plant.start()
        said = everything_said(plant, tmp_path)
        assert planted.traces(said, values) == []
        assert planted.in_files(tmp_path, values) == []  # both roots while they are in use: databases, their logs
        plant.client.remove_secret("line1/database")
        wait_read(station, "line1/database", "ResourceNotFoundError")
        wait_read(station, "own", digest(own))
    assert planted.in_files(tmp_path, values) == []
    assert watched.found == set()
    assert len(watched.seen) > 20


def test_what_was_planted_would_be_found(tmp_path: Path) -> None:
    """However it is written down: else the test above shows nothing."""
    secret = value()
    for name, form in planted.forms(secret).items():
        (tmp_path / "root" / name).mkdir(parents=True)
        (tmp_path / "root" / name / "file").write_bytes(b"before" + form + b"after")
    found = planted.in_files(tmp_path, [secret])
    assert all(any(f"/{name}/file" in one for one in found) for name in planted.forms(secret))
    sleeper = [sys.executable, "-c", "import sys; sys.stdin.read()", secret]
    with planted.Processes([secret]) as watched:
        child = subprocess.Popen(sleeper, stdin=subprocess.PIPE)
        eventually(lambda: any(one.startswith(f"{child.pid} ") for one in watched.found))
        child.communicate()
