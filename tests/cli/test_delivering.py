"""`lineside deployments preview`, `deliver`, `deliveries` and `webhooks`, against a real control plane."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lineside.cli.main import main
from lineside.contract.model import ModelState
from lineside.server.components.testing import release_app
from lineside.server.testing import Running, running
from tests.server.deliveries.office import Office

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("delivering") / "root") as lineside:
        yield lineside


@pytest.fixture(scope="module")
def office(here: Running) -> Office:
    made = Office(here.core)
    made.fleet.join("a", "b")
    for version in (1, 2, 3, 4):
        made.register(version)
    release_app(made.components, here.core.database, "camera", "1.0.0")
    release_app(made.components, here.core.database, "camera", "1.1.0")
    return made


@pytest.fixture
def lineside(here: Running, office: Office, capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs a command both ways; its JSON answer, or the code of its refusal. `.text` is what people saw."""

    def run(*arguments: str, shown: str = "") -> Any:
        if shown:
            assert main([*arguments, "--url", here.people_url]) in (0, 1)
            assert shown in " ".join(capfd.readouterr().out.split())
        status = main([*arguments, "--json", "--url", here.people_url])
        answer = json.loads(capfd.readouterr().out)
        return answer["error"]["code"] if status and "error" in answer else answer

    return run


def test_a_document_is_previewed_before_it_is_deployed(lineside: Run, tmp_path: Path) -> None:
    file = tmp_path / "line.yaml"
    file.write_text(
        "groupName: line\ncomponents: {camera: {componentVersion: ^1.0.0}}\nrollout: {waves: [{count: 1}]}\n"
    )
    preview = lineside("deployments", "preview", str(file), shown="camera 1.1.0 (asked: ^1.0.0)")
    assert (preview["devices"], preview["asked"]) == (2, {"camera": "^1.0.0"})
    assert [one["devices"] for one in preview["waves"]] == [1, 1]
    assert lineside("deployments", "list")["deployments"] == []
    made = lineside("deployments", "create", str(file))
    assert made["plan"]["waves"][0]["count"] == 1
    assert lineside("deployments", "preview", str(file))["same_as"] == made["id"]
    file.write_text("groupName: line\ncomponents: {camera: {componentVersion: ^7.0.0}}\n")
    assert lineside("deployments", "preview", str(file)) == "deployment.no_version"


def test_a_model_is_delivered_shown_and_cancelled(lineside: Run, tmp_path: Path) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text("waves: [{percent: 100}]\n")
    made = lineside("deliver", "tags:1", "--group", "line", "--plan", str(plan), shown="tags:1")
    assert (made["what"], made["plan"]["waves"][0]["percent"]) == ("tags:1", 100)
    assert lineside("deliveries", "show", made["id"], shown="packaging")["state"] == "packaging"
    assert made["id"] in [one["id"] for one in lineside("deliveries", "list", shown="tags:1")["deliveries"]]
    assert lineside("deliveries", "cancel", made["id"])["state"] == "cancelled"
    assert lineside("deliveries", "cancel", made["id"]) == "delivery.ended"
    plan.write_text("waves: [{percent: 200}]\n")
    assert lineside("deliver", "tags:1", "--group", "line", "--plan", str(plan)) == "rollout.plan_invalid"
    plan.write_text("[")
    assert lineside("deliver", "tags:1", "--group", "line", "--plan", str(plan)) == "cli.bad_plan"


def test_waiting_ends_with_the_delivery_and_its_exit_status(
    here: Running, office: Office, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every look of the command is preceded by a round of the loops, and of devices that do as they are told."""

    def a_round(seconds: float) -> None:
        office.tick()
        for name in ("a", "b"):
            if office.runs(name):
                office.answer(name)

    monkeypatch.setattr("lineside.cli.deliver.time.sleep", a_round)
    office.approve(2)
    words = ["--group", "line", "--wait", "--json", "--url", here.people_url]
    assert main(["deliver", "tags:2", *words]) == 0
    captured = capfd.readouterr()
    assert json.loads(captured.out)["state"] == "delivered"
    assert "rollout:" in captured.err
    office.stage(3)
    office.move(3, ModelState.TWIN_FAILED, reason="the twin fell over")
    assert main(["deliver", "tags:3", *words]) == 1
    assert json.loads(capfd.readouterr().out)["error"]["code"] == "delivery.hopeless"


def test_rules_and_hooks(lineside: Run) -> None:
    rule = lineside("deliveries", "rules", "create", "tags", "--group", "line", shown="line")
    assert [one["id"] for one in lineside("deliveries", "rules", "list", shown="tags")] == [rule["id"]]
    assert lineside("deliveries", "rules", "remove", rule["id"])["model"] == "tags"
    made = lineside("deliveries", "hooks", "create", "ci", "--group", "line", "--model", "tags")
    assert made["secret"].startswith("whsec_")
    assert made["url"].endswith("/hooks/ci")
    assert made["secret"] not in json.dumps(lineside("deliveries", "hooks", "list", shown="ci"))
    assert lineside("deliveries", "hooks", "create", "ci", "--group", "line") == "hook.exists"
    assert lineside("deliveries", "hooks", "remove", "ci")["name"] == "ci"


def test_webhooks(lineside: Run) -> None:
    made = lineside("webhooks", "create", "http://127.0.0.1:9/nobody", "--kind", "rollout", "--kind", "model")
    id_ = made["webhook"]["id"]
    assert made["webhook"]["kinds"] == ["rollout", "model"]
    assert lineside("webhooks", "test", id_, shown="webhook.test")["state"] == "given_up"
    shown = lineside("webhooks", "show", id_, shown="no answer")
    message = shown["messages"][0]["id"]
    assert lineside("webhooks", "redeliver", id_, message)["state"] == "waiting"
    assert lineside("webhooks", "redeliver", id_, "msg_999") == "request.not_found"
    assert lineside("webhooks", "list", shown="rollout, model")[0]["waiting"] == 1
    assert lineside("webhooks", "create", "file:///etc/passwd") == "webhook.url"
    assert lineside("webhooks", "remove", id_)["id"] == id_
    assert lineside("webhooks", "list") == []
