"""What can be wrong with a statement, an envelope or a key: closed kinds, each with its remedy."""

from __future__ import annotations

from enum import StrEnum

from phasegate.engine.core.errors import BadInput, IntegrityError


class Fault(StrEnum):
    """Why an envelope or a statement is refused."""

    MALFORMED = "malformed"
    TRAILING_DATA = "trailing_data"
    DUPLICATE_KEY = "duplicate_key"
    TOO_LARGE = "too_large"
    WRONG_SHAPE = "wrong_shape"
    BAD_BASE64 = "bad_base64"
    WRONG_PAYLOAD_TYPE = "wrong_payload_type"
    NO_SIGNATURES = "no_signatures"
    DUPLICATE_SIGNATURE = "duplicate_signature"
    UNKNOWN_KEY = "unknown_key"
    BAD_SIGNATURE = "bad_signature"
    WRONG_STATEMENT_TYPE = "wrong_statement_type"
    UNKNOWN_PREDICATE = "unknown_predicate"
    UNEXPECTED_PREDICATE = "unexpected_predicate"
    BAD_PREDICATE = "bad_predicate"
    BAD_SUBJECT = "bad_subject"
    NOT_AUTHORISED = "not_authorised"


class StatementError(IntegrityError):
    """An envelope or statement proves nothing.

    Attributes:
        fault: why, for programs.
    """

    def __init__(self, fault: Fault, message: str, remedy: str) -> None:
        super().__init__(message, remedy)
        self.fault = fault


class KeyFault(StrEnum):
    """Why a key, its file or its registration is refused."""

    BAD_NAME = "bad_name"
    MALFORMED = "malformed"
    WRONG_ALGORITHM = "wrong_algorithm"
    WRONG_HASH = "wrong_hash"
    NOT_PRIVATE = "not_private"
    PRIVATE = "private"
    TOO_OPEN = "too_open"
    EXISTS = "exists"
    MISSING = "missing"
    UNREADABLE = "unreadable"
    UNWRITABLE = "unwritable"
    NAME_TAKEN = "name_taken"
    KEY_TAKEN = "key_taken"
    ROLE_CONFLICT = "role_conflict"


class KeyRefused(BadInput):
    """A key or its file cannot be used. The message never repeats key material.

    Attributes:
        fault: why, for programs.
    """

    def __init__(self, fault: KeyFault, message: str, remedy: str) -> None:
        super().__init__(message, remedy)
        self.fault = fault
