"""What the agent counts as done is done, whatever a power cut takes: its durable operations on the recorded disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineside.agent.updating.store import Store
from lineside.contract.ids import digest_of
from tests.agent.disk.lives import outcomes

DATA = b"artifact" * 2000
DIGEST = digest_of(DATA)

_PACKAGE = """
    import io, zipfile
    from lineside.agent.paths import Paths
    from lineside.agent.platforms import this_platform
    from lineside.agent.updating import packages
    from lineside.agent.updating.store import Store
    from lineside.contract.recipes.reader import read_recipe
    from tests.agent.components import archive, artifact, recipe
    import msgspec
    paths = Paths(root)
    store = Store(paths.store)
    data = store.put(b"artifact" * 2000)
    code = store.put(archive({"lib/main.sh": b"code" * 2000}))
    files = [artifact("data.bin", data), artifact("code.zip", code, Unarchive="ZIP")]
    one = read_recipe(msgspec.json.encode(recipe(artifacts=files)), this_platform())
    packages.stage(one, store, paths)
"""


def test_a_file_that_was_replaced_is_there(tmp_path: Path) -> None:
    body = """
        from lineside.agent.durable import write_atomically
        write_atomically(root / "deep" / "down" / "file", b"old" * 1000)
        write_atomically(root / "deep" / "down" / "file", b"new" * 1000)
    """
    assert outcomes(tmp_path, body, lambda root: (root / "deep/down/file").read_text()) == {"new" * 1000}


@pytest.mark.parametrize("again", [False, True])
def test_an_object_that_entered_the_store_is_there(tmp_path: Path, again: bool) -> None:
    put = """
        from lineside.agent.updating.store import Store
        Store(root / "store").put(b"artifact" * 2000)
    """
    body = put * 2 if again else put
    assert outcomes(tmp_path, body, lambda root: Store(root / "store").verify(DIGEST)) == {True}


def test_a_staged_package_is_there_and_whole(tmp_path: Path) -> None:
    def look(root: Path) -> tuple[bytes, bytes]:
        packages = root / "packages"
        code = packages / "artifacts-unarchived/app/1.0.0/code/lib/main.sh"
        return (packages / "artifacts/app/1.0.0/data.bin").read_bytes(), code.read_bytes()

    assert outcomes(tmp_path, _PACKAGE, look) == {(DATA, b"code" * 2000)}


def test_a_package_that_was_staged_anew_is_the_old_or_the_new_one(tmp_path: Path) -> None:
    body = _PACKAGE + "    os.environ['LINESIDE_CRASH_AT'] = 'stage.renamed'\n    packages.stage(one, store, paths)\n"

    def look(root: Path) -> bytes:
        return (root / "packages/artifacts/app/1.0.0/data.bin").read_bytes()

    assert outcomes(tmp_path, body, look, ends_with=137) == {DATA}


def test_the_database_is_there_with_its_first_transaction(tmp_path: Path) -> None:
    body = """
        from lineside.agent.database import Database
        (root / "deep").mkdir(); sync(root)
        database = Database(root / "deep" / "agent.db")
        with database.transaction() as rows:
            rows.execute("INSERT INTO facts VALUES ('k', x'00')")
    """

    def look(root: Path) -> bool:
        return (root / "deep/agent.db").exists()

    assert outcomes(tmp_path, body, look) == {True}
