"""A model version says what it waits for, as a command."""

from __future__ import annotations

import msgspec
import pytest
from rich.console import Console

from lineside.cli.model_view import model_details
from lineside.contract.model import ModelState
from tests.cli.values import MODEL


@pytest.mark.parametrize(
    ("state", "command"),
    [
        (ModelState.CANDIDATE, "it waits for a twin: lineside twin list"),
        (ModelState.IN_TWIN, "lineside twin show metal-tags:1"),
        (ModelState.AWAITING_APPROVAL, "lineside models approve metal-tags:1"),
        (ModelState.APPROVED, "lineside deployments create --group GROUP --model metal-tags:1"),
    ],
)
def test_what_a_model_waits_for_is_a_command(state: ModelState, command: str) -> None:
    console = Console(width=160)
    with console.capture() as shown:
        console.print(model_details(msgspec.structs.replace(MODEL, state=state, approval=None)))
    assert any(line.split(maxsplit=1) == ["next", command] for line in map(str.strip, shown.get().splitlines()))
