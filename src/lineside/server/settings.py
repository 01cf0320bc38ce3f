"""Settings: one table with default, unit and meaning; it feeds environment, command line and reference page.

`--device-port 9443` beats `LINESIDE_DEVICE_PORT=9443`, which beats the default.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from lineside.contract.errors import LinesideError

PREFIX = "LINESIDE_"


def _setting(default: Any, unit: str, meaning: str) -> Any:
    return dataclasses.field(default=default, metadata={"unit": unit, "meaning": meaning})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the control plane can be told. Add a row here and nowhere else."""

    host: str = _setting(
        "127.0.0.1",
        "address",
        "Where the people's API and the pages listen; anything but loopback needs TLS and somebody with a password.",
    )
    port: int = _setting(8400, "TCP port", "Port of the people's API and the pages.")
    device_host: str = _setting(
        "127.0.0.1", "address", "Where the devices' API and the MQTT broker listen; 0.0.0.0 lets other machines in."
    )
    device_port: int = _setting(8443, "TCP port", "Port of the devices' API (HTTPS).")
    mqtt_port: int = _setting(8883, "TCP port", "Port of the embedded MQTT broker (TLS).")
    mqtt_url: str = _setting(
        "", "mqtts://HOST:PORT", "An MQTT broker to use in place of the embedded one, as devices reach it too."
    )
    mqtt_ca: str = _setting(
        "", "file", "PEM file of the CA that the broker's certificate comes from; empty: the control plane's own."
    )
    device_name: str = _setting(
        "", "host name", "Name or address devices reach this machine by; empty means 127.0.0.1 or this host's name."
    )
    database_url: str = _setting("", "SQLAlchemy URL", "The database; empty means SQLite in the root.")
    objects_url: str = _setting(
        "",
        "s3://BUCKET/PREFIX?endpoint=URL&region=NAME",
        "Where images, models and artifacts are kept; empty means files in the root.",
    )
    objects_credentials: str = _setting(
        "", "file", "File with the keys for objects_url, as AWS's tools write it; empty: the environment."
    )
    worker: str = _setting(
        "auto",
        "auto, off or command",
        "The pipeline worker beside the control plane: ours, none, or a command to run instead.",
    )
    poll_seconds: float = _setting(30.0, "s", "How often a device asks for its desired document.")
    soak_seconds: float = _setting(5.0, "s", "How long every component must be ready before a device is healthy.")
    twin_soak_seconds: float = _setting(
        3.0, "s", "How long a model must run on its twins without a crash before it is measured there."
    )
    twin_stage_seconds: float = _setting(
        1800.0, "s", "How long one stage of a twin test may take before the test has failed."
    )
    offline_polls: float = _setting(4.0, "polls", "After how many missed polls a device is shown as offline.")
    offline_seconds: float = _setting(15.0, "s", "A device is never shown as offline before this much silence.")
    access_token_seconds: int = _setting(600, "s", "How long a device's access token is good for.")
    clock_leeway_seconds: int = _setting(60, "s", "How wrong a device's clock may be when it signs an assertion.")
    certificate_days: float = _setting(90.0, "days", "How long a device's certificate is good for.")
    pending_devices: int = _setting(
        100, "devices", "How many devices may wait to be accepted; 0 lets none ask without a token."
    )
    request_bytes: int = _setting(32 << 20, "B", "Largest JSON request.")
    blob_bytes: int = _setting(4 << 30, "B", "Largest blob or capture that may be uploaded.")
    capture_bytes: int = _setting(32 << 20, "B", "Largest image a device may send as a capture.")
    captures_per_day: int = _setting(2000, "captures", "How many captures one device may announce within 24 hours.")
    export_bytes: int = _setting(256 << 20, "B", "Largest file that a device's components may export.")
    exports_per_day: int = _setting(2000, "exports", "How many exports one device may announce within 24 hours.")
    direct_uploads: str = _setting(
        "auto",
        "auto, on or off",
        "Whether devices put captures into the bucket of objects_url themselves; auto means where it speaks https.",
    )
    ticket_seconds: int = _setting(900, "s", "How long an upload ticket is good for.")
    results_kept: int = _setting(20_000, "results", "How many results are kept of one device; older ones are dropped.")
    log_bytes: int = _setting(10 << 20, "B", "Size at which a log file is put aside; one older file is kept.")
    four_eyes: str = _setting(
        "auto",
        "auto, on or off",
        "Whether who started a run may not be the only one to approve its model; auto means in offline trust.",
    )
    tls: str = _setting(
        "",
        "own",
        "`own`: people's API speaks TLS with a certificate of the control plane's own CA; empty: see tls_cert.",
    )
    tls_cert: str = _setting("", "file", "PEM file of the certificate (and chain) that people's API speaks TLS with.")
    tls_key: str = _setting("", "file", "PEM file of its private key, without a passphrase.")
    people_names: str = _setting(
        "", "names", "Names and addresses people reach the pages by, comma-separated; the first stands in links."
    )
    password_rounds: int = _setting(3, "passes", "Passes of argon2id over a password (RFC 9106, t).")
    password_memory_kib: int = _setting(65536, "KiB", "Memory that argon2id takes for a password (RFC 9106, m).")
    password_lanes: int = _setting(4, "lanes", "Lanes of argon2id (RFC 9106, p).")
    session_idle_seconds: int = _setting(14_400, "s", "A browser that asks nothing for so long is signed out.")
    session_seconds: int = _setting(604_800, "s", "How long somebody stays signed in at most.")
    link_seconds: int = _setting(86_400, "s", "How long a one-time link is good for.")
    token_seconds: int = _setting(31_622_400, "s", "How long an API token of a person may be good for at most.")
    oidc_issuer: str = _setting("", "https URL", "The OpenID provider that people may sign in with; empty means none.")
    oidc_client_id: str = _setting("", "id", "What the OpenID provider calls this control plane.")
    oidc_secret_file: str = _setting("", "file", "File with the client secret; empty means a public client.")
    oidc_ca: str = _setting(
        "", "file", "PEM file of the CA that the provider's certificate comes from; empty: the usual."
    )
    oidc_scopes: str = _setting("openid profile email", "words", "Scopes that are asked of the OpenID provider.")
    oidc_name_claim: str = _setting("preferred_username", "claim", "The claim that holds a person's name.")
    oidc_roles_claim: str = _setting("groups", "claim", "The claim that holds a person's groups.")
    oidc_roles: str = _setting("", "GROUP=ROLE, …", "Which role each group gives: line-leads=operator, it=admin.")

    @property
    def silence_seconds(self) -> float:
        """How long a device may be silent before it is offline."""
        return max(self.poll_seconds * self.offline_polls, self.offline_seconds)


@dataclass(frozen=True)
class Row:
    """One setting as the reference page shows it."""

    name: str
    flag: str
    env: str
    default: str
    unit: str
    meaning: str


def table() -> tuple[Row, ...]:
    """Every setting, in the order of the table."""
    return tuple(
        Row(
            name=field.name,
            flag="--" + field.name.replace("_", "-"),
            env=PREFIX + field.name.upper(),
            default=str(field.default),
            unit=field.metadata["unit"],
            meaning=field.metadata["meaning"],
        )
        for field in dataclasses.fields(Settings)
    )


def given(flags: Mapping[str, str | None], environment: Mapping[str, str]) -> dict[str, str]:
    """The settings that were given by hand, by name: by flag (None: not), else by the environment."""
    found: dict[str, str] = {}
    for row in table():
        value = flags.get(row.name)
        value = environment.get(row.env) if value is None else value
        if value is not None:
            found[row.name] = value
    return found


def load(values: Mapping[str, str]) -> Settings:
    """The settings with `values` in place of defaults. Raises `start.setting_invalid`."""
    try:
        return msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise LinesideError("start.setting_invalid", why=error) from error
