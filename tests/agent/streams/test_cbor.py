"""Our CBOR against the package that clients use."""

from __future__ import annotations

import math
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineside.agent.streams.cbor import CborError, dumps, loads

scalars = st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | st.floats() | st.binary() | st.text()
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
)


def same(one: Any, two: Any) -> bool:
    """Equal, and of the same kinds; NaN is NaN."""
    if isinstance(one, float) and isinstance(two, float) and math.isnan(one):
        return math.isnan(two)
    if isinstance(one, list | dict) and type(one) is type(two) and len(one) == len(two):
        keys = range(len(one)) if isinstance(one, list) else one
        return all((isinstance(one, list) or key in two) and same(one[key], two[key]) for key in keys)
    return type(one) is type(two) and one == two


@given(values)
def test_what_we_write_they_read(value: Any) -> None:
    assert same(cbor2.loads(dumps(value)), value)


@given(values, st.booleans())
def test_what_they_write_we_read(value: Any, canonical: bool) -> None:
    assert same(loads(cbor2.dumps(value, canonical=canonical)), value)


@given(st.binary(max_size=64))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        loads(data)
    except CborError:
        return


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("9f0102ff", [1, 2]),
        ("bf6161019f02ffff", None),
        ("bf616101ff", {"a": 1}),
        ("7f61616162ff", "ab"),
        ("5f4101420203ff", b"\x01\x02\x03"),
        ("c074323031332d30332d32315432303a30343a30305a", "2013-03-21T20:04:00Z"),
        ("f93c00", 1.0),
        ("fa47c35000", 100000.0),
        ("f7", None),
    ],
)
def test_forms_of_the_standard(data: str, expected: object) -> None:
    if expected is None and data != "f7":
        with pytest.raises(CborError):
            loads(bytes.fromhex(data))
    else:
        assert loads(bytes.fromhex(data)) == expected


@pytest.mark.parametrize(
    "data",
    [
        "",
        "1c",
        "ff",
        "9f01",
        "82 01",
        "a1 01",
        "a1 80 01",
        "61 ff",
        "5f 61 61 ff",
        "1f",
        "f8 20",
        "0101",
        "5bffffffffffffffff",
    ],
)
def test_broken(data: str) -> None:
    with pytest.raises(CborError):
        loads(bytes.fromhex(data))


def test_nested_too_deep() -> None:
    with pytest.raises(CborError, match="deep"):
        loads(b"\x81" * 100_000 + b"\x01")
