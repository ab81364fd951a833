"""Bearer tokens: 256 random bits that act as one actor in one role, until they expire or are revoked.

A token is shown once. The ledger keeps its SHA-256, which is enough to know it and of no use to whoever reads
the ledger. Creation and revocation are entries, signed by an operator as soon as there is one, exactly like
registrations of keys. No row beside the entries says anything about tokens, so nothing there can be altered.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import threading
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from phasegate.engine.app.access.roles import TokenRole
from phasegate.engine.app.command_path import CommandPath
from phasegate.engine.app.people.keys import Role
from phasegate.engine.app.people.registrations import ANY_OPERATOR, OPERATOR_ROW, Registrations
from phasegate.engine.app.people.signing_off import signed_off
from phasegate.engine.app.recorded import recorded
from phasegate.engine.core.errors import BadInput, Conflict
from phasegate.engine.core.opening import LEDGER_STREAM
from phasegate.engine.core.ports import Clock
from phasegate.engine.core.token_events import TokenCreated, TokenRevoked
from phasegate.ledger.entry import Entry
from phasegate.ledger.errors import VersionConflict
from phasegate.ledger.store import Expect, Projection, Store

TOKEN_PREFIX: Final = "pgt_"  # noqa: S105 - the beginning of every token
"""Scanners for secrets know a token by it."""
TOKEN_BYTES: Final = 32
ACTOR_PREFIX: Final = "token:"
TOKEN_CHARS_MAX: Final = 128
_ID_DIGITS: Final = 12

_is_name = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}").fullmatch
_is_span = re.compile(r"([1-9][0-9]{0,4})([mhd])").fullmatch
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}


class TokenRefused(BadInput):
    """A token that counts for nothing. The message never says which part of it was right."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token gives.

    Attributes:
        id: what people call the token.
        actor: whom it acts as, `token:NAME`.
        role: what it may do.
        digest: SHA-256 of the token.
        created: time of the entry that created it.
        expires: from when on it counts no more; empty for never.
        by: who created it.
        revoked: time of the entry that revoked it; empty while none did.
    """

    id: str
    actor: str
    role: TokenRole
    digest: str
    created: str
    expires: str
    by: str
    revoked: str = ""

    def status(self, now: str) -> str:
        """`active`, `expired` or `revoked`."""
        if self.revoked:
            return "revoked"
        return "expired" if self.expires and now >= self.expires else "active"


class Tokens:
    """The tokens of a ledger. Safe to share between threads.

    Args:
        path: records creations and revocations.
        store: the ledger.
        keys: who is an operator.
        clock: tells the time.
    """

    def __init__(self, path: CommandPath, store: Store, keys: Registrations, clock: Clock) -> None:
        self._path = path
        self._store = store
        self._keys = keys
        self._clock = clock
        self._grants: dict[str, Grant] = {}
        self._seen = 0
        self._following = threading.Lock()

    def create(
        self, actor: str, role: TokenRole, *, expires: str = "", key: Path | None = None
    ) -> tuple[str, Grant]:
        """Create a token.

        Args:
            actor: name of whom it acts as; their key, if they have one, should be registered under the same.
            role: what it may do.
            expires: when it expires, `2027-01-31T00:00:00Z`, or after how long: `90m`, `12h`, `30d`.
            key: private key file of an operator; needed as soon as an operator is registered.

        Returns:
            The token, which cannot be shown again, and what it gives.

        Raises:
            BadInput: the name or the time is none; or an operator has to sign it, and none did.
            Conflict: the first operator was registered meanwhile.
        """
        if _is_name(actor) is None:
            raise BadInput(
                f"`{actor[:80]}` cannot be the name of an actor",
                "use letters, digits and `. _ @ -`, at most 64, beginning with a letter or digit",
            )
        until = _until(expires, self._clock.now()) if expires else ""
        token = TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
        digest = _digest(token)
        name = digest[:_ID_DIGITS]
        who = f"{ACTOR_PREFIX}{actor}"
        by, statement, rows, expect = self._signed(created_as(digest, who, role, until), key)
        event = TokenCreated(
            id=name, actor=who, role=role, digest=digest, expires=until, by=by, statement=statement
        )
        entry = self._recorded(event, rows, expect)
        return token, _grant(entry, event)

    def revoke(self, name: str, *, key: Path | None = None) -> Grant:
        """Revoke a token, for good.

        Args:
            name: its id, as `list` shows it.
            key: as for `create`.

        Raises:
            BadInput: there is no such token, it was revoked before, or an operator has to sign it.
            Conflict: as `create`.
        """
        found = next((grant for grant in self.list() if grant.id == name), None)
        if found is None:
            raise BadInput(f"there is no token `{name[:40]}`", "see `engine token list`")
        if found.revoked:
            raise BadInput(f"the token `{name}` was revoked at {found.revoked}", "there is nothing to do")
        by, statement, rows, expect = self._signed(revoked_as(found.digest), key)
        event = TokenRevoked(id=name, digest=found.digest, by=by, statement=statement)
        entry = self._recorded(event, rows, expect)
        return replace(found, revoked=entry.at)

    def list(self) -> tuple[Grant, ...]:
        """All tokens that were ever created, oldest first."""
        self._follow()
        return tuple(self._grants.values())

    def grant(self, token: str) -> Grant:
        """What a token gives now.

        It is looked up by its SHA-256, so how long that takes says nothing that helps to guess it.

        Raises:
            TokenRefused: there is no such token, or it has expired or was revoked.
        """
        digest = _digest(token[: TOKEN_CHARS_MAX + 1])
        self._follow()
        found = self._grants.get(digest)
        if found is None or not hmac.compare_digest(found.digest, digest):
            raise TokenRefused("the token is unknown", "have an operator make one: `engine token create`")
        status = found.status(self._clock.now())
        if status != "active":
            text = f"the token `{found.id}` is {status}"
            raise TokenRefused(text, "have an operator make a new one: `engine token create`")
        return found

    def _follow(self) -> None:
        """Fold what was recorded since the last look; the first reads the ledger's own stream once."""
        with self._following:
            size = self._store.head().size
            if size <= self._seen:
                return
            for entry in self._store.entries(since=self._seen, task=LEDGER_STREAM):
                if entry.type == TokenCreated.kind:
                    event = recorded(entry).event
                    if isinstance(event, TokenCreated):
                        self._grants.setdefault(event.digest, _grant(entry, event))
                elif entry.type == TokenRevoked.kind:
                    self._revoked(str(entry.payload["digest"]), entry.at)
            self._seen = size

    def _revoked(self, digest: str, at: str) -> None:
        found = self._grants.get(digest)
        if found is not None and not found.revoked:
            self._grants[digest] = replace(found, revoked=at)

    # -- who may --------------------------------------------------------------------------------------

    def _signed(
        self, what: str, key: Path | None
    ) -> tuple[str, str, tuple[Projection, ...], tuple[Expect, ...]]:
        """Whoever signs, the digest of what they signed, the row that holds it, what the commit demands."""
        if not self._keys.has_operator():
            return self._path.actor, "", (), (Expect(OPERATOR_ROW, ANY_OPERATOR, 0),)
        if key is None:
            raise BadInput(
                "an operator is registered, so an operator has to sign every token and revocation",
                "have one give their key with `--key FILE`",
            )
        by, statement, row = signed_off(
            self._keys,
            key,
            frozenset({Role.OPERATOR}),
            ledger=self._store.ledger,
            what=what,
            reason=what.partition(" ")[0],
            at=self._clock.now(),
        )
        return by, statement, (row,), ()

    def _recorded(
        self, event: TokenCreated | TokenRevoked, rows: tuple[Projection, ...], expect: tuple[Expect, ...]
    ) -> Entry:
        try:
            return self._path.record_for_ledger(event, rows, expect)
        except VersionConflict as error:
            text = "an operator was registered meanwhile, and has to sign this"
            raise Conflict(text, "have them give their key with `--key FILE`") from error


