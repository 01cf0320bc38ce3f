"""What the client opens it closes: when it is told to, and at once where an answer is broken off."""

from __future__ import annotations

from urllib.parse import urlsplit

import psutil
import pytest

from lineside.client import Client
from lineside.contract.errors import LinesideError
from lineside.contract.ids import digest_of
from lineside.server.testing import Running

pytestmark = pytest.mark.sqlite_only


def open_to(lineside: Running) -> int:
    port = urlsplit(lineside.people_url).port
    found = psutil.Process().net_connections("tcp")
    return sum(1 for one in found if one.raddr and one.raddr.port == port)


def test_a_client_keeps_its_connection_until_it_is_closed_and_opens_another_then(lineside: Running) -> None:
    before = open_to(lineside)
    with Client(lineside.people_url) as client:
        for _ in range(3):
            client.overview()
        assert open_to(lineside) == before + 1
    assert open_to(lineside) == before
    assert client.overview().stages
    client.close()
    assert open_to(lineside) == before


def test_an_answer_that_is_broken_off_keeps_no_connection(lineside: Running) -> None:
    before = open_to(lineside)
    with Client(lineside.people_url) as client:
        digests = [client.put_blob(letter * (3 << 20)) for letter in (b"a", b"b")]
        blobs = client.get_blobs(digests)
        digest, pieces = next(blobs)
        assert (digest, next(pieces)[:1]) == (digests[0], b"a")
        blobs.close()
        assert open_to(lineside) == before
        assert client.get_blob(digests[1])[:1] == b"b"  # and the next answer is the next answer
        with pytest.raises(LinesideError, match=r"^request.not_found"):
            client.get_blob(digest_of(b"never"))
        assert open_to(lineside) == before + 1
    assert open_to(lineside) == before
