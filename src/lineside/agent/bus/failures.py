"""What the bus says when it cannot do what was asked: errors by the names of AWS's model."""

from __future__ import annotations

from typing import Any

import msgspec

from lineside.contract.errors import Kind, LinesideError

_BY_CODE = {
    "bus.component_unknown": "ComponentNotFoundError",
    "bus.condition_failed": "FailedUpdateConditionCheckError",
    "bus.unsupported": "ServiceError",
    "bus.busy": "ServiceError",
}
_BY_KIND = {
    Kind.REFUSED: "InvalidArgumentsError",
    Kind.UNAUTHENTICATED: "UnauthorizedError",
    Kind.FORBIDDEN: "UnauthorizedError",
    Kind.MISSING: "ResourceNotFoundError",
    Kind.CONFLICT: "ConflictError",
    Kind.TOO_LARGE: "InvalidArgumentsError",
}


class Failure(Exception):
    """An error as a component sees it: a modelled name, a sentence, and more keys of its model."""

    def __init__(self, name: str, message: str, **more: Any) -> None:
        super().__init__(f"{name}: {message}")
        self.name, self.message, self.more = name, message, more

    def payload(self) -> bytes:
        """As it travels: `message` is what the SDKs read, the other two are what Greengrass's own servers write."""
        body = self.more | {"message": self.message, "_message": self.message, "_errorCode": self.name}
        return msgspec.json.encode(body)


def failure(error: LinesideError) -> Failure:
    """An error of ours in AWS's words; a ServiceError carries our code and next step as its context."""
    name = _BY_CODE.get(error.code) or _BY_KIND.get(error.kind, "ServiceError")
    if name == "ServiceError":
        return Failure(name, error.message, context={"code": error.code, "next": error.next})
    if name == "ResourceNotFoundError":
        what, resource = next(iter(error.params.items()), ("resource", ""))
        return Failure(name, error.message, resourceType=what, resourceName=resource)
    return Failure(name, error.message)


def invalid(message: str) -> Failure:
    """The request itself is wrong."""
    return Failure("InvalidArgumentsError", message)


def missing(kind: str, name: str, message: str) -> Failure:
    """What the request names is not there."""
    return Failure("ResourceNotFoundError", message, resourceType=kind, resourceName=name)
