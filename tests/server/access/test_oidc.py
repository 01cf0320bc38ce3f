"""Signing in at an OpenID provider, and what is not believed of one."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from lineside.contract.errors import LinesideError
from lineside.contract.people import Role
from lineside.server.access.cookies import COOKIE
from lineside.server.access.doorstep import TRIES
from lineside.server.access.oidc import Provider as Ours
from lineside.server.access.oidc_answers import mapping, roles_of
from lineside.server.clock import SystemClock
from lineside.server.settings import Settings
from lineside.server.testing import FakeClock
from tests.server.access.oidc_provider import Provider, own_provider, third_party
from tests.server.access.people import House, house

ROLES = "line-leads=operator, it=admin, cn=quality,ou=works=approver"
Claims = dict[str, Any]


@pytest.fixture(scope="module")
def shared() -> Iterator[Provider]:
    with own_provider() as provider:
        yield provider


@pytest.fixture
def provider(shared: Provider) -> Provider:
    shared.reset()
    return shared


@contextmanager
def house_of(provider: Provider, folder: Path) -> Iterator[House]:
    """A control plane whose people may come from `provider`."""
    (folder / "secret").write_text(provider.secret + "\n")
    settings = {"oidc_client_id": provider.client, "oidc_secret_file": str(folder / "secret")}
    with house(folder / "root", oidc_issuer=provider.issuer, oidc_roles=ROLES, **settings) as opened:
        yield opened


@pytest.fixture
def here(tmp_path: Path, provider: Provider) -> Iterator[House]:
    with house_of(provider, tmp_path) as opened:
        yield opened


@pytest.fixture(scope="module")
def wary(shared: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One for all tests in which nobody gets in."""
    with house_of(shared, tmp_path_factory.mktemp("wary")) as opened:
        yield opened


def come_back(here: House, provider: Provider, browser: httpx.Client, next: str = "/") -> httpx.Response:
    """To the provider and back again; what the control plane says then."""
    away = browser.get("/login/oidc", params={"next": next})
    assert away.status_code == 303, away.text
    return browser.get(provider.back(away.headers["location"]))


