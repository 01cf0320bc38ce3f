"""Targets that are files: an offline bundle, an archive of an artifact, signed metadata."""

from __future__ import annotations

import io
import json
import shutil
import time
import zipfile
from pathlib import Path

import msgspec
from securesystemslib.formats import encode_canonical
from tests.agent.components import archive
from tests.agent.tuf_repository import TufRepository

from benchmarks.fuzz.documents import example_bundle
from benchmarks.fuzz.target import Target, Undocumented, expect
from lineside.agent.local.bundle_file import BundleFile
from lineside.agent.local.sources import fresh_at
from lineside.agent.updating.archive import unpack
from lineside.agent.updating.verdicts import Begin, Check, Done, Failed, Fetch, Found, FromParent, Refresh, Vouch
from lineside.agent.updating.verifying import Verifier
from lineside.contract.bundle import BundleSignatures, artifact_path, target_path
from lineside.contract.error_codes import PROBLEMS
from lineside.contract.errors import LinesideError

PATH = "apps/app-1.0.0.json"
_MISMATCH = "trust.mismatch"
"""What the verifier says and `updating.trust` puts in better words."""


class _Bundle:
    def __init__(self, folder: Path) -> None:
        self._file = folder / "bundle.zip"

    def read(self, data: bytes) -> None:
        self._file.write_bytes(data)
        try:
            file = BundleFile(self._file)
        except LinesideError as error:
            expect(error, "bundle.")
            return
        try:
            bundle, _ = file.document()
            fresh_at(file)
            file.check_complete(bundle)
            for one in bundle.artifacts:
                with file.content(artifact_path(one.digest), 1) as (left, chunks):
                    if sum(map(len, chunks)) > left:
                        raise Undocumented("more bytes came than were promised")
        except LinesideError as error:
            expect(error, "bundle.")
        finally:
            file.close()


class _Archive:
    def __init__(self, folder: Path) -> None:
        self._folder = folder / "house"
        self._file = folder / "archive.zip"

    def read(self, data: bytes) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir()
        self._file.write_bytes(data)
        try:
            unpack(self._file, "app.zip", self._folder / "target", max_bytes=64 << 20)
        except LinesideError as error:
            expect(error, "archive.")
        if not {path.name for path in self._folder.iterdir()} <= {"target"}:
            raise Undocumented("something lies beside the target")
        if any(path.is_symlink() for path in self._folder.rglob("*")):
            raise Undocumented("a link was unpacked")


class _Metadata:
    """`NAME\\n` and a metadata file, signed anew by the role that it belongs to, so that its content is judged."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "metadata"
        self._repository = TufRepository()
        self._repository.add(PATH, b"{}")

    def examples(self) -> list[bytes]:
        newest = [name for name in self._repository.files if not name.startswith("1.") or name == "1.root.json"]
        files = {name: json.loads(self._repository.files[name])["signed"] for name in newest}
        files["2.root.json"] = files["1.root.json"] | {"version": 2}
        return [json.dumps([name, signed]).encode() for name, signed in files.items()]

    def read(self, data: bytes) -> None:
        files = dict(self._repository.files)
        try:
            name, signed = json.loads(data)
            files[str(name)] = self._signed(str(name), signed)
        except (ValueError, TypeError, RecursionError):
            files["timestamp.json"] = data
        shutil.rmtree(self._folder, ignore_errors=True)

        def find(url: str, limit: int) -> Found:
            found = files.get(url.removeprefix("tuf/"), self._repository.targets.get(url.removeprefix("targets/")))
            return Found(missing=True) if found is None else Found(found[: limit + 1])

        now = time.time()
        verifier = Verifier(Begin(str(self._folder), self._repository.root.encode(), now, fresh=now), find)
        questions: list[FromParent] = [Refresh(), Check(PATH), Fetch(PATH), Vouch(b"x", {"a": "00"})]
        for question in questions:
            self._judge(verifier.answer(question))

    def _judge(self, answer: Done | Failed) -> None:
        msgspec.json.encode(answer)
        if isinstance(answer, Failed) and answer.code not in PROBLEMS and answer.code != _MISMATCH:
            raise Undocumented(answer.code)

    def _signed(self, name: str, signed: object) -> bytes:
        role = name.removesuffix(".json").rpartition(".")[2]
        signer = self._repository.signers.get(role)
        if signer is None:
            return json.dumps({"signed": signed, "signatures": []}).encode()
        try:
            signature = signer.sign(encode_canonical(signed).encode()).to_dict()
        except Exception:  # noqa: BLE001 what canonical JSON cannot say, nobody can sign
            signature = {"keyid": signer.public_key.keyid, "sig": "00"}
        return json.dumps({"signed": signed, "signatures": [signature]}).encode()


def _zipped_bundle(metadata: TufRepository) -> bytes:
    buffer = io.BytesIO()
    bundle = example_bundle()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("bundle.json", msgspec.json.encode(bundle))
        target.writestr("bundle.sig", msgspec.json.encode(BundleSignatures(signatures=())))
        for name in ("timestamp.json", "2.snapshot.json"):
            target.writestr(f"tuf/{name}", metadata.files[name])
        target.writestr(target_path(PATH), b"{}")
        target.writestr(artifact_path(bundle.artifacts[0].digest), b"data")
    return buffer.getvalue()


def targets(folder: Path) -> list[Target]:
    """`folder`: for their temporary files."""
    metadata = _Metadata(folder)
    zips = [archive({"bin/run": b"#!/bin/sh\n", "data/a.txt": b"a" * 3000, "empty/": b""}), archive({"a": b""})]
    return [
        Target("bundle", [_zipped_bundle(metadata._repository)], _Bundle(folder).read),
        Target("archive", zips, _Archive(folder).read),
        Target("metadata", metadata.examples(), metadata.read, bytes_too=False),
    ]