def created_as(digest: str, actor: str, role: str, expires: str) -> str:
    """What an operator signs to create a token."""
    return f"token:{digest} {actor} {role} {expires or 'never'}"


def revoked_as(digest: str) -> str:
    """What an operator signs to revoke one."""
    return f"revoke:{digest}"


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _grant(entry: Entry, event: TokenCreated) -> Grant:
    return Grant(
        event.id, event.actor, TokenRole(event.role), event.digest, entry.at, event.expires, event.by
    )


def _until(text: str, now: str) -> str:
    """A time to come, as entries write times."""
    since = datetime.fromisoformat(now)
    at = _moment(text, since)
    if at is None:
        raise BadInput(
            f"`{text[:40]}` is no time to expire at", "write `30d`, `12h`, `90m` or `2027-01-31T00:00:00Z`"
        )
    if at <= since:
        raise BadInput(f"`{text[:40]}` is in the past", "name a time to come")
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _moment(text: str, now: datetime) -> datetime | None:
    span = _is_span(text)
    if span is not None:
        return now + timedelta(**{_UNITS[span[2]]: int(span[1])})
    try:
        at = datetime.fromisoformat(text)
        return at.astimezone(UTC) if at.tzinfo is not None else None
    except (ValueError, OverflowError):  # of a year that UTC has not
        return None
