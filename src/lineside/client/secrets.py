"""Operations of people's API about secrets of components."""

from __future__ import annotations

from lineside.client.calls import Calls
from lineside.contract.secret import KeyRotation, Secret, SecretDetails, SecretName, SetSecret


class Secrets(Calls):
    """Secrets of components."""

    def secrets(self) -> list[Secret]:
        """All secrets, without their values."""
        return self.connection.call("GET", "/secrets", list[Secret])

    def secret(self, name: str) -> SecretDetails:
        """One secret, and who may have it."""
        return self.connection.call("GET", "/secrets/details", SecretDetails, query={"name": name})

    def set_secret(self, name: str, value: bytes) -> Secret:
        """Give a secret a new value; devices that may have it fetch it."""
        return self.connection.call("POST", "/secrets", Secret, body=SetSecret(name=name, value=value))

    def remove_secret(self, name: str) -> Secret:
        """Forget a secret, here and then on the devices."""
        return self.connection.call("POST", "/secrets/remove", Secret, body=SecretName(name=name))

    def rotate_secrets_key(self) -> KeyRotation:
        """Change the key that secrets are stored with."""
        return self.connection.call("POST", "/secrets/rotate-key", KeyRotation)
