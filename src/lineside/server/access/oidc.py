"""An OpenID provider: people sign in there, by the authorization code flow with PKCE, and are believed here.

    browser --> /login/oidc --> provider, with state, nonce, code challenge
    browser <-- /login/oidc/callback?code=…&state=…
    here    --> provider's token endpoint, with code and code verifier; <-- an ID token, see `oidc_answers`

What an attempt needs to remember travels in a stamped cookie of the browser that began it, so that a code that somebody
else was given (login CSRF) is of no use, and nothing is kept here for those who never come back.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote_plus, urlencode, urlsplit

import msgspec
import urllib3
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from lineside.contract.errors import LinesideError
from lineside.server.access.accounts import Identity
from lineside.server.access.oidc_answers import Expected, believed, claim, mapping, roles_of
from lineside.server.clock import Clock
from lineside.server.settings import Settings

T = TypeVar("T")

_TIMEOUT = urllib3.Timeout(connect=5.0, read=10.0)
_LONGEST = 1 << 20  # bytes of an answer
_FRESH = 3600.0  # seconds for which the provider's description and keys are not asked for again
_AT_ONCE = 4  # requests to the provider; a provider that hangs must not hold every thread


class _Description(msgspec.Struct, kw_only=True):
    """OpenID Connect Discovery 1.0, section 3, as far as it matters here."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False


class _Tokens(msgspec.Struct, kw_only=True):
    id_token: str
    access_token: str = ""


@dataclass(frozen=True, kw_only=True)
class Begun:
    """An attempt to sign in: where the browser goes, and what it must bring back."""

    url: str
    remembered: dict[str, str] = field(repr=False)


