"""Keys, proposals and the signatures they wait for."""

from __future__ import annotations

from lineside.contract.errors import Kind, Problem

ROWS = (
    Problem(
        "trust.keys_elsewhere",
        Kind.CONFLICT,
        "The keys of {role} are not on this machine, or not enough of them.",
        "Propose it, and have it signed where the keys are: lineside trust proposals",
    ),
    Problem(
        "trust.overtaken",
        Kind.CONFLICT,
        "Something newer was published meanwhile: {role} is at version {current}, this is version {version}.",
        "Propose it again.",
    ),
    Problem(
        "trust.not_signed",
        Kind.CONFLICT,
        "{role} is not signed by enough of its keys: {why}.",
        "Sign it: lineside trust sign ID --key FILE",
    ),
    Problem(
        "trust.nothing_changed", Kind.REFUSED, "That would change nothing that is signed.", "See: lineside trust show"
    ),
    Problem("trust.role_unknown", Kind.REFUSED, "There is no role named {role}.", "Use one of: {known}"),
    Problem("trust.key_known", Kind.CONFLICT, "{role} trusts the key {key} already.", "See: lineside trust keys"),
    Problem(
        "trust.key_unknown", Kind.MISSING, "{role} does not trust a key {key}.", "See its keys: lineside trust keys"
    ),
    Problem(
        "trust.too_few_keys",
        Kind.REFUSED,
        "Keys that {role} would have: {keys}; that must sign: {threshold}.",
        "Add a key or lower the threshold first: lineside trust key add, lineside trust threshold",
    ),
    Problem(
        "trust.key_invalid",
        Kind.REFUSED,
        "This is not a public key that can be trusted: {why}.",
        "Give an Ed25519 or ECDSA P-256 public key as PEM: lineside trust key make FILE writes one to FILE.pub",
    ),
    Problem(
        "trust.change_incomplete",
        Kind.REFUSED,
        "A change of kind {kind} needs {what}.",
        "See: lineside trust --help",
    ),
    Problem("trust.kind_unknown", Kind.REFUSED, "There is no change of kind {kind} to propose.", "Use one of: {known}"),
    Problem(
        "trust.online_role",
        Kind.REFUSED,
        "The control plane signs {role} by itself, with one key of its own.",
        "Give it a new one: lineside trust rotate {role}",
    ),
    Problem(
        "trust.key_not_asked",
        Kind.FORBIDDEN,
        "The proposal {proposal} asks for no signature over {role} by the key {key}.",
        "See whose signatures it waits for: lineside trust proposal show {proposal}",
    ),
    Problem(
        "trust.signature_wrong",
        Kind.CORRUPT,
        "The signature by the key {key} is not over the bytes of {role} that were proposed.",
        "Sign again: lineside trust sign {proposal} --key FILE",
    ),
    Problem(
        "trust.proposal_closed",
        Kind.CONFLICT,
        "The proposal {proposal} is {state}: nothing is signed or withdrawn any more.",
        "See what waits: lineside trust proposals",
    ),
    Problem(
        "trust.taken_over",
        Kind.CONFLICT,
        "The keys of {role} lie elsewhere already.",
        "Change them one by one: lineside trust key add, lineside trust rotate",
    ),
    Problem(
        "trust.proposal_unexpected",
        Kind.FORBIDDEN,
        "The proposal {proposal} says it is a {kind} of {subject}, but it would also do this: {what}.",
        "Do not sign it. Somebody must look at the control plane.",
    ),
    Problem(
        "trust.root_differs",
        Kind.FORBIDDEN,
        "No root of this control plane has SHA-256 {expected}; its newest has {actual}.",
        "Compare with what another signer sees: lineside trust show. Sign nothing if it differs.",
    ),
    Problem(
        "trust.root_unconfirmed",
        Kind.REFUSED,
        "This machine has not seen the root of this control plane before. Its newest root has SHA-256 {actual}.",
        "Compare it with what another signer sees, then: --root-sha256 {actual}",
    ),
    Problem(
        "trust.history_broken",
        Kind.CORRUPT,
        "What the control plane says does not follow from what this machine trusts: {why}.",
        "Sign nothing. Somebody must look at the control plane.",
    ),
    Problem(
        "trust.key_file",
        Kind.REFUSED,
        "The key file {file} cannot be used: {why}.",
        "Give a private Ed25519 or ECDSA P-256 key as PEM (PKCS #8): lineside trust key make FILE",
    ),
    Problem(
        "trust.key_file_exists",
        Kind.CONFLICT,
        "{file} exists already; a key is never written over.",
        "Choose another name, or sign with what lies there.",
    ),
    Problem(
        "trust.nothing_to_sign",
        Kind.CONFLICT,
        "The proposal {proposal} waits for no signature by the key {key}.",
        "See whose signatures it waits for: lineside trust proposal show {proposal}",
    ),
    Problem(
        "trust.not_confirmed", Kind.REFUSED, "Nothing was signed.", "Read what it changes, then answer yes, or: --yes"
    ),
)
