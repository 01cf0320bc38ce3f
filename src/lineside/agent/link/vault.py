"""Key use in a short-lived process of its own: `python -m lineside.agent.link.vault`.

The resident agent imports no cryptography and never holds the device's key for signing: what needs them is asked of a
child, one JSON line in and one out, which then ends. (Its imports alone would be a fifth of the agent's memory.)

    {"do": "sign", "key": PATH, "claims": {…}}  ►  {"token": JWT}
    {"do": "certificate", "path": PATH}         ►  {"not_after": seconds since the epoch, "subject": …}
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from lineside.agent.link.error import LinkError

SECONDS = 30.0
"""How long a request may take."""


def sign(key: Path, claims: dict[str, Any]) -> str:
    """A JWT over claims with the device's key (ES256). Raises `device.key_unusable`."""
    return str(_ask({"do": "sign", "key": str(key), "claims": claims}, key)["token"])


def certificate_end(path: Path) -> float:
    """When a certificate ends, in seconds since the epoch. Raises `device.key_unusable`."""
    return float(_ask({"do": "certificate", "path": str(path)}, path)["not_after"])


def _ask(request: dict[str, Any], path: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "lineside.agent.link.vault"]
    try:
        done = subprocess.run(
            command, input=json.dumps(request), capture_output=True, text=True, timeout=SECONDS, check=False
        )
        answer = json.loads(done.stdout) if done.returncode == 0 else {"error": _last_line(done.stderr)}
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        answer = {"error": str(error)}
    if "error" in answer:
        raise LinkError("device.key_unusable", path=path, why=answer["error"])
    return dict(answer)


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["it ended without a word"])[-1]


# --- inside the child ---------------------------------------------------------------------------------------------


def _sign(request: dict[str, Any]) -> dict[str, Any]:
    from joserfc import jwt
    from joserfc.jwk import ECKey

    key = ECKey.import_key(Path(request["key"]).read_bytes())
    return {"token": jwt.encode({"alg": "ES256"}, request["claims"], key, algorithms=["ES256"])}


def _certificate(request: dict[str, Any]) -> dict[str, Any]:
    from cryptography import x509

    found = x509.load_pem_x509_certificate(Path(request["path"]).read_bytes())
    return {"not_after": found.not_valid_after_utc.timestamp(), "subject": found.subject.rfc4514_string()}


_ACTS = {"sign": _sign, "certificate": _certificate}


def main() -> int:
    """Answer one request."""
    request = json.load(sys.stdin)
    try:
        answer = _ACTS[request["do"]](request)
    except (OSError, ValueError, TypeError) as error:
        answer = {"error": f"{error}" or type(error).__name__}
    sys.stdout.write(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
