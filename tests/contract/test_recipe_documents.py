"""Bytes that are no recipe: refused with the line, in bounded time and memory, whatever they are."""

from __future__ import annotations

import copy
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lineside.contract.errors import LinesideError
from lineside.contract.ids import digest_of
from lineside.contract.recipes import yaml_nodes
from lineside.contract.recipes.check import check
from lineside.contract.recipes.findings import Severity
from lineside.contract.recipes.reader import read_recipe
from tests.agent.components import artifact, recipe

HERE = {"os": "linux", "architecture": "amd64"}
HEAD = b"RecipeFormatVersion: 2020-01-25\nComponentName: app\nComponentVersion: 1.0.0\nManifests: [{}]\n"
BOMB = b"a: &a [x, x, x, x, x, x, x, x, x, x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (name, name, b",".join([b"*%c" % (name - 1)] * 10)) for name in b"bcdefghi"
)

UNREADABLE: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "empty"),
    "only a comment": (b"# nothing\n", "empty"),
    "a list": (b"- a\n", "not an object"),
    "json cut short": (b"{", "expected"),
    "json with a comma too many": (b'{"a": 1,}', "expected"),
    "json with a comment": (b'{"a": 1 // b\n}', "expected"),
    "json with more after it": (b'{"a": 1} x', "after its end"),
    "json with nan": (b'{"a": NaN}', "value is expected"),
    "json with a number beyond all": (b'{"a": 1e999}', "64 bits"),
    "json with an integer beyond all": (b'{"a": 99999999999999999999999}', "64 bits"),
    "json with half a character": (b'{"a": "\\ud800"}', "surrogate"),
    "json with nul": (b'{"a": "\\u0000"}', "NUL"),
    "json with a new line in a text": (b'{"a": "x\ny"}', "does not end"),
    "json with a key twice": (b'{"a": 1, "a": 2}', "twice"),
    "json too deep": (b'{"a":' * 5000 + b"1" + b"}" * 5000, "deeper"),
    "yaml cut short": (b"a: [", "expected"),
    "yaml with a tab": (b"a:\n\tb: c\n", "tab"),
    "yaml with a key twice": (HEAD + b"ComponentName: app\n", "twice"),
    "yaml with a key twice far down": (HEAD + b"X: {Y: [{a: 1, a: 2}]}\n", "twice"),
    "yaml with two documents": (b"---\na: 1\n---\nb: 2\n", "more than one document"),
    "yaml with a merge key": (b"a: &a {b: c}\nd: {<<: *a}\n", "merge keys"),
    "yaml with a python tag": (b"a: !!python/object/apply:os.system [x]\n", "tag"),
    "yaml with a date tag": (b"a: !!timestamp 2020-01-25\n", "tag"),
    "yaml with infinity": (b"a: .inf\n", "number"),
    "yaml with an integer beyond all": (b"a: " + b"9" * 5000 + b"\n", "64 bits"),
    "yaml with hex beyond all": (b"a: 0x" + b"f" * 30 + b"\n", "64 bits"),
    "yaml with a list for a key": (b"? [a]\n: b\n", "key"),
    "yaml with an alias to nothing": (b"a: *b\n", "alias"),
    "yaml with an alias to itself": (b"a: &a [*a]\n", "alias"),
    "yaml too deep": (b"a: " + b"[" * 5000 + b"]" * 5000 + b"\n", "deeper|nest|depth"),
    "yaml with an alias bomb": (BOMB, "expand"),
    "yaml with a scalar bomb": (
        b"a: &a " + b"x" * 100_000 + b"\nb: [" + b",".join([b"*a"] * 1000) + b"]\n",
        "expand",
    ),
    "huge": (b"#" * (1 << 19), "larger"),
    "not utf-8": (b"a: 1\nb: \xff\n", "UTF-8"),
    "utf-16": ("a: 1".encode("utf-16"), "UTF-8"),
    "binary": (bytes(range(256)), "UTF-8"),
    "control characters": (b"a: \x01\n", ""),
}


@pytest.fixture(params=["CSafeLoader", "SafeLoader"])
def _each_parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """PyYAML with libyaml, and without."""
    monkeypatch.setattr(yaml_nodes, "Loader", getattr(yaml, request.param))


@pytest.mark.usefixtures("_each_parser")
@pytest.mark.parametrize("case", UNREADABLE)
def test_unreadable(case: str) -> None:
    data, why = UNREADABLE[case]
    with pytest.raises(LinesideError, match=rf"(?i){why}") as caught:
        read_recipe(data, HERE)
    assert caught.value.code == "recipe.invalid"


