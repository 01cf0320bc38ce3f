"""A thief who holds EVERYTHING on the control plane's machine cannot make a device run a model nobody approved.

Real control plane in offline trust, real agent. The thief has the database, every key in R/keys (the online ones of
TUF among them, and a copy of the developer keys from before the owners took theirs away), the TUF folder, the CA and
the tokens. Each attack is answered with a refusal that has a code; version 1 keeps running and publishing. Then the
owners clean up, and a model that an approver signed elsewhere installs.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from securesystemslib.signer import SSlibKey
from tuf.api.metadata import Root, Targets

from lineside.contract.ceremony import TrustMode
from lineside.contract.component import Component
from lineside.contract.deployment import ComponentSpec, DeploymentDocument
from lineside.contract.errors import LinesideError
from lineside.contract.ids import digest_of, greengrass_digest
from lineside.contract.model import Decision, ModelState, ModelVersion
from lineside.contract.reported import Phase
from tests.e2e import processes, tiny
from tests.e2e.plant import GROUP, MODEL, Plant
from tests.e2e.thief import Thief, target_of
from tests.eventually import eventually

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("plant")]

FILES = f"{MODEL}.model"
EVIL = "9.0.0"
RELEASED = f"models/{FILES}-{EVIL}.json"


class Scene:
    """One device, one approved model that it runs, a second approved one that nobody deployed, and a thief."""

    def __init__(self, plant: Plant, keys: Path) -> None:
        self.plant, self.keys = plant, keys
        shutil.copytree(plant.root / "keys", plant.folder / "developer-keys")
        self.early = {path.name: path.read_bytes() for path in (plant.root / "tuf").glob("*.json")}
        plant.device("twin-1", twin=True)
        self.station = plant.device("cell-1")
        self.lineside("trust", "init", "--keys", str(keys), "--approver", "ana", "--builder", "bea")
        self.first, self.second = self.approved("first"), self.approved("second")
        plant.deploy(self.first, policy="DO_NOTHING")
        plant.wait_runs(self.station, self.first)
        self.thief = Thief(plant, plant.folder / "developer-keys")

    def lineside(self, *words: str) -> Any:
        """A command on the owners' machine, which has a home of its own."""
        more = ("--yes", "--url", self.plant.client.url, "--json")
        environment = {"XDG_CONFIG_HOME": str(self.keys.parent / "home"), "LINESIDE_TOKEN": self.token}
        done = processes.run("lineside.cli", *words, *more, **environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    @property
    def token(self) -> str:
        return (self.plant.root / "keys" / "local.token").read_text().strip()

    def tested(self, variety: str) -> ModelVersion:
        """A model that the twin has tried."""
        made = tiny.register(self.plant.client, MODEL, variety)
        waiting = (ModelState.CANDIDATE, ModelState.IN_TWIN)
        eventually(lambda: self.plant.client.model(made.name, made.version).state not in waiting)
        return self.plant.client.model(made.name, made.version)

    def approved(self, variety: str) -> ModelVersion:
        """A model that an approver signed elsewhere, as is the code that runs it."""
        made = self.tested(variety)
        keys = ("--key", str(self.keys / "approver-ana.pem"), "--builder-key", str(self.keys / "builder-bea.pem"))
        self.lineside("models", "approve", made.label, *keys)
        found = self.plant.client.model(made.name, made.version)
        assert found.state is ModelState.APPROVED
        return found

    def component(self, model: ModelVersion) -> Component:
        """The files of a model as the control plane lists them."""
        wanted = (FILES, f"{model.version}.0.0")
        return next(one for one in self.plant.client.components() if (one.name, one.version) == wanted)

    def wants(self, model: ModelVersion, **fields: str) -> dict[str, dict[str, Any]]:
        """What a desired document says to install a model's files."""
        found = self.component(model)
        said = {"version": found.version, "target": found.target, "recipe_digest": found.recipe_digest}
        return {FILES: said | fields}


# --- the attacks: what each does, and what it has the device want ---------------------------------------------


def evil_recipe(scene: Scene) -> bytes:
    """A recipe of the thief's, which carries a network of theirs; it is on the server and in the database."""
    network = tiny.network("evil")
    recipe = json.loads(scene.thief.file(scene.component(scene.first).recipe_digest).read_bytes())
    digest = scene.thief.store(network)
    recipe["ComponentVersion"] = EVIL
    for one in recipe["Manifests"][0]["Artifacts"]:
        if one["URI"].endswith("/model.onnx"):
            one |= {"URI": f"lineside:{digest.replace(':', '/')}/model.onnx", "Digest": greengrass_digest(digest)}
    data = json.dumps(recipe).encode()
    artifacts = msgspec.to_builtins(scene.component(scene.first).artifacts)
    changed = [one | ({"digest": digest} if one["name"] == "model.onnx" else {}) for one in artifacts]
    scene.thief.add(FILES, EVIL, data, RELEASED, changed)
    return data


def wants_evil(data: bytes, target: str = RELEASED) -> dict[str, dict[str, Any]]:
    return {FILES: {"version": EVIL, "target": target, "recipe_digest": digest_of(data)}}


def a_staged_model(scene: Scene) -> dict[str, dict[str, Any]]:
    """Signed for twins with the stolen staging key, and named to a device that is none."""
    data, path = evil_recipe(scene), f"staging/{FILES}-{EVIL}.json"
    scene.thief.write("UPDATE components SET staging_target = ? WHERE version = ?", (path, EVIL))
    scene.thief.forge("staging", lambda staging: staging.targets.update({path: target_of(path, data)}))
    return wants_evil(data, path)


def a_model_nobody_signed(scene: Scene) -> dict[str, dict[str, Any]]:
    """The database calls it released."""
    return wants_evil(evil_recipe(scene))


def a_model_signed_with_every_key_on_the_server(scene: Scene) -> dict[str, dict[str, Any]]:
    """The approvers' metadata with one target more, signed with all online keys and the thief's own."""
    data = evil_recipe(scene)
    scene.thief.forge("approvers", lambda roles: roles.targets.update({RELEASED: target_of(RELEASED, data)}))
    return wants_evil(data)


def a_model_signed_with_the_old_developer_keys(scene: Scene) -> dict[str, dict[str, Any]]:
    """The keys that approved before the owners took theirs away were copied in time."""
    data = evil_recipe(scene)
    old = [scene.thief.old.signers(role)[0] for role in ("approvers", "targets", "root", "builders")]
    scene.thief.forge("approvers", lambda roles: roles.targets.update({RELEASED: target_of(RELEASED, data)}), *old)
    return wants_evil(data)


def a_model_put_under_the_staging_role(scene: Scene) -> dict[str, dict[str, Any]]:
    """models/* in the metadata of a role whose key is stolen, and which may sign staging/* only."""
    data = evil_recipe(scene)
    scene.thief.forge("staging", lambda staging: staging.targets.update({RELEASED: target_of(RELEASED, data)}))
    return wants_evil(data)


def code_signed_with_every_key_on_the_server(scene: Scene) -> dict[str, dict[str, Any]]:
    """What runs an approved model is as much worth to a thief: it is the builders' to sign."""
    name, data = f"{MODEL}.inference", b'{"Manifests": [{"Lifecycle": {"Run": "evil"}}]}'
    path = f"apps/{name}-{EVIL}.json"
    scene.thief.forge("builders", lambda roles: roles.targets.update({path: target_of(path, data)}))
    return {name: {"version": EVIL, "target": path, "recipe_digest": digest_of(data)}}


def _mine(scene: Scene) -> SSlibKey:
    key = scene.thief.own.public_key
    assert isinstance(key, SSlibKey)
    return key


def a_delegation_signed_anew(scene: Scene) -> dict[str, dict[str, Any]]:
    """Top-level targets that give models/* to the thief's key."""
    data = evil_recipe(scene)

    def delegate(targets: Targets) -> None:
        targets.add_key(_mine(scene), "approvers")

    scene.thief.forge("targets", delegate)
    scene.thief.forge("approvers", lambda roles: roles.targets.update({RELEASED: target_of(RELEASED, data)}))
    return wants_evil(data)


def a_new_root(scene: Scene) -> dict[str, dict[str, Any]]:
    """A root that trusts the thief's key for everything, signed with it and every key on the server."""
    data = evil_recipe(scene)

    def take_over(root: Root) -> None:
        for role in root.roles:
            root.add_key(_mine(scene), role)

    scene.thief.new_root(take_over)
    return wants_evil(data)


def old_metadata(scene: Scene) -> dict[str, dict[str, Any]]:
    """The files of the day before the keys were taken over, when the server's own keys were enough."""
    for name, content in scene.early.items():
        (scene.plant.root / "tuf" / name).write_bytes(content)
    return scene.wants(scene.second)


def other_bytes_under_an_approved_name(scene: Scene) -> dict[str, dict[str, Any]]:
    """The recipe's file is rewritten; name, version, target and digest stay those that were approved."""
    file = scene.thief.file(scene.component(scene.second).recipe_digest)
    file.write_bytes(file.read_bytes().replace(b"Lineside", b"Somebody"))
    return scene.wants(scene.second)


def an_unapproved_digest_under_an_approved_name(scene: Scene) -> dict[str, dict[str, Any]]:
    """The desired document names the approved target, with the digest of the thief's recipe."""
    return scene.wants(scene.second, recipe_digest=digest_of(evil_recipe(scene)))


def an_approved_model_under_another_name(scene: Scene) -> dict[str, dict[str, Any]]:
    """Approved it is, but as version 2: a device must not take it for another."""
    return scene.wants(scene.second, version=EVIL)


def changed_bytes_of_an_approved_artifact(scene: Scene) -> dict[str, dict[str, Any]]:
    """The network's file is rewritten under its digest."""
    scene.thief.file(scene.second.digest).write_bytes(tiny.network("evil"))
    return scene.wants(scene.second)


Attack = Callable[[Scene], dict[str, dict[str, Any]]]

ATTACKS: list[tuple[Attack, str]] = [
    (a_staged_model, "trust.wrong_role"),
    (a_model_nobody_signed, "trust.unknown_target"),
    (a_model_signed_with_every_key_on_the_server, "trust.signature"),
    (a_model_signed_with_the_old_developer_keys, "trust.signature"),
    (a_model_put_under_the_staging_role, "trust.unknown_target"),
    (code_signed_with_every_key_on_the_server, "trust.signature"),
    (a_delegation_signed_anew, "trust.signature"),
    (a_new_root, "trust.signature"),
    (old_metadata, "trust.rollback"),
    (other_bytes_under_an_approved_name, "trust.recipe_mismatch"),
    (an_unapproved_digest_under_an_approved_name, "trust.recipe_mismatch"),
    (an_approved_model_under_another_name, "trust.unknown_target"),
    (changed_bytes_of_an_approved_artifact, "artifact.digest_mismatch"),
]


@pytest.fixture(scope="module")
def whole_scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("plant")
    with Plant(folder, "--worker", "off") as plant:
        yield Scene(plant, tmp_path_factory.mktemp("owners") / "keys")


@pytest.fixture
def scene(whole_scene: Scene) -> Iterator[Scene]:
    whole_scene.thief.remember(whole_scene.station)
    yield whole_scene
    whole_scene.thief.everything_back(whole_scene.station)
    whole_scene.plant.wait_runs(whole_scene.station, whole_scene.first)


def _refused(scene: Scene, revision: int) -> str | None:
    report = scene.plant.shown(scene.station).report
    if report is None or report.revision != revision or report.phase is not Phase.REFUSED or report.error is None:
        return None
    assert [one.artifacts["model.onnx"] for one in report.running if "model.onnx" in one.artifacts] == [
        scene.first.digest
    ]
    return report.error.code


@pytest.mark.parametrize(("attack", "code"), ATTACKS, ids=[attack.__name__ for attack, _ in ATTACKS])
def test_the_thief_cannot_make_the_device_install(scene: Scene, attack: Attack, code: str) -> None:
    (runtime,) = scene.station.runtimes()
    revision = scene.thief.want(scene.station, attack(scene))
    assert eventually(lambda: _refused(scene, revision)) == code
    assert scene.station.runtimes() == [runtime]
    scene.station.feed(1)
    assert scene.plant.wait_results(scene.station)[-1].digest == scene.first.digest
    evil = digest_of(tiny.network("evil")).removeprefix("sha256:")
    assert not list(scene.station.root.rglob(f"*{evil}*"))


def test_the_keys_that_approve_are_not_on_the_server(scene: Scene) -> None:
    here = {path.name for path in (scene.plant.root / "keys").glob("tuf-*.pem")}
    assert here == {"tuf-snapshot.pem", "tuf-timestamp.pem", "tuf-staging.pem"}
    assert scene.plant.client.trust().mode is TrustMode.OFFLINE


def test_the_stolen_token_of_an_admin_approves_and_deploys_nothing(scene: Scene) -> None:
    """The API does not help either: it has no key to sign with, and deploys what is signed only."""
    made = scene.tested("asked for by the thief")
    with pytest.raises(LinesideError, match=r"^approval\.key_needed:"):
        scene.plant.client.approve_model(made.name, made.version, Decision())
    spec = ComponentSpec(component_version=f"{made.version}.0.0")
    with pytest.raises(LinesideError, match=r"^deployment\.not_released:"):
        scene.plant.client.deploy(DeploymentDocument(group_name=GROUP, components={FILES: spec}))


def test_then_a_model_signed_by_an_approver_installs(whole_scene: Scene) -> None:
    third = whole_scene.approved("third")
    whole_scene.plant.deploy(third, policy="DO_NOTHING")
    whole_scene.plant.wait_runs(whole_scene.station, third)


def test_a_withdrawn_model_gives_way_to_the_older_one_and_old_metadata_stays_refused(whole_scene: Scene) -> None:
    """An intended downgrade is newer metadata and an older digest; replaying older metadata is an attack."""
    scene = whole_scene
    bad = scene.approved("bad")
    scene.plant.deploy(bad, policy="DO_NOTHING")
    scene.plant.wait_runs(scene.station, bad)
    before = {path.name: path.read_bytes() for path in (scene.plant.root / "tuf").glob("*.json")}
    version = json.loads(scene.thief.newest("approvers").read_bytes())["signed"]["version"]
    words = ("models", "withdraw", bad.label, "--reason", "it misses dents")
    gone = scene.lineside(*words, "--key", str(scene.keys / "approver-ana.pem"))
    assert gone["state"] == "retired"
    assert json.loads(scene.thief.newest("approvers").read_bytes())["signed"]["version"] > version
    scene.plant.deploy(scene.first, policy="DO_NOTHING")
    scene.plant.wait_runs(scene.station, scene.first)
    scene.thief.remember(scene.station)
    for name, content in before.items():
        (scene.plant.root / "tuf" / name).write_bytes(content)
    found = scene.component(bad)
    named = {"version": found.version, "target": f"models/{FILES}-{found.version}.json"}
    revision = scene.thief.want(scene.station, {FILES: named | {"recipe_digest": found.recipe_digest}})
    assert eventually(lambda: _refused_running(scene, revision)) == "trust.rollback"
    scene.thief.everything_back(scene.station)
    scene.plant.wait_runs(scene.station, scene.first)


def _refused_running(scene: Scene, revision: int) -> str | None:
    report = scene.plant.shown(scene.station).report
    right = report is not None and report.revision == revision and report.phase is Phase.REFUSED
    return report.error.code if right and report is not None and report.error else None
