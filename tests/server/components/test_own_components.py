"""Components of one's own: from a recipe as people write it to what a device downloads and believes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import pytest

from lineside.client import Client
from lineside.client.own_component import add_component
from lineside.contract.component import AddComponent, Artifact
from lineside.contract.deployment import ComponentSpec, DeploymentDocument
from lineside.contract.desired import Desired
from lineside.contract.errors import LinesideError
from lineside.contract.ids import digest_of, greengrass_digest
from lineside.contract.recipes.reader import read_recipe
from lineside.contract.recipes.recipe import Recipe
from lineside.server.components.approvals import Approvals
from lineside.server.components.own import OwnComponents
from lineside.server.components.service import Components
from lineside.server.components.testing import model_version
from lineside.server.datasets.service import DatasetsService
from lineside.server.models.service import ModelsService
from lineside.server.runs.service import RunsService
from lineside.server.testing import Running, running, until
from lineside.server.testing_device import TestDevice
from lineside.server.trust.service import Proposals

RECIPE = """\
recipeFormatVersion: 2020-01-25
ComponentName: com.example.Hello
ComponentVersion: 1.0.0
ComponentDescription: Says hello
ComponentPublisher: Ada
ComponentConfiguration:
  DefaultConfiguration: {Message: hello, Ratio: 1.10, Steps: [1, 2.50]}
ComponentDependencies:
  aws.greengrass.Nucleus: {VersionRequirement: ">=2.5.0", DependencyType: SOFT}
Manifests:
  - Platform: {os: linux, architecture: amd64}
    Lifecycle:
      setenv: {LEVEL: 1.10, ON: yes, EMPTY: ""}
      Run: python3 -u {artifacts:path}/hello.py
    Artifacts:
      - Uri: s3://BUCKET_NAME/COMPONENT_NAME/COMPONENT_VERSION/hello.py
        Unarchive: NONE
        Permission: {Execute: OWNER}
      - URI: "s3://DOC-EXAMPLE/shared/lib.zip"
        Unarchive: ZIP
        digest: "----"
  - Platform: {os: windows}
    Lifecycle: {Run: hello.exe}
    Artifacts:
      - URI: greengrass:bucket/hello.exe
"""
FILES = {"hello.py": b"print('hello')\n", "lib.zip": b"PK\5\6" + bytes(18), "hello.exe": b"MZ"}


@pytest.fixture
def lineside(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path / "root", soak_seconds=0.0) as up:
        yield up


@pytest.fixture
def client(lineside: Running) -> Client:
    return Client(lineside.people_url)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A recipe with its files beside it."""
    (tmp_path / "hello").mkdir()
    (tmp_path / "hello" / "recipe.yaml").write_text(RECIPE)
    for name, data in FILES.items():
        (tmp_path / "hello" / name).write_bytes(data)
    return tmp_path / "hello"


def stored(client: Client, version: str = "1.0.0") -> bytes:
    return client.get_blob(client.component("com.example.Hello", version).component.recipe_digest)


def read(data: bytes, system: str) -> Recipe:
    return read_recipe(data, {"os": system, "architecture": "amd64"})


def refused(client: Client, recipe: str, files: dict[str, bytes] = FILES) -> LinesideError:
    artifacts = tuple(Artifact(name=name, digest=client.put_blob(data), size=0) for name, data in files.items())
    with pytest.raises(LinesideError) as error:
        client.add_component(AddComponent(recipe=recipe, artifacts=artifacts))
    return error.value


def test_a_recipe_is_stored_as_devices_read_it(client, folder):
    made = add_component(client, folder / "recipe.yaml")
    assert (made.name, made.version, made.target) == ("com.example.Hello", "1.0.0", "apps/com.example.Hello-1.0.0.json")
    assert {one.name: (one.digest, one.size) for one in made.artifacts} == {
        name: (digest_of(data), len(data)) for name, data in FILES.items()
    }
    recipe = read(stored(client), "linux")
    hello, library = recipe.artifacts
    assert hello.uri == f"lineside:{digest_of(FILES['hello.py']).replace(':', '/')}/hello.py"
    assert (hello.digest, hello.executable, library.unarchive) == (digest_of(FILES["hello.py"]), True, "ZIP")
    assert recipe.setenv == {"LEVEL": "1.10", "ON": "yes", "EMPTY": ""}
    assert recipe.default_configuration == {"Message": "hello", "Ratio": 1.1, "Steps": [1, 2.5]}
    assert recipe.dependencies["aws.greengrass.Nucleus"].hard is False
    assert [one.name for one in read(stored(client), "windows").artifacts] == ["hello.exe"]
    document = json.loads(stored(client))
    assert document["Manifests"][0]["Artifacts"][0]["Digest"] == greengrass_digest(digest_of(FILES["hello.py"]))


