"""PostgreSQL, Mosquitto and S3 together, by three URLs: a device joins, fetches an artifact and publishes results."""

from __future__ import annotations

import tempfile
from pathlib import Path

import obstore
import pytest

from lineside.cli.main import main
from lineside.contract.ids import digest_of
from lineside.server.testing import free_socket
from tests.e2e.plant import Plant
from tests.e2e.test_own_components import COUNT, added, wait_healthy
from tests.eventually import eventually
from tests.network.storm import Camera
from tests.server import postgresql
from tests.server.adapters.seaweed import KEY, SECRET, program, seaweed
from tests.server.test_external_broker_process import mosquitto

pytestmark = [
    pytest.mark.slow,
    pytest.mark.mosquitto,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),  # sockets of paho
]


def test_a_device_of_a_plant_on_real_engines(tmp_path: Path) -> None:
    bin_folder = postgresql.programs()
    if bin_folder is None or program() is None:
        pytest.skip("PostgreSQL or SeaweedFS is not installed; see .ci/run")
    with (
        free_socket() as probe,
        tempfile.TemporaryDirectory(prefix="ls-pg-") as short,
        postgresql.server(bin_folder, Path(short)) as server,
        seaweed(tmp_path / "s3") as s3,
    ):
        Path(short).chmod(0o755)
        port = probe.getsockname()[1]
        probe.close()
        keys = tmp_path / "keys"
        keys.write_text(f"[default]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n")
        settings = ("--database-url", postgresql.Databases(server).empty(), "--mqtt-url", f"mqtts://127.0.0.1:{port}")
        bucket = ("--objects-url", s3.url("plant"), "--objects-credentials", str(keys))
        with Plant(tmp_path / "plant", "--worker", "off", *settings, *bucket) as plant:
            _with_a_broker(plant, tmp_path, port)
        stored = [one["path"] for one in obstore.list(s3.store(), "plant").collect()]
        assert any(path.endswith(digest_of(COUNT.encode()).removeprefix("sha256:")) for path in stored)
        assert not (plant.root / "objects").exists()


def _with_a_broker(plant: Plant, folder: Path, port: int) -> None:
    out = folder / "mosquitto"
    command = ["broker", "config", "mosquitto", "--out", str(out), "--host", "127.0.0.1", "--port", str(port)]
    assert main([*command, "--root", str(plant.root)]) == 0
    with mosquitto(out):
        eventually(lambda: plant.client.broker().problem is None)
        station = plant.device("cell-1")
        added(plant, folder)
        wait_healthy(plant, station)
        camera = Camera(station, "127.0.0.1", port)
        try:
            camera.see(100)
            eventually(lambda: plant.client.results(device="cell-1", limit=1).total == 100)
        finally:
            camera.close()
