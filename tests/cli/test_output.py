"""Where commands print: what is for people, and when."""

from __future__ import annotations

import pytest

from lineside.cli.output import Output


@pytest.mark.parametrize(
    ("json", "how", "said"),
    [
        (False, "Older ones: --before 7", "42 in all. Older ones: --before 7\n"),
        (False, "", ""),  # the last page
        (True, "Older ones: --before 7", ""),
    ],
)
def test_below_a_page_people_read_how_to_see_more(
    json: bool, how: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Output(json).follows(42, how)
    assert capsys.readouterr() == ("", said)
