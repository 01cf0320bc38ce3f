"""The checker: every error with its line, and warnings about what does nothing or something else than it seems to."""

from __future__ import annotations

import msgspec
import pytest

from lineside.contract.recipes.builtin import VERSIONS, builtin_recipe
from lineside.contract.recipes.check import check
from lineside.contract.recipes.findings import Severity

HEAD = """\
RecipeFormatVersion: 2020-01-25
ComponentName: app
ComponentVersion: 1.0.0
"""


NEVER = (6, "warning", "recipe.never_used")


def found(text: str) -> list[tuple[int, str, str]]:
    """Line, severity and code of what is said about a recipe that begins with three good lines."""
    return [(f.line, f.severity.value, f.code) for f in check((HEAD + text).encode())]


def test_every_error_is_found_not_only_the_first() -> None:
    text = "Manifests:\n- Lifecycle: {Run: [a], Install: {Script: a, Timeout: x}}\n- Artifacts: [{URI: 'docker:x'}]\n"
    assert [(line, code) for line, severity, code in found(text) if severity == "error"] == [
        (5, "recipe.invalid"),
        (5, "recipe.invalid"),
        (6, "recipe.unsupported"),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Manifests: [{}]\nPublisher: me\n", (5, "warning", "recipe.unknown_key")),
        ("Manifests:\n- Platform: {}\n  RunWith: {}\n", (6, "warning", "recipe.unknown_key")),
        ("Manifests:\n- Artifacts: [{Uri: a, Unarchiv: ZIP}]\n", (5, "warning", "recipe.unknown_key")),
        ("Manifests:\n- Lifecycle: {Run: {Script: a, Timout: 5}}\n", (5, "warning", "recipe.unknown_key")),
        ("Manifests: [{}]\nLifecycle: {linux: {Run: a}}\n", (5, "warning", "recipe.unknown_key")),
        ("Manifests: [{Platform: {os: macos}}]\n", (4, "warning", "recipe.unknown_word")),
        ("Manifests: [{Platform: {architecture: arm64}}]\n", (4, "warning", "recipe.unknown_word")),
        ("Manifests:\n- {}\n- Platform: {os: linux}\n", NEVER),
        (
            "Manifests:\n- Platform: {os: linux}\n- Platform: {os: Linux, architecture: arm}\n",
            NEVER,
        ),
        ("Manifests:\n- Lifecycle: {Run: a}\nLifecycle: {Run: b}\n", NEVER),
        ("Manifests:\n- Lifecycle: {Run: a}\n  Selections: [b]\n", NEVER),
        ("Manifests:\n- Lifecycle: [{Run: a}]\n", (5, "warning", "recipe.unlike_greengrass")),
        ("Manifests:\n- Lifecycle: {Run: '{artifacts:Path}'}\n", (5, "warning", "recipe.variable")),
        ("Manifests:\n- Lifecycle: {Run: '{other:artifacts:path}'}\n", (5, "warning", "recipe.variable")),
        ("Manifests:\n- Lifecycle: {Run: '{configuration:/a}'}\n", (5, "warning", "recipe.variable")),
        ("Manifests:\n- Lifecycle:\n    Run: |\n      true\n      {work:Path}\n", (8, "warning", "recipe.variable")),
        (
            "Manifests: [{}]\nComponentConfiguration:\n  DefaultConfiguration: {country: no}\n",
            (6, "warning", "recipe.surprising_value"),
        ),
    ],
)
def test_warned(text: str, expected: tuple[int, str, str]) -> None:
    assert found(text) == [expected]


@pytest.mark.parametrize(
    "text",
    [
        "Manifests: [{}]\n",
        "Manifests:\n- Platform: {os: linux}\n- Platform: {os: windows}\n- {}\n",
        "Manifests:\n- Platform: {runtime: aws_nucleus_lite}\n- {}\n",
        "Manifests: [{Platform: {board: jetson, os: '/linux|darwin/', runtime: '*'}, Name: here}]\n",
        "Manifests: [{Selections: [a]}]\nLifecycle: {Install: {a: x, all: y}, a: {Run: z}}\n",
        "ComponentConfiguration: {DefaultConfiguration: {A: {b: 1}, c: true}}\n"
        "Manifests:\n- Lifecycle: {Run: 'x {configuration:/a/B} {configuration:} ${HOME:-/root} {\"a\": 1}'}\n",
        "ComponentDependencies: {base: ^1.0.0}\nManifests: [{Lifecycle: {Run: '{base:configuration:/x}'}}]\n",
        "Manifests:\n- Artifacts: [{URI: 's3://b/a.zip', Unarchive: ZIP, Permission: {Execute: ALL}}]\n",
        "Manifests:\n- Lifecycle: {Run: a, Probe: {Http: 'http://127.0.0.1:8080/'}, GoldenInputs: b, SoakSeconds: 3}\n",
    ],
)
def test_nothing_to_complain_about(text: str) -> None:
    assert found(text) == []


def test_a_name_that_comes_with_the_agent_is_refused_to_others() -> None:
    for name in VERSIONS:
        data = builtin_recipe(name)
        assert data is not None
        assert check(data, local=False) == []
        assert [f.severity for f in check(data)] == [Severity.ERROR]


def test_a_misspelled_key_gets_the_right_one_for_a_hint() -> None:
    (finding,) = check((HEAD + "Manifests: [{Lifecycle: {Instal: x}}]\n").encode())
    assert finding.next == "Did you mean Install?"


def test_json_has_lines_too() -> None:
    document = {"RecipeFormatVersion": "2020-01-25", "ComponentName": "app", "ComponentVersion": "1", "Manifests": [{}]}
    data = msgspec.json.format(msgspec.json.encode(document), indent=2)
    assert [(f.line, f.column, f.code) for f in check(data)] == [(4, 23, "recipe.version")]