def test_somebody_signs_in_at_a_provider_that_others_wrote(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("a secret")
    settings = {"oidc_client_id": "lineside", "oidc_secret_file": str(tmp_path / "secret"), "oidc_roles": ROLES}
    with (
        third_party() as issuer,
        house(tmp_path / "root", oidc_issuer=issuer, **settings) as here,
        httpx.Client() as there,
    ):
        person = {"preferred_username": "Ann", "groups": ["line-leads", "choir"]}

        def sign_in(**form: str) -> tuple[httpx.Client, httpx.Response]:
            browser = here.browser()
            away = browser.get("/login/oidc?next=/devices").headers["location"]
            assert away.startswith(issuer + "/oauth2/authorize?")
            agreed = there.post(away, data=form)
            return browser, browser.get(agreed.headers["location"])

        there.put(f"{issuer}/users/ann-1", json=person).raise_for_status()
        browser, answer = sign_in(sub="ann-1")
        assert (answer.status_code, answer.headers.get("location")) == (303, "/devices"), answer.text
        who = browser.get("/api/v1/me").json()
        assert (who["name"], who["roles"], who["by"]) == ("ann", ["operator"], "session")
        there.put(f"{issuer}/users/ann-1", json=person | {"groups": ["it"]}).raise_for_status()
        sign_in(sub="ann-1")
        assert browser.get("/api/v1/me").json()["roles"] == ["admin"]
        there.put(f"{issuer}/users/bob", json={"preferred_username": "bob", "groups": []}).raise_for_status()
        _, answer = sign_in(sub="bob")
        assert (answer.status_code, "oidc.no_role" in answer.text) == (403, True)
        _, answer = sign_in(action="deny")
        assert (answer.status_code, "oidc.refused" in answer.text) == (401, True)
        assert [user.name for user in here.accounts.users.list()] == ["ann"]


def test_in_with_secret_pkce_state_and_nonce_and_on_to_where_one_was(here: House, provider: Provider) -> None:
    browser = here.browser()
    answer = come_back(here, provider, browser, "/events?kind=user")
    assert provider.refusals == []
    assert (answer.status_code, answer.headers["location"]) == (303, "/events?kind=user")
    assert browser.get("/api/v1/me").json()["name"] == "ann"
    assert [line[:2] for line in here.decisions()] == [("ann", "user.create"), ("ann", "session.login")]
    assert [entry.by for entry in here.audit()] == ["oidc", "oidc"]
    (user,) = here.accounts.users.list()
    assert (user.issuer, user.password) == (provider.issuer, False)
    assert len({*map(provider.asked.get, ("state", "nonce", "code_challenge"))}) == 3
    assert come_back(here, provider, here.browser(), "//evil.example").headers["location"] == "/"


def _part(value: Claims) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _unsigned(claims: Claims) -> str:
    return _part({"alg": "none"}) + "." + _part(claims) + "."


STRANGER = RSAKey.generate_key(2048, {"kid": "first"})
LIES: dict[str, tuple[Callable[[Claims], Claims], str]] = {
    "wrong nonce": (lambda claims: claims | {"nonce": "another"}, "another attempt"),
    "no nonce": (lambda claims: {k: v for k, v in claims.items() if k != "nonce"}, "another attempt"),
    "wrong audience": (lambda claims: claims | {"aud": "somebody else"}, "for somebody else"),
    "no audience": (lambda claims: claims | {"aud": None}, "for somebody else"),
    "several audiences, ours not named": (lambda c: c | {"aud": [c["aud"], "other"]}, "asked for by somebody else"),
    "asked for by another": (lambda claims: claims | {"azp": "somebody else"}, "asked for by somebody else"),
    "another issuer": (lambda claims: claims | {"iss": "https://other.example"}, "another issuer"),
    "a longer issuer": (lambda claims: claims | {"iss": claims["iss"] + "/"}, "another issuer"),
    "expired": (lambda claims: claims | {"iat": time.time() - 900, "exp": time.time() - 61}, "expired"),
    "no expiry": (lambda claims: claims | {"exp": "soon"}, "does not say when"),
    "from the future": (lambda claims: claims | {"iat": time.time() + 120}, "from the future"),
    "not yet": (lambda claims: claims | {"nbf": time.time() + 120}, "from the future"),
    "nobody": (lambda claims: claims | {"sub": ""}, "for whom"),
    "a number": (lambda claims: claims | {"sub": 5}, "for whom"),
    "no name": (lambda claims: claims | {"preferred_username": None}, "gives no preferred_username"),
}


@pytest.mark.parametrize("lie", LIES)
def test_an_id_token_that_says_something_wrong(wary: House, provider: Provider, lie: str) -> None:
    change, why = LIES[lie]
    provider.claims = change
    assert_refused(wary, provider, why)


@pytest.mark.parametrize(
    ("signed", "why"),
    [
        (_unsigned, "not signed by the provider"),
        (lambda claims: jwt.encode({"alg": "RS256", "kid": "first"}, claims, STRANGER), "not signed by the provider"),
        (lambda claims: jwt.encode({"alg": "RS256", "kid": "other"}, claims, STRANGER), "does not show"),
        (lambda claims: jwt.encode({"alg": "HS256"}, claims, OctKey.import_key("AAAA" * 8)), "not signed"),
        (lambda claims: "not a token", "not signed by the provider"),
        (lambda claims: "a.b.c", "not signed by the provider"),
    ],
    ids=["none", "other key", "unknown key", "shared secret", "text", "dots"],
)
@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_an_id_token_that_the_provider_did_not_sign(
    wary: House, provider: Provider, signed: Callable[[Claims], str], why: str
) -> None:
    provider.sign = signed
    assert_refused(wary, provider, why)


def test_a_public_key_is_no_shared_secret(wary: House, provider: Provider) -> None:
    """The classic confusion: HS256, with the provider's public key as the secret."""

    def signed(claims: Claims) -> str:
        text = _part({"alg": "HS256", "kid": "first"}) + "." + _part(claims)
        seal = hmac.digest(provider.key.as_pem(private=False), text.encode(), "sha256")
        return text + "." + base64.urlsafe_b64encode(seal).rstrip(b"=").decode()

    provider.sign = signed
    assert_refused(wary, provider, "not signed by the provider")


def assert_refused(wary: House, provider: Provider, why: str) -> None:
    browser = wary.browser()
    answer = come_back(wary, provider, browser)
    assert answer.status_code == 401
    assert "oidc.refused" in answer.text
    assert why in answer.text
    assert COOKIE not in browser.cookies
    assert wary.accounts.users.list() == []
    last = wary.audit()[-1]
    assert (last.actor, last.action, last.why) == ("somebody", "session.refuse", "oidc.refused")


def test_an_answer_counts_once_for_the_browser_and_the_attempt_that_asked(here: House, provider: Provider) -> None:
    first, second = here.browser(), here.browser()
    answers = [provider.back(each.get("/login/oidc").headers["location"]) for each in (first, second)]
    swapped = second.get(answers[0])
    assert (swapped.status_code, "another attempt" in swapped.text) == (401, True)
    over = second.get(answers[1])  # that attempt is over
    assert (over.status_code, "did not begin" in over.text) == (401, True)
    stolen = here.browser().get(answers[0])  # a code that was caught on the way, in another browser
    assert (stolen.status_code, "did not begin" in stolen.text) == (401, True)
    assert come_back(here, provider, first).status_code == 303
    again = first.get(provider.asked["redirect_uri"], params={"code": "the code", "state": provider.asked["state"]})
    assert again.status_code == 401


def test_a_stranger_cannot_fill_the_trail_with_refusals(here: House) -> None:
    for _ in range(TRIES + 5):
        assert here.browser().get("/login/oidc/callback?code=x&state=y").status_code == 401
    assert [action for _, action, _ in here.decisions()].count("session.refuse") == TRIES


def test_an_attempt_that_takes_too_long_is_over(tmp_path: Path, provider: Provider) -> None:
    clock = FakeClock()
    settings = {"oidc_issuer": provider.issuer, "oidc_client_id": "lineside", "oidc_roles": ROLES}
    with house(tmp_path / "root", clock, **settings) as here:
        browser = here.browser()
        back = provider.back(browser.get("/login/oidc").headers["location"])
        clock.advance(600)
        assert "too long ago" in browser.get(back).text


def test_an_answer_of_another_provider_is_not_taken_for_this_ones(here: House, provider: Provider) -> None:
    """RFC 9207: mix-up."""
    browser = here.browser()
    back = provider.back(browser.get("/login/oidc").headers["location"])
    assert "another issuer" in browser.get(back + "&iss=https://other.example").text
    back = provider.back(browser.get("/login/oidc").headers["location"])
    assert browser.get(back + f"&iss={provider.issuer}").status_code == 303


def test_a_new_key_of_the_provider_is_found(here: House, provider: Provider) -> None:
    assert come_back(here, provider, here.browser()).status_code == 303
    before, provider.key = provider.key, RSAKey.generate_key(2048, {"kid": "second"})
    try:
        assert come_back(here, provider, here.browser()).status_code == 303
    finally:
        provider.key = before


def test_what_the_id_token_leaves_out_is_asked_for(here: House, provider: Provider) -> None:
    provider.person = {}
    provider.more = {"sub": "1234", "preferred_username": "ann", "groups": ["cn=quality,ou=works"]}
    browser = here.browser()
    assert come_back(here, provider, browser).status_code == 303
    assert browser.get("/api/v1/me").json()["roles"] == ["approver"]
    provider.more["sub"] = "5678"
    assert "about somebody else" in come_back(here, provider, here.browser()).text


def test_who_somebody_is_hangs_on_the_provider_and_its_subject_not_on_a_name(here: House, provider: Provider) -> None:
    here.person("ann", Role.ADMIN)
    answer = come_back(here, provider, here.browser())
    assert (answer.status_code, "somebody else has that name" in answer.text) == (409, True)
    provider.person["preferred_username"] = "ann@works"
    assert come_back(here, provider, here.browser()).status_code == 303
    provider.person["preferred_username"] = "bob"  # renamed over there
    browser = here.browser()
    come_back(here, provider, browser)
    assert browser.get("/api/v1/me").json()["name"] == "ann@works"
    provider.claims = lambda claims: claims | {"sub": "9", "preferred_username": "local"}
    assert "user.name_bad" in come_back(here, provider, here.browser()).text


def test_who_is_disabled_here_stays_out(here: House, provider: Provider) -> None:
    here.person("ada", Role.ADMIN)
    browser = here.browser()
    come_back(here, provider, browser)
    here.accounts.users.disable("ann")
    assert browser.get("/api/v1/me").status_code == 401
    assert "login.refused" in come_back(here, provider, here.browser()).text
    local = here.local()
    for path, sent in (("link", None), ("roles", {"roles": ["admin"]})):
        here.accounts.users.enable("ann")
        answer = local.post(f"/api/v1/users/ann/{path}", json=sent)
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "user.elsewhere")