@pytest.mark.usefixtures("_each_parser")
def test_the_line_of_what_cannot_be_read() -> None:
    assert [(f.line, f.code) for f in check(b"a: 1\nb:\n\tc: d\n")] == [(3, "recipe.invalid")]
    assert [(f.line, f.column) for f in check(b'{\n  "a": 1,\n  "b": x\n}')] == [(3, 8)]
    assert [f.line for f in check(b"a: 1\nb: \xff\n")] == [2]


LONG = [f"exists x{' ' * 100_000}y", f"exists{' ' * 100_000}y", "exists " + "x " * 50_000]


@pytest.mark.parametrize("condition", LONG, ids=range(len(LONG)))
def test_long_texts_take_no_longer_than_short_ones(condition: str) -> None:
    document = recipe(Run={"Script": condition, "Skipif": condition})
    assert read_recipe(msgspec.json.encode(document), HERE).lifecycle["run"].skipif == condition.strip()


GOOD: dict[str, Any] = recipe(
    artifacts=[artifact("a.zip", digest_of(b""), Unarchive="ZIP")],
    configuration={"a": {"b": [1, 2.5, None]}},
    dependencies={"base": "^1.0.0"},
    Install={"Script": "x", "Timeout": 5, "Skipif": "exists /x", "Setenv": {"A": "b"}},
    Run="y",
) | {"Lifecycle": {"linux": {"Run": "z"}}}

odd = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=6),
    st.sampled_from(["", "1.0.0", "run", "../x", "{artifacts:path}", "ZIP", "HARD", "/(/", "s3://b/x"]),
    st.lists(st.none(), max_size=2),
    st.dictionaries(st.text(max_size=4), st.text(max_size=4), max_size=2),
)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every container of a document with each of its keys."""
    if isinstance(value, dict):
        return [(value, key) for key in value] + [place for item in value.values() for place in places(item)]
    if isinstance(value, list):
        return [(value, at) for at in range(len(value))] + [place for item in value for place in places(item)]
    return []


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """A good recipe with some of its parts replaced, removed or renamed."""
    document = copy.deepcopy(GOOD)
    for _ in range(draw(st.integers(1, 4))):
        spots = places(document)
        if not spots:
            break
        container, key = draw(st.sampled_from(spots))
        what = draw(st.sampled_from(["replace", "remove", "rename"]))
        if what == "remove" or key not in (container if isinstance(container, dict) else range(len(container))):
            container.pop(key, None) if isinstance(container, dict) else container.pop(key)
        elif what == "rename" and isinstance(container, dict):
            container[draw(st.one_of(st.text(max_size=5), st.just(str(key).upper())))] = container.pop(key)
        else:
            container[key] = draw(odd)
    return document


def read_or_refuse(data: bytes) -> str:
    """The code a recipe is refused with; empty when it is read. Anything else than `LinesideError` fails the test."""
    try:
        found = read_recipe(data, HERE)
    except LinesideError as error:
        return error.code
    msgspec.json.encode(found)
    return ""


def agrees(data: bytes) -> None:
    """The checker, which looks at every manifest, is never content with what a device refuses."""
    code = read_or_refuse(data)
    findings = check(data, local=False)
    if code and code != "recipe.no_platform":
        assert any(finding.severity is Severity.ERROR for finding in findings)
        assert code in {finding.code for finding in findings}


@settings(max_examples=150, deadline=None)
@given(mutated())
def test_a_mutated_recipe_is_read_or_refused_as_json(document: Any) -> None:
    agrees(msgspec.json.encode(document))


@settings(max_examples=75, deadline=None)
@given(mutated())
def test_a_mutated_recipe_is_read_or_refused_as_yaml(document: Any) -> None:
    agrees(yaml.safe_dump(document, allow_unicode=True).encode(errors="surrogatepass"))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200) | st.text(alphabet="{}[]:,-&*!|>'\"#% \n\tab1~<?", max_size=60).map(str.encode))
def test_any_bytes_are_refused(data: bytes) -> None:
    assert read_or_refuse(data) == "recipe.invalid"
    check(data)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 255))
def test_a_flipped_byte_is_read_or_refused(at: int, byte: int) -> None:
    data = bytearray(yaml.safe_dump(GOOD).encode())
    data[at % len(data)] = byte
    agrees(bytes(data))