def test_everything_a_recipe_says_but_its_artifacts_is_read_as_before(client, folder):
    add_component(client, folder / "recipe.yaml")
    for system in ("linux", "windows"):
        before = read_recipe(RECIPE.encode(), {"os": system, "architecture": "amd64"}, local=True)
        after = read(stored(client), system)
        assert msgspec.structs.replace(after, artifacts=()) == msgspec.structs.replace(before, artifacts=())


def test_only_files_the_control_plane_lacks_are_sent(client, folder, monkeypatch):
    sent: list[str] = []
    put = Client.put_blob_file
    monkeypatch.setattr(
        Client, "put_blob_file", lambda self, file, digest: sent.append(file.name) or put(self, file, digest)
    )
    client.put_blob(FILES["lib.zip"])
    add_component(client, folder / "recipe.yaml")
    assert sorted(sent) == ["hello.exe", "hello.py"]
    add_component(client, folder / "recipe.yaml")
    assert len(sent) == 2


def test_a_version_never_changes(client, folder):
    first = add_component(client, folder / "recipe.yaml")
    assert add_component(client, folder / "recipe.yaml") == first
    (folder / "hello.py").write_bytes(b"print('other')\n")
    with pytest.raises(LinesideError) as error:
        add_component(client, folder / "recipe.yaml")
    assert error.value.code == "component.exists"
    (folder / "recipe.yaml").write_text(RECIPE.replace("ComponentVersion: 1.0.0", "ComponentVersion: 1.0.1"))
    assert add_component(client, folder / "recipe.yaml").version == "1.0.1"
    assert len(client.components()) == 2


def test_staged_first_and_released_later(client, folder):
    staged = add_component(client, folder / "recipe.yaml", stage=True)
    assert (staged.target, staged.staging_target) == (None, "staging/com.example.Hello-1.0.0.json")
    released = add_component(client, folder / "recipe.yaml")
    assert released.target == "apps/com.example.Hello-1.0.0.json"
    (fleet, twins) = client.component("com.example.Hello", "1.0.0").signed
    assert (fleet.role, fleet.by, twins.role) == ("builders", "tester", "staging")
    assert fleet.at is not None


def test_files_are_found_where_greengrass_tools_put_them(client, folder):
    recipes, artifacts = folder / "recipes", folder / "artifacts" / "com.example.Hello" / "1.0.0"
    recipes.mkdir()
    artifacts.mkdir(parents=True)
    (folder / "recipe.yaml").rename(recipes / "recipe.yaml")
    for name in FILES:
        (folder / name).rename(artifacts / name)
    (folder / "artifacts" / "com.example.Other" / "1.0.0").mkdir(parents=True)
    (folder / "artifacts" / "com.example.Other" / "1.0.0" / "hello.py").write_bytes(b"of another component")
    made = add_component(client, recipes / "recipe.yaml")
    assert {one.digest for one in made.artifacts} == {digest_of(data) for data in FILES.values()}
    assert add_component(client, recipes / "recipe.yaml", folder / "artifacts") == made


def test_templates_of_greengrass_tools_are_filled_in(client, folder):
    template = RECIPE.replace("com.example.Hello", '"{COMPONENT_NAME}"').replace("1.0.0", '"{COMPONENT_VERSION}"')
    (folder / "recipe.yaml").write_text(template)
    with pytest.raises(LinesideError, match=r"COMPONENT_NAME"):
        add_component(client, folder / "recipe.yaml")
    made = add_component(client, folder / "recipe.yaml", name="com.example.Hello", version="1.4.0")
    assert (made.name, made.version) == ("com.example.Hello", "1.4.0")


