"""Packs of blobs come apart as they were put together, however they are cut on the way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineside.contract.blob_pack import before, unpacked
from lineside.contract.errors import LinesideError
from lineside.contract.ids import digest_of


def packed(contents: list[bytes]) -> bytes:
    return b"".join(before(digest_of(each), len(each)) + each for each in contents)


@given(st.lists(st.binary(max_size=100), max_size=8), st.integers(1, 200))
def test_what_goes_in_comes_out(contents: list[bytes], size: int) -> None:
    whole = packed(contents)
    pieces = (whole[start : start + size] for start in range(0, len(whole), size))
    found = [(digest, b"".join(content)) for digest, content in unpacked(pieces)]
    assert found == [(digest_of(each), each) for each in contents]


@given(st.binary(min_size=1, max_size=100), st.data())
def test_a_pack_that_ends_within_a_blob_is_refused(content: bytes, data: st.DataObject) -> None:
    whole = packed([content])
    cut = whole[: data.draw(st.integers(1, len(whole) - 1))]
    with pytest.raises(LinesideError) as caught:
        [b"".join(each) for _, each in unpacked(iter([cut]))]
    assert caught.value.code == "request.invalid"
