"""`models approve`, `withdraw`, `components sign` with keys elsewhere: what is shown, asked, signed, and not signed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lineside.cli.app import run
from lineside.client import Client
from lineside.contract.model import ModelState
from lineside.server.testing import Running, running
from tests.server.components.office import Office
from tests.server.trust.hands import Hand

ANA, BO = Hand("ana"), Hand("bo")
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def lineside(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path / "root", None) as up:
        yield up


@pytest.fixture
def office(lineside: Running) -> Office:
    return Office(lineside.core)


@pytest.fixture
def command(
    lineside: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """A command on a machine of its own; its exit status and what it printed on both streams."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))

    def go(*words: str) -> tuple[int, str, str]:
        status = run([*words, "--url", lineside.people_url])
        said = capsys.readouterr()
        return status, said.out, said.err

    return go


def file_of(hand: Hand, folder: Path) -> str:
    """Somebody's private key as a file."""
    path = folder / f"{hand.name}.pem"
    path.write_bytes(hand.signer.private_bytes)
    path.chmod(0o600)
    return str(path)


def root_of(lineside: Running) -> str:
    return Client(lineside.people_url).trust().root_sha256


def test_what_is_signed_is_shown_and_approves(
    office: Office, command: Command, lineside: Running, tmp_path: Path
) -> None:
    office.offline(ANA, BO, threshold=2)
    model = office.tested()
    common = ("models", "approve", "tags:1", "--root-sha256", root_of(lineside), "--yes")
    status, out, err = command(*common, "--key", file_of(ANA, tmp_path))
    assert status == 0, err
    for said in (model.digest, model.twin_report, "started by ola", "0.750", "0 of 2"):
        assert str(said) in err
    assert "1 of 2" in out
    assert "Builders must sign the code that runs it: lineside components sign tags.inference 0.1.0" in err
    assert office.model().state is ModelState.AWAITING_APPROVAL
    status, out, err = command(
        *common, "--key", file_of(BO, tmp_path), "--builder-key", file_of(office.builder, tmp_path), "--json"
    )
    assert status == 0, err
    assert json.loads(out)["state"] == "approved"
    assert [one["name"] for one in json.loads(out)["approval"]["by"]] == ["ana", "bo"]
    assert office.components.repository.find("apps/tags.inference-0.1.0.json") is not None


def test_nobody_there_to_say_yes_signs_nothing(
    office: Office, command: Command, lineside: Running, tmp_path: Path
) -> None:
    office.offline(ANA)
    office.tested()
    words = ("models", "approve", "tags:1", "--key", file_of(ANA, tmp_path), "--root-sha256", root_of(lineside))
    status, out, _ = command(*words, "--json")
    assert (status, json.loads(out)["error"]["code"]) == (1, "approval.not_given")
    assert office.model().state is ModelState.AWAITING_APPROVAL


def test_a_machine_that_sees_another_root_signs_nothing(office: Office, command: Command, tmp_path: Path) -> None:
    office.offline(ANA)
    office.tested()
    words = ("models", "approve", "tags:1", "--yes", "--key", file_of(ANA, tmp_path), "--json")
    assert json.loads(command(*words)[1])["error"]["code"] == "trust.root_unconfirmed"
    assert json.loads(command(*words, "--root-sha256", "0" * 64)[1])["error"]["code"] == "trust.root_differs"
    assert office.model().state is ModelState.AWAITING_APPROVAL


def test_a_model_that_changed_while_it_lay_there_is_not_signed(
    office: Office, command: Command, lineside: Running, tmp_path: Path
) -> None:
    """The recipe's bytes on the control plane are others than those whose digest is to be signed."""
    office.offline(ANA)
    model = office.tested()
    with office.core.database.read() as session:
        row, _ = office.components.packaged_rows(session, model)
    office.ask()
    office.file(row.recipe_digest).write_bytes(b"{}")
    words = ("models", "approve", "tags:1", "--yes", "--key", file_of(ANA, tmp_path), "--json")
    status, out, _ = command(*words, "--root-sha256", root_of(lineside))
    assert (status, json.loads(out)["error"]["code"]) == (1, "approval.void")


def test_without_a_key_the_next_command_is_named(office: Office, command: Command) -> None:
    office.offline(ANA)
    office.tested()
    for words, following in (
        (("models", "approve", "tags:1"), "lineside models approve tags:1 --key FILE"),
        (("components", "sign", "tags.inference", "0.1.0"), "components sign tags.inference 0.1.0 --key FILE"),
    ):
        status, _, err = command(*words)
        assert status == 1
        assert following in err


def test_a_component_is_signed_and_a_deployment_waits_for_it(
    office: Office, command: Command, lineside: Running, tmp_path: Path
) -> None:
    office.offline(ANA)
    office.tested()
    office.give(office.ask(), ANA)
    status, _, err = command("deployments", "create", "--group", "line", "--model", "tags:1")
    assert status == 1
    assert "lineside components sign tags.inference 0.1.0 --key FILE" in err
    sha = ("--root-sha256", root_of(lineside), "--yes")
    status, out, _ = command("components", "sign", "tags.inference", "0.1.0", "--key", file_of(ANA, tmp_path), *sha)
    assert status == 1
    status, out, err = command(
        "components", "sign", "tags.inference", "0.1.0", "--key", file_of(office.builder, tmp_path), *sha, "--json"
    )
    assert status == 0, err
    assert json.loads(out)["component"]["target"] == "apps/tags.inference-0.1.0.json"
    assert json.loads(out)["approval"]["by"][0]["name"] == "bea"


def test_withdrawing_is_asked_for_and_signed(
    office: Office, command: Command, lineside: Running, tmp_path: Path
) -> None:
    office.offline(ANA)
    office.tested()
    office.give(office.ask(), ANA)
    status, out, err = command("models", "withdraw", "tags:1", "--reason", "misses dents")
    assert (status, "taking it back" in out) == (0, True), err
    words = ("models", "withdraw", "tags:1", "--reason", "misses dents", "--key", file_of(ANA, tmp_path))
    status, out, err = command(*words, "--root-sha256", root_of(lineside), "--yes", "--json")
    assert status == 0, err
    assert json.loads(out)["state"] == "retired"
    assert "Devices will no longer install tags:1: misses dents" in err


def test_adding_a_component_with_a_key_signs_it(
    office: Office, command: Command, lineside: Running, tmp_path: Path
) -> None:
    office.offline(ANA)
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        "RecipeFormatVersion: 2020-01-25\nComponentName: com.example.A\nComponentVersion: 1.0.0\n"
        "Manifests: [{Lifecycle: {Run: 'true'}}]\n"
    )
    status, out, err = command("components", "add", str(recipe), "--json")
    assert (status, json.loads(out)["target"]) == (0, None), err
    words = ("components", "add", str(recipe), "--key", file_of(office.builder, tmp_path), "--yes", "--json")
    status, out, err = command(*words, "--root-sha256", root_of(lineside))
    assert (status, json.loads(out)["target"]) == (0, "apps/com.example.A-1.0.0.json"), err
