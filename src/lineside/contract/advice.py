"""What people should know before they wait for a run: said by the command line and the page."""

from __future__ import annotations

from lineside.contract.run import RunRequest

STARTING_WEIGHTS = (
    "This run starts from scratch. Starting weights are worth more than anything else, above all with few pictures: "
    "--init FILE for published ones with trainer yolox, --init-model NAME:VERSION for an earlier model with its own "
    "trainer (docs/trainers.md)."
)


def advice(request: RunRequest) -> str:
    """A sentence for whoever starts this run, or nothing."""
    return STARTING_WEIGHTS if request.kind == "train" and request.init is None else ""
