"""deploy/: pinned, healthy, without secrets in it, and with settings that exist."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml

from lineside.cli.mosquitto import Site, access_list, configuration, refresh_script
from lineside.server.broker_setup import mqtt_address
from lineside.server.object_setup import read_url
from lineside.server.settings import table

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def test_the_four_parts_are_there() -> None:
    assert {"control-plane", "postgres", "objects", "mosquitto"} <= set(SERVICES)


@pytest.mark.parametrize("name", SERVICES)
def test_versions_are_pinned(name: str) -> None:
    service = SERVICES[name]
    if "build" in service:
        base = re.search(r"^FROM python:(\S+)", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
        assert base is not None
        assert re.fullmatch(r"\d+\.\d+\.\d+-\S+", base[1])
    else:
        assert re.fullmatch(r"[a-z/-]+:\d+\.\d+(\.\d+)?", service["image"]), service["image"]


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_service_names_is_there(name: str) -> None:
    service = SERVICES[name]
    for volume in service.get("volumes", ()):
        assert volume.split(":")[0] in COMPOSE["volumes"]
    for secret in service.get("secrets", ()):
        assert COMPOSE["secrets"][secret]["file"].startswith("secrets/")
    for other, how in service.get("depends_on", {}).items():
        assert how == {"condition": "service_healthy"}
        assert "healthcheck" in SERVICES[other]
    if name != "revocations":
        assert service["healthcheck"]["test"]


def test_no_secret_stands_in_the_file() -> None:
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            assert not re.search(r"PASSWORD|SECRET|TOKEN", name) or name.endswith("_FILE"), name
            assert not re.search(r"//[^/@]*:[^/@]*@", str(value)), name
    assert "secrets/" in (DEPLOY / ".gitignore").read_text()


def test_the_control_planes_settings_exist_and_can_be_read() -> None:
    environment = SERVICES["control-plane"]["environment"]
    assert set(environment) <= {row.env for row in table()}
    assert mqtt_address(environment["LINESIDE_MQTT_URL"].replace("${LINESIDE_NAME}", "plant.test"))[1] == 8883
    bucket, prefix, config = read_url(environment["LINESIDE_OBJECTS_URL"])
    assert (bucket, prefix, config["endpoint"]) == ("lineside", "objects", "http://objects:8333")


def test_the_configuration_of_mosquitto_is_what_the_command_writes() -> None:
    site = Site(
        at=PurePosixPath("/etc/mosquitto/lineside"),
        port=8883,
        crl_url="https://plant.example.com:8443/device/v1/crl",
        own=("factory/#",),
    )
    found = {name: (DEPLOY / "mosquitto" / name).read_text() for name in ("mosquitto.conf", "acl", "refresh-crl.sh")}
    assert found == {
        "mosquitto.conf": configuration(site),
        "acl": access_list(site),
        "refresh-crl.sh": refresh_script(site),
    }
