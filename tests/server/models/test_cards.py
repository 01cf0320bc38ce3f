"""A card says what is known about a version and nothing else; its notes are people's, and every revision is kept."""

from __future__ import annotations

import httpx
import msgspec
import pytest

from lineside.client import Client
from lineside.contract.errors import LinesideError
from lineside.contract.ids import digest_of
from lineside.contract.model import GateResult
from lineside.contract.registry import EditCard
from lineside.server.access.caller import Caller, acting
from lineside.server.datasets.service import DatasetsService
from lineside.server.models.cards import Cards
from lineside.server.models.service import ModelsService
from lineside.server.services import Core
from lineside.server.testing import Running
from tests.server.models.making import evaluation, put, register, registration

ADA, BOB = Caller(name="ada", by="session"), Caller(name="bob", by="session")


@pytest.fixture
def cards(core: Core, registry: ModelsService) -> Cards:
    return Cards(core, registry, DatasetsService(core))


def test_the_generated_part_tells_intervals_slices_threshold_and_limits(
    core: Core, registry: ModelsService, cards: Cards
) -> None:
    register(core, registry, 1, evaluation=put(core, evaluation()))
    text = cards.get("tags", 1).text
    assert "| **all** | 0.510 (0.420 to 0.580) | 42 | 90 |" in text
    assert "| dent | 0.610 (0.500 to 0.700) | 30 | 60 |" in text
    assert "| brightness: dark | 0.200 (0.100 to 0.300) |" in text  # its interval lies under the score of all
    assert "size: small" not in text  # this one's does not
    assert "At the threshold 0.30, which ships, 3 objects are missed on 40 val pictures, with 7 false alarms" in text
    assert "It misses 1 of 2 objects on plate-1.png." in text
    assert "It was tested on 42 pictures only" in text
    assert "ds-1, which is not here any more" in text
    assert "- Parameters: epochs 1, size s." in text
    assert "| **int8** | 6 bytes | 4.0 ms | INT8 ships: it is faster |" in text


def test_an_imported_version_was_not_trained_by_a_trainer_and_says_its_cost_in_words(
    core: Core, registry: ModelsService, cards: Cards
) -> None:
    made = {"labels": ["dent", "scratch"], "openvino": False, "cost": {"missed": 5.0}}
    lineage = msgspec.structs.replace(
        registration(core).lineage, trainer="imported", init="sha256:e", run="run-1", parameters=made
    )
    drop = GateResult(name="int8_drop", level="WARN", passed=True, value=-1.4e-05, limit=0.02, sentence="It gains.")
    register(core, registry, 1, lineage=lineage, evaluation=put(core, evaluation()), gates=(drop,))
    text = cards.get("tags", 1).text
    assert "- Trained elsewhere, and imported in run run-1, code 1: the file `sha256:e`." in text
    assert "- Parameters: cost missed 5.0, labels dent, scratch, openvino no." in text
    assert "with 7 false alarms: the cheapest, a miss being said to cost 2 of them." in text
    assert "| int8\\_drop | WARN | passed | 0 | 0.02 |" in text


def test_without_an_evaluation_the_card_says_that_intervals_are_not_known(
    core: Core, registry: ModelsService, cards: Cards
) -> None:
    register(core, registry)
    text = cards.get("tags", 1).text
    assert "| test | 0.810 | 0.510 | 42 | 90 |" in text
    assert "No intervals are known." in text
    assert "| dent | 0.610 |" in text


def test_a_gate_that_is_not_met_is_a_limit(core: Core, registry: ModelsService, cards: Cards) -> None:
    warned = GateResult(name="speed", level="WARN", passed=False, value=9.5, limit=5, sentence="Too slow.")
    register(core, registry, 1, gates=(warned,))
    text = cards.get("tags", 1).text
    assert "| speed | WARN | **not met** | 9.5 | 5 |" in text
    assert "- Gate speed: Too slow." in text


def test_names_of_others_are_no_markup(core: Core, registry: ModelsService, cards: Cards) -> None:
    lineage = registration(core).lineage
    from msgspec.structs import replace

    hostile = replace(lineage, parameters={"a|b": "<script>\n# no heading"})
    register(core, registry, 1, lineage=hostile)
    text = cards.get("tags", 1).text
    assert r"a\|b \<script\> \# no heading" in text
    assert "<script>" not in text


def test_notes_are_kept_revision_by_revision(core: Core, registry: ModelsService, cards: Cards) -> None:
    register(core, registry)
    assert cards.get("tags", 1).revision == 0
    with acting(ADA):
        first = cards.edit("tags", 1, EditCard(notes="For line 4 only.\r\n", revision=0, reason="asked for"))
    assert (first.notes, first.revision, first.by) == ("For line 4 only.", 1, "ada")
    with pytest.raises(LinesideError, match=r"^model.card_changed:.*revision 1"):
        cards.edit("tags", 1, EditCard(notes="Mine.", revision=0))
    with acting(BOB):
        cards.edit("tags", 1, EditCard(notes="For lines 4 and 5.", revision=1))
        cards.edit("tags", 1, EditCard(notes="For lines 4 and 5.", revision=2))  # the same: no new revision
    assert [(one.revision, one.by, one.why, one.notes) for one in cards.history("tags", 1).edits] == [
        (2, "bob", "", "For lines 4 and 5."),
        (1, "ada", "asked for", "For line 4 only."),
    ]
    assert cards.get("tags", 1).text.endswith("## Notes\n\nFor lines 4 and 5.\n")
    with core.database.read() as session:
        events = core.events.page(session, before=None, kind="model.card_edited", limit=9)
    assert events.total == 2


def test_cards_over_http(lineside: Running) -> None:
    client = Client(lineside.people_url)
    client.register_model(registration(lineside.core))
    before = client.model_card("tags", 1)
    after = client.edit_card("tags", 1, EditCard(notes="Checked by hand.", revision=0))
    assert (after.generated, after.notes) == (before.generated, "Checked by hand.")
    client.edit_card("tags", 1, EditCard(notes="Checked by hand, twice.", revision=1))
    newest = client.card_history("tags", 1, limit=1)
    assert ([one.revision for one in newest.edits], newest.total, newest.next) == ([2], 2, 2)
    older = client.card_history("tags", 1, before=newest.next)
    assert ([one.revision for one in older.edits], older.total, older.next) == ([1], 2, None)
    page = httpx.get(f"{lineside.people_url}/models/tags/1/card").text
    assert "2 revisions of the notes" in page
    assert page.index("<td>2</td>") < page.index("<td>1</td>")
    with pytest.raises(LinesideError, match=r"^request.not_found:"):
        client.model_card("tags", 2)


def test_an_evaluation_of_a_later_release_is_passed_over(core: Core, registry: ModelsService, cards: Cards) -> None:
    core.objects.put(b'{"schema":"lineside.evaluation/9"}')
    register(core, registry, 1, evaluation=digest_of(b'{"schema":"lineside.evaluation/9"}'))
    assert "No intervals are known." in cards.get("tags", 1).text
