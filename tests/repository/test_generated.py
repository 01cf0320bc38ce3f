"""Pages made from code are committed and have not drifted."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = list(runpy.run_path(str(DOCS / "generate.py"))["pages"]())


@pytest.mark.parametrize(("name", "make"), PAGES, ids=[name for name, _ in PAGES])
def test_page_is_what_the_code_makes(name, make):
    assert (DOCS / name).read_text() == make(), "run `make docs` and commit the page"
