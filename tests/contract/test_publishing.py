"""Publishing changes nothing of a recipe but how its artifacts are named, whatever is written in it."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lineside.contract.component import Artifact
from lineside.contract.errors import LinesideError
from lineside.contract.ids import digest_of
from lineside.contract.recipes.publishing import listing, published
from lineside.contract.recipes.reader import read_recipe

LINUX = {"os": "linux", "architecture": "amd64"}
FILE = Artifact(name="main.py", digest=digest_of(b"pass"), size=4)

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0\x85\u2028\u2029", exclude_categories=("Cc",)))
SCALARS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    SCALARS | TEXTS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=8
)


def recipe(configuration: dict[str, Any], setenv: dict[str, Any]) -> dict[str, Any]:
    return {
        "RecipeFormatVersion": "2020-01-25",
        "ComponentName": "app",
        "ComponentVersion": "1.0.0",
        "ComponentConfiguration": {"DefaultConfiguration": configuration},
        "Manifests": [
            {
                "Lifecycle": {"Setenv": setenv, "Run": "true"},
                "Artifacts": [{"uri": "s3://BUCKET_NAME/COMPONENT/main.py"}],
            }
        ],
    }


@given(
    st.dictionaries(TEXTS, VALUES, max_size=4),
    st.dictionaries(st.from_regex(r"[A-Z]{1,5}", fullmatch=True), st.integers() | st.booleans() | TEXTS, max_size=3),
    st.booleans(),
)
def test_what_a_device_reads_is_what_was_written(
    configuration: dict[str, Any], setenv: dict[str, Any], as_yaml: bool
) -> None:
    document = recipe(configuration, setenv)
    data = yaml.safe_dump(document, allow_unicode=True).encode() if as_yaml else json.dumps(document).encode()
    try:
        before = read_recipe(data, LINUX, local=True)
    except LinesideError:
        with pytest.raises(LinesideError):
            published(data, {"main.py": FILE})
        return
    made = published(data, {"main.py": FILE})
    after = read_recipe(made.recipe, LINUX)
    assert msgspec.structs.replace(after, artifacts=()) == msgspec.structs.replace(before, artifacts=())
    assert after.artifacts[0].digest == FILE.digest
    assert made.artifacts == (FILE,)
    assert published(data, {"main.py": FILE, "other": FILE}) == made  # what is not named is left out


@pytest.mark.parametrize("number", ["1.10", "1e3", "-0.50", "0x1F", "1_000", "0o17", "12345678901234567890.5"])
def test_a_number_keeps_its_spelling_where_a_text_is_wanted(number: str) -> None:
    data = yaml.safe_dump(recipe({"ratio": 0}, {"LEVEL": 0})).replace("LEVEL: 0", f"LEVEL: {number}")
    before = read_recipe(data.encode(), LINUX, local=True)
    after = read_recipe(published(data.encode(), {"main.py": FILE}).recipe, LINUX)
    assert after.setenv == before.setenv == {"LEVEL": number}


def test_a_listing_names_the_files_of_every_platform() -> None:
    document = recipe({}, {})
    document["Manifests"].append({"Platform": {"os": "windows"}, "Artifacts": [{"URI": "a.exe"}, {"URI": "b.dll"}]})
    found = listing(json.dumps(document).encode())
    assert (found.name, found.version, found.files) == ("app", "1.0.0", ("a.exe", "b.dll", "main.py"))
