"""Operations of people's API about people, their sessions and tokens."""

from __future__ import annotations

import msgspec

from lineside.client.calls import Calls
from lineside.client.connection import path
from lineside.contract.people import (
    ApiToken,
    ChangePassword,
    Login,
    MadeToken,
    NewToken,
    NewUser,
    OneTimeLink,
    Role,
    Roles,
    SignedIn,
    UseLink,
    User,
    WhoAmI,
)


class People(Calls):
    """People."""

    def login(self, request: Login) -> SignedIn:
        """Sign in; name a `token`, since a client keeps no cookies."""
        return self.connection.call("POST", "/login", SignedIn, body=request)

    def use_link(self, request: UseLink) -> SignedIn:
        """Choose a password by a one-time link, and sign in."""
        return self.connection.call("POST", "/login/link", SignedIn, body=request)

    def logout(self) -> None:
        """The token that this client uses is good no more."""
        self.connection.send("POST", "/logout")

    def whoami(self) -> WhoAmI:
        """Who the control plane takes this client for, and what they may do."""
        return self.connection.call("GET", "/me", WhoAmI)

    def change_password(self, request: ChangePassword) -> None:
        """Choose another password."""
        data = msgspec.json.encode(request)
        self.connection.send("POST", "/me/password", data=data, content_type="application/json")

    def users(self) -> list[User]:
        """Everybody who has access, by name."""
        return self.connection.call("GET", "/users", list[User])

    def create_user(self, request: NewUser) -> User:
        """Give somebody access; then make them a link."""
        return self.connection.call("POST", "/users", User, body=request)

    def set_roles(self, name: str, roles: tuple[Role, ...]) -> User:
        """Replace somebody's roles."""
        return self.connection.call("POST", path("users", name, "roles"), User, body=Roles(roles=roles))

    def disable_user(self, name: str) -> User:
        """Shut somebody out, at once."""
        return self.connection.call("POST", path("users", name, "disable"), User)

    def enable_user(self, name: str) -> User:
        """Let somebody in again."""
        return self.connection.call("POST", path("users", name, "enable"), User)

    def remove_user(self, name: str) -> User:
        """Forget somebody."""
        return self.connection.call("POST", path("users", name, "remove"), User)

    def link_user(self, name: str) -> OneTimeLink:
        """Make somebody a one-time link, to choose a password by."""
        return self.connection.call("POST", path("users", name, "link"), OneTimeLink)

    def tokens(self) -> list[ApiToken]:
        """One's own API tokens, or for an admin everybody's, newest first."""
        return self.connection.call("GET", "/tokens", list[ApiToken])

    def create_token(self, request: NewToken) -> MadeToken:
        """Make an API token; its text is shown this once."""
        return self.connection.call("POST", "/tokens", MadeToken, body=request)

    def revoke_token(self, token: str) -> ApiToken:
        """Revoke an API token by its id."""
        return self.connection.call("POST", path("tokens", token, "revoke"), ApiToken)
