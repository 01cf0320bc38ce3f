"""Settings: one table; flag before environment before default."""

from __future__ import annotations

import dataclasses

import pytest

from lineside.contract.errors import LinesideError
from lineside.server.settings import Settings, given, load, table


def test_every_setting_has_a_unit_a_meaning_and_its_names() -> None:
    rows = table()
    assert [row.name for row in rows] == [field.name for field in dataclasses.fields(Settings)]
    for row in rows:
        assert row.unit
        assert row.meaning.endswith(".")
    port = next(row for row in rows if row.name == "device_port")
    assert (port.flag, port.env, port.default) == ("--device-port", "LINESIDE_DEVICE_PORT", "8443")


def test_which_word_counts() -> None:
    environment = {"LINESIDE_PORT": "9000", "LINESIDE_POLL_SECONDS": "1.5", "LINESIDE_OTHER": "x"}
    asked = given({"port": "9001", "mqtt_port": None}, environment)
    assert asked == {"port": "9001", "poll_seconds": "1.5"}
    assert load(asked) == Settings(port=9001, poll_seconds=1.5)


def test_nonsense_is_refused() -> None:
    with pytest.raises(LinesideError) as error:
        load({"port": "eighty"})
    assert error.value.code == "start.setting_invalid"
    assert "port" in error.value.params["why"]