def test_what_is_missing_is_named(client, folder):
    for name in ("hello.py", "lib.zip"):
        (folder / name).unlink()
    with pytest.raises(LinesideError, match=r"component\.artifact_missing.*hello\.py, lib\.zip"):
        add_component(client, folder / "recipe.yaml")
    assert refused(client, RECIPE, {}).code == "component.artifact_missing"


@pytest.mark.parametrize(
    ("before", "after", "code", "words"),
    [
        ("ComponentVersion: 1.0.0", "ComponentVersion: newest", "component.recipe", "line 3"),
        ("ComponentName: com.example.Hello", "ComponentName: aws.greengrass.Nucleus", "component.recipe", "line 2"),
        ("greengrass:bucket/hello.exe", "docker:bucket/hello.exe", "component.recipe", "docker"),
        ("2020-01-25", "2021-01-01", "component.recipe", "RecipeFormatVersion"),
        ("1.0.0\n", f"1.0.0-{'x' * 40}\n", "component.too_long", "version"),
        ('"----"', f'"{greengrass_digest(digest_of(b"another"))}"', "component.artifact_differs", "lib.zip"),
    ],
)
def test_what_devices_would_refuse_is_refused_here(client, before, after, code, words):
    assert before in RECIPE
    error = refused(client, RECIPE.replace(before, after))
    assert error.code == code
    assert words in error.message
    assert client.components() == []


def approvals(core, components) -> Approvals:
    models = ModelsService(core, RunsService(core, DatasetsService(core)))
    return Approvals(core, components, models, Proposals(core, components.repository))


def test_the_name_of_a_model_is_not_for_others(core):
    components = Components(core)
    own = OwnComponents(core, components, approvals(core, components))
    recipe = RECIPE.replace("com.example.Hello", "tags.model")
    artifacts = tuple(Artifact(name=name, digest=core.objects.put(data), size=0) for name, data in FILES.items())
    with core.database.write() as session:
        components.package(session, model_version(core.objects))
        with pytest.raises(LinesideError, match=r"component\.not_yours"):
            own.add(session, own.prepare(AddComponent(recipe=recipe, artifacts=artifacts)))


def test_a_model_is_not_packed_as_what_somebody_else_added(core):
    components = Components(core)
    own = OwnComponents(core, components, approvals(core, components))
    artifacts = tuple(Artifact(name=name, digest=core.objects.put(data), size=0) for name, data in FILES.items())
    with core.database.write() as session:
        recipe = RECIPE.replace("com.example.Hello", "tags.model")
        own.add(session, own.prepare(AddComponent(recipe=recipe, artifacts=artifacts)))
        with pytest.raises(LinesideError, match=r"component\.exists"):
            components.package(session, model_version(core.objects))


def test_an_added_component_is_deployed_fetched_and_reported(lineside, client, folder):
    add_component(client, folder / "recipe.yaml")
    device = TestDevice.join(lineside, "cam-1", group="line")
    spec = ComponentSpec(component_version="1.0.0")
    client.deploy(DeploymentDocument(group_name="line", components={"com.example.Hello": spec}))

    def desired() -> Desired:
        for loop in lineside.apps.loops:
            loop.step()
        return msgspec.json.decode(device.get("/desired").content, type=Desired)

    until(lambda: desired().components)
    (wanted,) = desired().components
    assert digest_of(device.get(f"/targets/{wanted.target}").content) == wanted.recipe_digest
    for data in FILES.values():
        assert device.get(f"/artifacts/{digest_of(data)}").content == data
    (use,) = client.component("com.example.Hello", "1.0.0").uses
    assert (use.device, use.wanted, use.state) == ("cam-1", True, None)
    page = httpx.get(f"{lineside.people_url}/components/com.example.Hello/1.0.0").text
    assert "builders" in page
    assert "Says hello" in page
    assert "cam-1" in page


def test_pages_list_components_and_say_when_one_is_unknown(lineside, client, folder):
    assert "No component yet" in httpx.get(f"{lineside.people_url}/components").text
    add_component(client, folder / "recipe.yaml")
    assert "com.example.Hello" in httpx.get(f"{lineside.people_url}/components").text
    assert httpx.get(f"{lineside.people_url}/components/com.example.Hello/7.0.0").status_code == 404
