"""What a person sees before deciding: gates against limits, intervals, mistakes, two versions side by side, a card."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import Page, expect

from lineside.client import Client
from lineside.client.folder import upload_folder
from lineside.contract.ids import digest_of
from lineside.contract.model import GateResult
from lineside.contract.run import CurvePoint, RunRequest, StepReport, StepState
from lineside.server.testing import Running, running
from tests.pages.story import labelled_folder, picture
from tests.server.models.making import PASSED, comparison, evaluation, found, predictions, put, registration

FAST = GateResult(name="latency", level="WARN", passed=False, value=9.5, limit=5.0, sentence="9.5 ms, 5.0 are allowed.")


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Two versions of one model, the second scored on the same pictures as the first."""
    folder = tmp_path_factory.mktemp("registry")
    with running(folder / "root") as lineside:
        fill(lineside, folder)
        yield lineside


def fill(lineside: Running, folder: Path) -> None:
    client, core = Client(lineside.people_url), lineside.core
    data = upload_folder(client, labelled_folder(folder / "plates"), "plates").version
    image = digest_of(picture(7))
    runs = [trained(client, data.id, best) for best in (0.4, 0.6)]
    lineage = registration(core).lineage
    old, new = (
        msgspec.structs.replace(
            lineage, dataset=data.id, run=run, parameters={"epochs": 8, "size": size, "labels": ["dent", "scratch"]}
        )
        for run, size in zip(runs, "ns", strict=True)
    )
    first = client.register_model(
        registration(core, 1, lineage=old, predictions=put(core, predictions(image, found("dent", 0.55, 60, 50))))
    )
    judged = evaluation(image, dataset=data.id)
    beside = msgspec.structs.replace(comparison(image, first.label), digest=first.digest)
    client.register_model(
        registration(
            core,
            2,
            lineage=new,
            gates=(PASSED, FAST),
            predictions=put(core, predictions(image, found("dent", 0.9))),
            evaluation=put(core, msgspec.structs.replace(judged, comparisons=(beside,))),
        )
    )


def trained(client: Client, dataset: str, best: float) -> str:
    """A run with a training curve that ends at `best`."""
    run = client.start_run(RunRequest(model="tags", dataset=dataset))
    curve = tuple(
        CurvePoint(series=series, epoch=epoch, value=value)
        for epoch in range(1, 9)
        for series, value in (("loss", 3.0 / epoch / best), ("val_map50", best * (1 - 0.6**epoch)))
    )
    step = next(one for one in run.steps if one.name == "train")
    client.claim_run(f"worker-{best}")
    client.report_step(run.id, StepReport(step=msgspec.structs.replace(step, state=StepState.RUNNING), curve=curve))
    return run.id


def test_a_version_shows_gates_intervals_threshold_and_mistakes(
    page: Page, registry: Running, screenshots: Path
) -> None:
    page.goto(f"{registry.people_url}/models/tags/2")
    gate = page.locator("#gates tr", has_text="latency")
    expect(gate).to_contain_text("not met")
    value, limit = (gate.locator(shape).bounding_box() for shape in ("rect", "line.limit"))
    assert value is not None
    assert limit is not None
    assert value["x"] + value["width"] > limit["x"]  # 9.5 is drawn beyond the limit of 5
    dark = page.locator("#evaluation tr", has_text="dark")
    expect(dark).to_contain_text("0.200 0.100 to 0.300")
    expect(dark.locator("line.interval")).to_have_count(3)
    expect(page.locator("circle.mark-chosen")).to_have_count(1)
    expect(page.locator("#evaluation")).to_contain_text("costs as much as 2 false alarms, that costs 13")
    expect(page.locator("#evaluation rect.missed")).to_have_count(1)
    expect(page.locator("#training figure.lines", has_text="val_map50").locator("polyline")).to_have_count(1)
    expect(page.locator(".ladder li.ships")).to_contain_text("int8")
    expect(page.locator("#card")).to_contain_text("It was tested on 42 pictures only")
    page.screenshot(path=screenshots / "model-evaluated.png", full_page=True)


def test_two_versions_side_by_side(page: Page, registry: Running, screenshots: Path) -> None:
    page.goto(f"{registry.people_url}/models/tags/2")
    page.get_by_role("button", name="Side by side").click()
    expect(page.get_by_role("heading", name="tags:1", exact=False).first).to_be_visible()
    rows = page.locator("#classes tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.nth(0)).to_contain_text("dent")
    expect(rows.nth(0)).to_contain_text("+0.110 +0.050 to +0.200")
    expect(rows.nth(0)).to_contain_text("better")
    expect(rows.nth(1)).to_contain_text("worse")
    pair = page.locator("#pictures figure.pair").first
    expect(pair.locator("img")).to_have_count(2)
    expect(pair).to_contain_text("only the candidate finds the dent")
    expect(pair.locator("rect.found")).to_have_count(1)  # the other one calls the dent a scratch
    expect(pair.locator("rect.wrong")).to_have_count(1)
    expect(pair.locator("rect.missed")).to_have_count(3)
    expect(page.locator("#curves figure.lines", has_text="val_map50").locator("polyline")).to_have_count(2)
    expect(page.get_by_role("row", name="size n s")).to_be_visible()
    page.screenshot(path=screenshots / "models-compared.png", full_page=True)


def test_names_are_set_and_lead_to_versions(page: Page, registry: Running, screenshots: Path) -> None:
    page.goto(f"{registry.people_url}/models/tags")
    page.get_by_label("Alias").fill("production")
    page.get_by_label("Version", exact=True).fill("1")
    page.get_by_label("Why").fill("it holds")
    page.get_by_role("button", name="Point").click()
    expect(page.locator("#aliases tr", has_text="production")).to_contain_text("it holds")
    page.screenshot(path=screenshots / "model-aliases.png", full_page=True)
    page.goto(f"{registry.people_url}/models/tags@production")
    expect(page.get_by_role("heading", name="tags:1", exact=False).first).to_be_visible()
    page.goto(f"{registry.people_url}/models?states=candidate&q=TAG")
    expect(page.locator("tr", has_text="tags:1")).to_contain_text("production")


def test_notes_of_a_card_are_written_and_no_markup_of_theirs_runs(
    page: Page, registry: Running, screenshots: Path
) -> None:
    page.goto(f"{registry.people_url}/models/tags/2")
    page.get_by_text("Add notes").click()
    page.get_by_label("Notes, in Markdown").fill("**Line 4** only <b id=evil>x</b> [y](javascript:alert(1))")
    page.get_by_role("button", name="Save").click()
    notes = page.locator("#card article")
    expect(notes.locator("strong", has_text="Line 4")).to_be_visible()
    expect(notes).to_contain_text("<b id=evil>x</b>")
    expect(notes.locator("#evil, a[href^=javascript]")).to_have_count(0)
