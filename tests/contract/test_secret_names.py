"""Which secrets a recipe names: those it says, and never "any"."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from lineside.contract.secret import is_secret_name, names_secret, patterns

ARN = "arn:aws:secretsmanager:eu-west-1:1:secret:"


@pytest.mark.parametrize(
    ("pattern", "secret"),
    [
        ("db", "db"),
        ("line1/*", "line1/camera"),
        ("*camera", "line1/camera"),
        ("l*1/c*a", "line1/camera"),
        ("camera-{iot:thingName}", "camera-cell-1"),
        (f"{ARN}db-a1B2c3", "db"),
        (f"{ARN}db-a1B2c3", "db-a1B2c3"),
        (f"{ARN}db", "db"),
        ("a${*}b", "a*b"),
    ],
)
def test_a_recipe_names_a_secret(pattern: str, secret: str) -> None:
    assert names_secret(pattern, "cell-1", secret)


@pytest.mark.parametrize(
    ("pattern", "secret"),
    [
        ("*", "db"),
        ("**", "db"),
        (f"{ARN}*", "db"),
        ("", "db"),
        ("db", "db2"),
        ("line1/*", "line2/camera"),
        ("aba*aba", "ababa"[:4]),
        ("camera-{iot:thingName}", "camera-cell-2"),
        ("a${*}b", "axb"),
        (f"{ARN}db-a1B2c3", "d"),
    ],
)
def test_a_recipe_does_not_name_a_secret(pattern: str, secret: str) -> None:
    assert not names_secret(pattern, "cell-1", secret)


def control(**policy: Any) -> dict[str, Any]:
    return {"accessControl": {"aws.greengrass.SecretManager": {"one": policy}}}


def test_only_policies_about_reading_secrets_count() -> None:
    assert patterns(control(operations=["aws.greengrass#GetSecretValue"], resources=["db", "*"])) == ("db", "*")
    assert patterns(control(operations=["*"], resources=["db"])) == ("db",)
    assert patterns(control(operations=["aws.greengrass#PublishToTopic"], resources=["db"])) == ()
    text = msgspec.json.encode(control(operations=["*"], resources=["db"])["accessControl"]).decode()
    assert patterns({"accessControl": text}) == ("db",)


@pytest.mark.parametrize(
    "configuration",
    [
        {},
        {"accessControl": 5},
        {"accessControl": "{"},
        {"accessControl": {"aws.greengrass.SecretManager": []}},
        {"accessControl": {"aws.greengrass.SecretManager": {"one": None}}},
        control(operations="*", resources=["db"]),
        control(operations=["*"], resources="db"),
        control(operations=["*"], resources=[5, None]),
    ],
)
def test_what_cannot_be_read_names_nothing(configuration: dict[str, Any]) -> None:
    assert patterns(configuration) == ()


def test_names_are_those_of_aws() -> None:
    assert is_secret_name("line1/camera_2+=.@-x")
    assert not any(is_secret_name(name) for name in ("", "a b", "a\n", "ä", "x" * 256, "a*"))
