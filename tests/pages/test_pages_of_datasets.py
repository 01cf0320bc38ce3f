"""Pages of datasets: pictures with boxes and filters, figures, checks, what differs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from lineside.client.folder import upload_folder
from lineside.contract.dataset import DatasetVersion
from tests.pages.story import House, labelled_folder
from tests.pages.test_pages import keep, open_page

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("pages")]


@pytest.fixture(scope="module")
def spoilt(house: House, tmp_path_factory: pytest.TempPathFactory) -> tuple[DatasetVersion, DatasetVersion]:
    """Two versions of one name: the second has a leak, a tiny box by a model, and a picture less."""
    folder = labelled_folder(tmp_path_factory.mktemp("datasets") / "parts")
    first = upload_folder(house.client, folder, "parts").version
    content = json.loads((folder / "annotations.json").read_bytes())
    content["images"] = [image for image in content["images"] if image["id"] != 8]
    content["images"][7]["group"] = 0  # in test; the others of plate 0 are trained on
    content["annotations"] = [one for one in content["annotations"] if one["image_id"] != 8]
    by_model = {"id": 99, "image_id": 1, "category_id": 1, "bbox": [5, 5, 2, 30]}
    content["annotations"].append(by_model | {"source": {"kind": "model", "by": "plates", "version": "3"}})
    (folder / "annotations.json").write_text(json.dumps(content))
    return first, upload_folder(house.client, folder, "parts").version


def test_pictures_are_found_by_class_source_and_group(
    page: Page, house: House, spoilt: tuple[DatasetVersion, DatasetVersion], screenshots: Path
) -> None:
    open_page(page, house, f"/datasets/{spoilt[1].id}")
    expect(page.locator("figure")).to_have_count(8)
    page.get_by_label("Labels from").select_option("unreviewed")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("figure")).to_have_count(1)
    expect(page.locator("figure rect.found title")).to_have_text("scratch, model plates:3")
    page.wait_for_function("() => document.querySelector('figure img').naturalWidth > 0")
    keep(page, screenshots, "dataset-filtered")
    page.locator("figcaption a").click()  # its group
    expect(page.locator("figure")).to_have_count(4)
    open_page(page, house, f"/datasets/{spoilt[1].id}?group=nobody&split=nowhere")
    expect(page.get_by_text("No image passes these filters.")).to_be_visible()


def test_a_check_is_made_and_its_pictures_are_found(
    page: Page, house: House, spoilt: tuple[DatasetVersion, DatasetVersion], screenshots: Path
) -> None:
    open_page(page, house, f"/datasets/{spoilt[1].id}/checks")
    expect(page.get_by_text("Not checked yet")).to_be_visible()
    page.get_by_role("button", name="Check labels and split").click()
    expect(page.locator("main .tag.bad").first).to_have_text("blocked")
    expect(page.get_by_role("heading", name="check.leak_group")).to_be_visible()
    expect(page.get_by_role("heading", name="check.box_tiny")).to_be_visible()
    keep(page, screenshots, "dataset-checks")
    page.locator("tr", has_text="check.box_tiny").get_by_role("link").click()
    expect(page.locator("figure")).to_have_count(1)
    expect(page.get_by_role("link", name="the check blocks")).to_be_visible()
    open_page(page, house, f"/datasets/{spoilt[1].id}/checks")
    page.get_by_role("button", name="random split").click()
    expect(page.get_by_text("Judged a random split")).to_be_visible()


def test_figures_are_drawn(
    page: Page, house: House, spoilt: tuple[DatasetVersion, DatasetVersion], screenshots: Path
) -> None:
    open_page(page, house, f"/datasets/{spoilt[1].id}/figures")
    expect(page.locator("figure.lines")).to_have_count(4)
    expect(page.get_by_role("img", name="Boxes an image: 7 from 1, 1 from 2,")).to_be_visible()
    keep(page, screenshots, "dataset-figures")


def test_what_changed_is_shown(
    page: Page, house: House, spoilt: tuple[DatasetVersion, DatasetVersion], screenshots: Path
) -> None:
    open_page(page, house, f"/datasets/{spoilt[1].id}")
    page.get_by_role("link", name="What changed since").click()
    expect(page.locator("figure")).to_have_count(2)
    expect(page.get_by_text("+scratch 5, 5, 2 x 30")).to_be_visible()
    keep(page, screenshots, "dataset-diff")
    page.get_by_role("link", name="1 removed").click()
    expect(page.locator("figure")).to_have_count(1)
    expect(page.locator("figcaption")).to_contain_text("plate-8.png")


def test_odd_datasets_fit_the_page(page: Page, house: House, tmp_path: Path, screenshots: Path) -> None:
    """Fifty classes, names without an end, no labels: nothing runs over the edge, on a telephone either."""
    folder = labelled_folder(tmp_path / "odd")
    content = json.loads((folder / "annotations.json").read_bytes())
    names = ["x" * 90, "a name that goes on and on " * 5, *(f"class number {number}" for number in range(48))]
    content["categories"] = [{"id": number, "name": name} for number, name in enumerate(names, 1)]
    (folder / "annotations.json").write_text(json.dumps(content))
    full = upload_folder(house.client, folder, "odd").version
    (folder / "annotations.json").write_text(json.dumps(content | {"annotations": []}))
    bare = upload_folder(house.client, folder, "odd").version
    addresses = ("/datasets", f"/datasets/{full.id}", f"/datasets/{bare.id}", f"/datasets/{bare.id}/checks")
    page.set_viewport_size({"width": 420, "height": 900})
    for address in (*addresses, f"/datasets/{full.id}/figures", f"/datasets/{full.id}/diff/{bare.id}"):
        open_page(page, house, address)
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{address} is {wide} pixels too wide"
    open_page(page, house, f"/datasets/{bare.id}")
    expect(page.get_by_text("no boxes yet")).to_be_visible()
    expect(page.get_by_text("and 38 more")).to_be_visible()
    keep(page, screenshots, "dataset-odd")
    open_page(page, house, f"/datasets/{bare.id}/figures")
    expect(page.get_by_text("nothing to count").first).to_be_visible()


def test_a_field_set_grows_from_the_page(
    page: Page, house: House, spoilt: tuple[DatasetVersion, DatasetVersion], tmp_path: Path
) -> None:
    folder = labelled_folder(tmp_path / "week-47")
    content = json.loads((folder / "annotations.json").read_bytes())
    for image in content["images"]:
        image["taken_at"] = "2026-11-19T08:00:00Z"
    (folder / "annotations.json").write_text(json.dumps(content))
    upload_folder(house.client, folder, "week-47")
    open_page(page, house, f"/datasets/{spoilt[1].id}")
    page.get_by_label("Grow the field set from").fill("week-47")
    page.get_by_role("button", name="Grow").click()
    expect(page.locator("h1")).to_contain_text("parts-field")
    expect(page.locator("figcaption").first).to_contain_text("2026-11-19")
    open_page(page, house, f"/datasets/{spoilt[1].id}")
    expect(page.get_by_role("link", name="Field set parts-field")).to_be_visible()