class Provider:
    """The provider that the settings name. Every method asks it over HTTPS, so it may take seconds."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        """Raises `start.setting_invalid`."""
        self._settings, self._clock = settings, clock
        self._issuer, self._client = settings.oidc_issuer, settings.oidc_client_id
        self._turns = threading.BoundedSemaphore(_AT_ONCE)
        self._described: tuple[float, _Description] | None = None
        self._keys: tuple[float, KeySet] | None = None
        if not self.configured:
            return
        self._roles = mapping(settings.oidc_roles)
        if not self._client or not self._roles:
            raise LinesideError("start.setting_invalid", why="--oidc-issuer needs --oidc-client-id and --oidc-roles")
        if not _is_private(self._issuer, self._issuer):
            raise LinesideError("start.setting_invalid", why="--oidc-issuer must be an https URL")
        self._secret = _read(settings.oidc_secret_file, "--oidc-secret-file").strip()
        _read(settings.oidc_ca, "--oidc-ca")
        self._pool = urllib3.PoolManager(ca_certs=settings.oidc_ca or None, retries=False, timeout=_TIMEOUT)

    @property
    def configured(self) -> bool:
        """Whether there is one."""
        return bool(self._issuer)

    def begin(self, redirect: str, next: str) -> Begun:
        """Send a browser there; it comes back to `redirect`, and then goes on to `next`. Raises `oidc.off`,
        `oidc.unreachable`, `login.busy`."""
        endpoint = self._description().authorization_endpoint
        verifier, state, nonce = (secrets.token_urlsafe(32) for _ in range(3))
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "response_type": "code",
            "client_id": self._client,
            "redirect_uri": redirect,
            "scope": self._settings.oidc_scopes,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        url = endpoint + ("&" if "?" in endpoint else "?") + urlencode(asked)
        remembered = {"state": state, "nonce": nonce, "verifier": verifier, "redirect": redirect, "next": next}
        return Begun(url=url, remembered=remembered)

    def finish(self, answer: Mapping[str, str], remembered: Mapping[str, Any] | None) -> Identity:
        """Who came back. `answer` is the query they came with. Raises `oidc.off`, `oidc.refused`,
        `oidc.unreachable`, `login.busy`."""
        described = self._description()
        if remembered is None:
            raise LinesideError("oidc.refused", why="this browser did not begin to sign in, or too long ago")
        if not hmac.compare_digest(answer.get("state", "").encode(), str(remembered["state"]).encode()):
            raise LinesideError("oidc.refused", why="the answer is to another attempt to sign in")
        given = answer.get("iss")  # RFC 9207: else one provider's answer could be taken for another's
        if given != self._issuer and (given or described.authorization_response_iss_parameter_supported):
            raise LinesideError("oidc.refused", why="the answer is from another issuer")
        if "error" in answer or "code" not in answer:
            raise LinesideError("oidc.refused", why=f"the provider says {answer.get('error', 'nothing')[:80]!r}")
        tokens = self._exchange(described, answer["code"], remembered)
        expected = Expected(
            issuer=self._issuer,
            client=self._client,
            nonce=str(remembered["nonce"]),
            now=self._clock.now().timestamp(),
        )
        return self._identity(described, tokens, self._believed(described, tokens.id_token, expected))

    def _identity(self, described: _Description, tokens: _Tokens, claims: dict[str, Any]) -> Identity:
        wanted = (self._settings.oidc_name_claim, self._settings.oidc_roles_claim)
        if described.userinfo_endpoint and any(claim(claims, name) is None for name in wanted):
            more = self._userinfo(described.userinfo_endpoint, tokens.access_token)
            if more.get("sub") != claims["sub"]:  # OpenID Connect Core 1.0, section 5.3.2
                raise LinesideError("oidc.refused", why="what it says of the person is about somebody else")
            claims = more | claims
        name, groups = (claim(claims, name) for name in wanted)
        if not isinstance(name, str) or not name:
            raise LinesideError("oidc.refused", why=f"it gives no {wanted[0]}")
        if wanted[0] == "email" and claims.get("email_verified") is not True:
            raise LinesideError("oidc.refused", why="the address is not verified there")
        roles = roles_of(groups, self._roles)
        return Identity(issuer=self._issuer, subject=claims["sub"], name=name.strip().lower(), roles=roles)

    def _believed(self, described: _Description, token: str, expected: Expected) -> dict[str, Any]:
        try:
            return believed(token, self._key_set(described), expected)
        except InvalidKeyIdError:
            pass  # the provider has a new key, perhaps
        try:
            return believed(token, self._key_set(described, again=True), expected)
        except InvalidKeyIdError as error:
            raise LinesideError(
                "oidc.refused", why="the ID token is signed by a key the provider does not show"
            ) from error

    # --- asking the provider --------------------------------------------------------------------------------------

    def _description(self) -> _Description:
        if not self.configured:
            raise LinesideError("oidc.off")
        now = self._clock.now().timestamp()
        if self._described is not None and now - self._described[0] < _FRESH:
            return self._described[1]
        url = self._issuer.rstrip("/") + "/.well-known/openid-configuration"
        found = self._asked("GET", url, _Description)
        if found.issuer != self._issuer:
            raise LinesideError("oidc.unreachable", why=f"it calls itself {found.issuer[:80]!r}")
        urls = (found.authorization_endpoint, found.token_endpoint, found.jwks_uri, found.userinfo_endpoint)
        for each in urls:
            if each is not None and not _is_private(each, self._issuer):
                raise LinesideError("oidc.unreachable", why=f"{each[:80]!r} is no https URL")
        self._described = (now, found)
        return found

    def _key_set(self, described: _Description, *, again: bool = False) -> KeySet:
        now = self._clock.now().timestamp()
        if self._keys is not None and not again and now - self._keys[0] < _FRESH:
            return self._keys[1]
        raw = self._asked("GET", described.jwks_uri, dict[str, Any])
        try:
            keys = KeySet.import_key_set({"keys": [key for key in raw["keys"] if key.get("kty") != "oct"]})
        except (JoseError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise LinesideError("oidc.unreachable", why="its keys cannot be read") from error
        self._keys = (now, keys)
        return keys

    def _exchange(self, described: _Description, code: str, remembered: Mapping[str, Any]) -> _Tokens:
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": str(remembered["redirect"]),
            "code_verifier": str(remembered["verifier"]),
            "client_id": self._client,
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        methods = described.token_endpoint_auth_methods_supported
        if self._secret and ("client_secret_basic" in methods or "client_secret_post" not in methods):
            pair = f"{quote_plus(self._client)}:{quote_plus(self._secret)}"  # RFC 6749, section 2.3.1
            headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        elif self._secret:
            fields["client_secret"] = self._secret
        return self._asked("POST", described.token_endpoint, _Tokens, urlencode(fields).encode(), headers)

    def _userinfo(self, url: str, token: str) -> dict[str, Any]:
        return self._asked("GET", url, dict[str, Any], headers={"Authorization": f"Bearer {token}"})

    def _asked(
        self, method: str, url: str, answer: type[T], body: bytes | None = None, headers: Mapping[str, str] = {}
    ) -> T:
        accepted = {"Accept": "application/json", **headers}
        try:
            with self._turn():
                response = self._pool.request(
                    method, url, body=body, headers=accepted, redirect=False, preload_content=False
                )
                try:
                    raw = response.read(_LONGEST + 1, decode_content=True)
                finally:
                    response.close()
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise LinesideError("oidc.unreachable", why=f"{urlsplit(url).netloc}: {type(error).__name__}") from error
        if response.status != 200 or len(raw) > _LONGEST:
            raise LinesideError("oidc.unreachable", why=f"{urlsplit(url).path} answers HTTP {response.status}")
        try:
            return msgspec.json.decode(raw, type=answer)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise LinesideError("oidc.unreachable", why=f"{urlsplit(url).path} answers something else") from error

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._turns.acquire(timeout=1.0):
            raise LinesideError("login.busy")
        try:
            yield
        finally:
            self._turns.release()


def _is_private(url: str, issuer: str) -> bool:
    """Whether nobody on the way can read or change what is asked there: TLS, or a provider on this very machine."""
    parts = urlsplit(url)
    if parts.scheme == "https":
        return bool(parts.hostname)
    return parts.scheme == "http" and _is_here(parts.hostname) and _is_here(urlsplit(issuer).hostname)


def _is_here(host: str | None) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def _read(file: str, flag: str) -> str:
    if not file:
        return ""
    try:
        return Path(file).expanduser().read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise LinesideError("start.setting_invalid", why=f"{flag}: {error}") from error
