"""Keys in a PKCS#11 token (SoftHSM): they cannot leave it, and everything that can be wrong with it is said."""

from __future__ import annotations

import json
from pathlib import Path

import pkcs11
import pytest
from pkcs11 import Attribute, ObjectClass
from pkcs11.util.ec import encode_named_curve_parameters

from lineside.agent.keys.opening import choose, open_keys
from lineside.agent.keys.port import CURRENT, NEXT, PREVIOUS
from lineside.agent.keys.uri import parse
from lineside.agent.link import vault
from lineside.agent.paths import Paths
from lineside.agent.secrets import Secrets
from lineside.contract.errors import LinesideError
from tests.agent.keys.tokens import Token, make_token


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Token:
    return make_token(tmp_path / "hsm", monkeypatch)


def test_the_private_key_cannot_be_taken_out(token: Token, tmp_path: Path) -> None:
    choose(Paths(tmp_path / "root"), token.uri).make(CURRENT)
    library = pkcs11.lib(str(token.module))
    library.reinitialize()
    with library.get_token(token_label="line").open(user_pin=token.pin_file.read_text().strip()) as session:
        (key,) = session.get_objects({Attribute.CLASS: ObjectClass.PRIVATE_KEY})
        assert (key[Attribute.EXTRACTABLE], key[Attribute.NEVER_EXTRACTABLE]) == (False, True)
        assert (key[Attribute.SENSITIVE], key[Attribute.ALWAYS_SENSITIVE], key[Attribute.LOCAL]) == (True, True, True)
        with pytest.raises(pkcs11.AttributeSensitive):
            key[Attribute.VALUE]
        wrapping = session.generate_key(pkcs11.KeyType.AES, 256, store=False, capabilities=pkcs11.MechanismFlag.WRAP)
        with pytest.raises(pkcs11.PKCS11Error):
            wrapping.wrap_key(key, mechanism=pkcs11.Mechanism.AES_KEY_WRAP_PAD)


def test_a_key_that_the_token_has_already_is_used(token: Token, tmp_path: Path) -> None:
    first = choose(Paths(tmp_path / "one"), token.uri)
    first.make(CURRENT)
    second = choose(Paths(tmp_path / "two"), token.uri)
    second.make(CURRENT)
    assert second.public(CURRENT) == first.public(CURRENT)
    second.make(NEXT)
    assert second.public(NEXT) != first.public(CURRENT)


def test_a_key_that_a_power_cut_left_half_made_is_finished(token: Token, tmp_path: Path) -> None:
    paths = Paths(tmp_path / "root")
    keys = choose(paths, token.uri)
    file = paths.key.parent / "token.json"
    file.write_text(json.dumps({"uri": token.uri, "slots": {CURRENT: {"id": "ab" * 16, "made": False}}}))
    assert not keys.exists(CURRENT)
    keys.make(CURRENT)
    assert keys.exists(CURRENT)
    assert vault.find(vault.Reference(uri=token.uri)) == "ab" * 16
    before = keys.public(CURRENT)
    file.write_text(json.dumps({"uri": token.uri, "slots": {CURRENT: {"id": "ab" * 16, "made": False}}}))
    keys.make(CURRENT)
    assert keys.public(CURRENT) == before


def test_secrets_move_from_a_key_in_a_file_into_the_token_and_the_file_is_destroyed(
    token: Token, tmp_path: Path
) -> None:
    paths = Paths(tmp_path / "root")
    before = choose(paths, "file")
    Secrets(paths.secrets, before).set("db", b"hunter2")
    assert paths.key.exists()
    keys = choose(paths, token.uri)
    keys.make(CURRENT)
    moved = Secrets(paths.secrets, open_keys(paths))
    assert moved.get("db").text == "hunter2"
    assert keys.public(PREVIOUS) == before.public(CURRENT)
    moved.reseal()
    assert not paths.key.exists()
    assert moved.get("db").text == "hunter2"


def test_what_is_wrong_with_a_token_is_said(token: Token, tmp_path: Path) -> None:
    keys = choose(Paths(tmp_path / "root"), token.uri)
    keys.make(CURRENT)
    pin = token.pin_file.read_text()
    token.pin_file.write_text("wrong")
    with pytest.raises(LinesideError, match="PinIncorrect") as refused:
        keys.sign(CURRENT, {})
    assert refused.value.params["path"] == "pkcs11:token=line;object=device"
    token.pin_file.write_text(pin)
    for other, why in (("token=other", "0 tokens match"), ("token=line;serial=1", "0 tokens match")):
        uri = token.uri.replace("token=line", other)
        with pytest.raises(LinesideError, match=why):
            vault.find(vault.Reference(uri=uri))
    token.pin_file.unlink()
    with pytest.raises(LinesideError, match="No such file"):
        keys.sign(CURRENT, {})


def test_a_uri_is_read_as_rfc_7512_says() -> None:
    read = parse(
        "pkcs11:token=My%20line;object=a%3Bb;id=%01%ff;type=private?module-path=/m.so&pin-source=file:/run/pin"
    )
    assert (read.label, read.object, read.id) == ("My line", "a;b", b"\x01\xff")
    assert (read.module, read.pin_file) == ("/m.so", Path("/run/pin"))


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        ("file:device.key", "pkcs11:"),
        ("pkcs11:object=device?module-path=/m.so", "no token"),
        ("pkcs11:token=a;token=b?module-path=/m.so", "token=b"),
        ("pkcs11:token=a;colour=red?module-path=/m.so", "colour"),
        ("pkcs11:token=a;type=cert?module-path=/m.so", "type"),
        ("pkcs11:token=a?module-path=/m.so&pin-value=1234", "pin-source"),
    ],
)
def test_a_uri_that_cannot_be_used_is_refused(uri: str, why: str) -> None:
    with pytest.raises(LinesideError, match=why) as refused:
        parse(uri)
    assert refused.value.code == "key.uri_invalid"
    assert "1234" not in str(refused.value)


def test_a_key_that_may_only_sign_proves_the_device_and_opens_nothing(token: Token, tmp_path: Path) -> None:
    """What a token without ECDH has: the device joins, and says why it reads no secrets."""
    library = pkcs11.lib(str(token.module))
    library.reinitialize()
    with library.get_token(token_label="line").open(rw=True, user_pin=token.pin_file.read_text().strip()) as session:
        curve = {Attribute.EC_PARAMS: encode_named_curve_parameters("secp256r1")}
        session.create_domain_parameters(pkcs11.KeyType.EC, curve, local=True).generate_keypair(
            store=True,
            id=b"\x07",
            label="device",
            mechanism=pkcs11.Mechanism.EC_KEY_PAIR_GEN,
            capabilities=pkcs11.MechanismFlag.SIGN | pkcs11.MechanismFlag.VERIFY,
        )
    keys = choose(Paths(tmp_path / "root"), token.uri)
    keys.make(CURRENT)
    assert keys.sign(CURRENT, {}).count(".") == 2
    with pytest.raises(LinesideError, match="the token refuses") as refused:
        keys.open(keys.seal(b"hunter2", "secret db 1"), "secret db 1")
    assert refused.value.code == "device.key_unusable"