@pytest.mark.parametrize(
    "answer",
    [
        (500, {}, b""),
        (302, {"Location": "http://127.0.0.1:1/"}, b""),
        (200, {}, b"[]"),
        (200, {}, b"[" * 100_000),
        (200, {}, b"x" * (1 << 21)),
    ],
    ids=["500", "elsewhere", "list", "deep", "large"],
)
def test_a_provider_that_answers_something_else(
    wary: House, provider: Provider, answer: tuple[int, dict[str, str], bytes]
) -> None:
    provider.replaced["/token"] = answer
    shown = come_back(wary, provider, wary.browser())
    assert (shown.status_code, "oidc.unreachable" in shown.text) == (503, True)
    assert wary.accounts.users.list() == []


@pytest.mark.parametrize(
    "described",
    [
        {"issuer": "https://other.example"},
        {"token_endpoint": "http://other.example/token"},
        {"jwks_uri": "file:///etc/passwd"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"jwks_uri": None},
    ],
)
def test_a_provider_whose_description_does_not_fit(provider: Provider, described: Claims) -> None:
    provider.described = described
    settings = Settings(oidc_issuer=provider.issuer, oidc_client_id=provider.client, oidc_roles=ROLES)
    with pytest.raises(LinesideError) as caught:
        Ours(settings, SystemClock()).begin("http://127.0.0.1/login/oidc/callback", "/")
    assert caught.value.code == "oidc.unreachable"


@pytest.mark.parametrize("keys", [b'{"keys": "none"}', b'{"keys": []}', b'{"keys": [{"kty": "RSA"}]}', b"[]"])
def test_a_provider_whose_keys_cannot_be_read(tmp_path: Path, provider: Provider, keys: bytes) -> None:
    (tmp_path / "secret").write_text(provider.secret)
    ours = Ours(
        Settings(
            oidc_issuer=provider.issuer,
            oidc_client_id=provider.client,
            oidc_roles=ROLES,
            oidc_secret_file=str(tmp_path / "secret"),
        ),
        SystemClock(),
    )
    provider.replaced["/jwks"] = (200, {}, keys)
    begun = ours.begin("http://127.0.0.1/login/oidc/callback", "/")
    back = dict(parse_qsl(urlsplit(provider.back(begun.url)).query))
    with pytest.raises(LinesideError) as caught:
        ours.finish(back, begun.remembered)
    assert caught.value.code == "oidc.unreachable"


def test_the_form_offers_it_only_when_there_is_a_provider(here: House, tmp_path: Path) -> None:
    assert "/login/oidc?next=/devices" in here.browser().get("/login?next=/devices").text
    with house(tmp_path / "other") as without:
        assert "/login/oidc" not in without.browser().get("/login").text
        answer = without.browser().get("/login/oidc")
        assert (answer.status_code, "oidc.off" in answer.text) == (404, True)


@pytest.mark.parametrize(
    "wrong",
    [
        {"oidc_client_id": ""},
        {"oidc_roles": ""},
        {"oidc_roles": "it=king"},
        {"oidc_issuer": "http://sso.example"},
        {"oidc_issuer": "sso.example"},
        {"oidc_secret_file": "/nonexistent"},
        {"oidc_ca": "/nonexistent"},
    ],
)
def test_settings_that_do_not_fit_stop_the_start(wrong: dict[str, str]) -> None:
    good = {"oidc_issuer": "https://sso.example/realms/works", "oidc_client_id": "lineside", "oidc_roles": ROLES}
    Ours(Settings(**good), SystemClock())  # type: ignore[arg-type]
    with pytest.raises(LinesideError) as caught:
        Ours(Settings(**(good | wrong)), SystemClock())  # type: ignore[arg-type]
    assert caught.value.code == "start.setting_invalid"


def test_groups_give_roles_and_nothing_else_does() -> None:
    table = mapping(ROLES)
    assert table == {"line-leads": Role.OPERATOR, "it": Role.ADMIN, "cn=quality,ou=works": Role.APPROVER}
    assert roles_of(["it", "choir", "line-leads", 5, None], table) == (Role.OPERATOR, Role.ADMIN)
    assert roles_of("it", table) == (Role.ADMIN,)
    for nothing in (None, {}, {"it": True}, "admin", ["admin", "IT", ""], 1):
        assert roles_of(nothing, table) == ()


def test_the_browser_is_sent_with_everything_the_provider_needs(here: House, provider: Provider) -> None:
    away = urlsplit(here.browser().get("/login/oidc").headers["location"])
    asked = {name: values[0] for name, values in parse_qs(away.query).items()}
    assert asked["response_type"] == "code"
    assert asked["client_id"] == provider.client
    assert asked["redirect_uri"] == here.up.people_url + "/login/oidc/callback"
    assert asked["scope"] == "openid profile email"
    assert asked["code_challenge_method"] == "S256"
