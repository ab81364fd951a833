"""The key ring of a home: the engine's own key, and who is registered for what.

    keys/engine.key            the engine's private key, mode 0600
    keys/engine.vkey           its public part
    keys/engine.next.key       its successor, while it is being rotated
    keys/operators/NAME.vkey   a registered public part: the verifier key, then `roles ROLE...`
    keys/.lock                 taken while the folder is changed

Private keys of operators lie where their owners keep them; the ring holds public parts. Every file appears
whole or not at all.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple, NoReturn

from phasegate.engine.app.people.key_files import (
    PRIVATE_MODE,
    create_key,
    generate_key,
    in_file,
    load_key,
    load_vkey,
    read_public,
    refuse_existing,
    rename_private,
    replace_public,
    unreadable,
    unwritable,
    write_private,
)
from phasegate.engine.statements.errors import KeyFault, KeyRefused
from phasegate.engine.statements.note_keys import SigningKey, VerifyKey
from phasegate.engine.statements.ports import Signer
from phasegate.engine.statements.roles import Role

__all__ = [
    "KeyFault",
    "KeyRefused",
    "KeyRing",
    "RegisteredKey",
    "Role",
    "Signer",
    "SigningKey",
    "VerifyKey",
    "check_unique",
    "create_key",
    "load_key",
    "load_vkey",
]

FOLDER_MODE: Final = 0o700
ENGINE_KEY: Final = "engine.key"
ENGINE_VKEY: Final = "engine.vkey"
NEXT_KEY: Final = "engine.next.key"
OPERATORS: Final = "operators"
VKEY_SUFFIX: Final = ".vkey"

_ROLES_WORD: Final = "roles "
_ROLE_BY_NAME: Final = {str(role): role for role in Role}
_is_file_name = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}").fullmatch


class RegisteredKey(NamedTuple):
    """A key of the ring and what it may act as."""

    key: VerifyKey
    roles: frozenset[Role]


class KeyRing:
    """The keys of a home. Any number of processes may use it at once.

    Args:
        folder: the `keys` folder; made on the first write.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def create_engine_key(self, name: str) -> SigningKey:
        """Make the engine's key.

        Raises:
            KeyRefused: `bad_name`, `exists`, `name_taken` or `unwritable`.
        """
        key = generate_key(name)
        with self.changing():
            path = self._folder / ENGINE_KEY
            if os.path.lexists(path):
                refuse_existing(path)
            for entry in self._registered():
                if entry.key.name.casefold() == name.casefold():
                    _refuse_name(name)
            # 1. The public part. After a crash here there is no engine key, and the next try replaces it.
            replace_public(self._folder / ENGINE_VKEY, f"{key.public_vkey}\n")
            # 2. The private key: with it, and only with it, the engine has one.
            write_private(path, key)
        return key

    def has_engine_key(self) -> bool:
        """Whether the engine has a key here."""
        return os.path.lexists(self._folder / ENGINE_KEY)

    def engine_key(self) -> SigningKey:
        """The engine's private key.

        Raises:
            KeyRefused: as `load_key`.
        """
        return load_key(self._folder / ENGINE_KEY)

    def engine_vkey(self) -> VerifyKey:
        """The engine's public key; needs no access to the private one when its public file is there.

        Raises:
            KeyRefused: as `load_key` and `load_vkey`.
        """
        path = self._folder / ENGINE_VKEY
        return load_vkey(path) if os.path.lexists(path) else self.engine_key().verify_key

    # -- rotation: whoever calls these has the ring to themselves, by `changing` ----------------------------

    def has_next_key(self) -> bool:
        """Whether a successor of the engine's key lies here: a rotation was begun and not finished."""
        return os.path.lexists(self._folder / NEXT_KEY)

    def next_key(self) -> SigningKey:
        """The successor; made under the same name if there is none.

        Raises:
            KeyRefused: as `load_key`, or `unwritable`.
        """
        path = self._folder / NEXT_KEY
        if not os.path.lexists(path):
            write_private(path, generate_key(self.engine_vkey().name))
        return load_key(path)

    def promote_next_key(self) -> None:
        """Let the successor be the engine's key; the private part of the one before is gone with it.

        Raises:
            KeyRefused: as `load_key`, or `unwritable`.
        """
        path = self._folder / NEXT_KEY
        # The public part first: a repeat after a crash in between writes it again.
        replace_public(self._folder / ENGINE_VKEY, f"{load_key(path).public_vkey}\n")
        rename_private(path, self._folder / ENGINE_KEY)

    def drop_next_key(self) -> None:
        """Forget a successor that no entry tells of."""
        (self._folder / NEXT_KEY).unlink(missing_ok=True)

    def register(self, vkey: str, role: Role) -> RegisteredKey:
        """Register a public key for a role, beside those it has.

        Names are unique, whatever their case, and so are keys: one person under two names would approve their
        own work. A key of the role `engine`, such as one that was replaced, has no other role.

        Raises:
            KeyRefused: what is wrong with the key, `bad_name`, `name_taken`, `key_taken`, `role_conflict`, or
                `unwritable`.
        """
        key = VerifyKey.parse(vkey)
        with self.changing():
            path = self._checked(key)
            old = _read_registered(path).roles if os.path.lexists(path) else frozenset[Role]()
            roles = old | {role}
            if Role.ENGINE in roles and len(roles) > 1:
                raise KeyRefused(
                    KeyFault.ROLE_CONFLICT,
                    f"the key `{key.key_id}` cannot be the engine's and also act as another",
                    "register a key of its own for each",
                )
            if roles != old:
                replace_public(path, f"{key.vkey}\n{_roles_line(roles)}")
        return RegisteredKey(key, roles)

    def check(self, key: VerifyKey) -> None:
        """Refuse what `register` would: a name that is no file's or is taken, a key that has another name.

        Raises:
            KeyRefused: as `register`, also where the folder cannot be written.
        """
        with self.changing():
            self._checked(key)

    def roles_of(self, key_id: str) -> frozenset[Role]:
        """The roles of a key; none when it is not registered.

        Raises:
            KeyRefused: its file cannot be trusted: `too_open`, `unreadable`, or damaged.
        """
        name = key_id.partition("+")[0]
        if _is_file_name(name) is not None:
            path = self._path(name)
            if os.path.lexists(path):
                entry = _read_registered(path)
                return entry.roles if entry.key.key_id == key_id else frozenset()
        engine = self._engine()
        return engine.roles if engine is not None and engine.key.key_id == key_id else frozenset()

    def list(self) -> tuple[RegisteredKey, ...]:
        """All keys: the engine's first, when there is one, then the registered ones by name.

        Raises:
            KeyRefused: a file cannot be trusted: `too_open`, `unreadable`, or damaged.
        """
        engine = self._engine()
        return (*([engine] if engine else []), *self._registered())

    def verify_keys(self, role: Role | None = None) -> dict[str, VerifyKey]:
        """Public keys by key id, as `statements.verify` takes them: all, or those of one role.

        Raises:
            KeyRefused: as `list`.
        """
        return {entry.key.key_id: entry.key for entry in self.list() if role is None or role in entry.roles}

    def _engine(self) -> RegisteredKey | None:
        if not any(os.path.lexists(self._folder / name) for name in (ENGINE_KEY, ENGINE_VKEY)):
            return None
        return RegisteredKey(self.engine_vkey(), frozenset({Role.ENGINE}))

    def _registered(self) -> Iterator[RegisteredKey]:
        folder = self._folder / OPERATORS
        try:
            paths = sorted(path for path in folder.iterdir() if path.name.endswith(VKEY_SUFFIX))
        except FileNotFoundError:
            return
        except OSError as error:
            raise unreadable(folder, error) from None
        for path in paths:
            yield _read_registered(path)

    def _path(self, name: str) -> Path:
        if _is_file_name(name) is None:
            raise KeyRefused(
                KeyFault.BAD_NAME,
                f"`{name[:80]}` cannot be the name of a registered key",
                "use letters, digits and `. _ @ -`, at most 64, beginning with a letter or digit",
            )
        return self._folder / OPERATORS / f"{name}{VKEY_SUFFIX}"

    def _checked(self, key: VerifyKey) -> Path:
        """Where a key is to be written, if it may be registered."""
        path, engine = self._path(key.name), self._engine()
        if engine is not None and engine.key.public == key.public:
            raise KeyRefused(
                KeyFault.KEY_TAKEN,
                f"`{key.key_id}` is the engine's own key",
                "make a key for whom you want to register: `engine keys create NAME FILE`",
            )
        check_unique(key, (entry.key for entry in self.list()))
        return path

    @contextlib.contextmanager
    def changing(self) -> Iterator[None]:
        """One change of the folder at a time."""
        try:
            for folder in (self._folder, self._folder / OPERATORS):
                folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
            lock = os.open(self._folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_MODE)
        except OSError as error:
            raise unwritable(self._folder, error) from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


def check_unique(key: VerifyKey, others: Iterable[VerifyKey]) -> None:
    """Refuse a key that is registered under another name, or whose name another key has, whatever its case.

    Raises:
        KeyRefused: `key_taken` or `name_taken`.
    """
    for other in others:
        if other == key:
            continue
        if other.public == key.public:
            raise KeyRefused(
                KeyFault.KEY_TAKEN,
                f"the key of `{key.name}` is registered already, as `{other.name}`",
                "let everyone make a key of their own: `engine keys create NAME FILE`",
            )
        if other.name.casefold() == key.name.casefold():
            _refuse_name(key.name)


def _read_registered(path: Path) -> RegisteredKey:
    text = read_public(path)
    with in_file(path):
        vkey, _, line = text.partition("\n")
        key = VerifyKey.parse(vkey)
        names = line.removeprefix(_ROLES_WORD).split()
        roles = frozenset(_ROLE_BY_NAME[name] for name in names if name in _ROLE_BY_NAME)
        if not roles or line != _roles_line(roles):
            _refuse_damaged("its roles are not as `engine keys` writes them")
        if path.name != f"{key.name}{VKEY_SUFFIX}":
            _refuse_damaged(f"it holds the key of `{key.name}`")
        return RegisteredKey(key, roles)


def _roles_line(roles: frozenset[Role]) -> str:
    return f"{_ROLES_WORD}{' '.join(sorted(roles))}\n"


def _refuse_name(name: str) -> NoReturn:
    raise KeyRefused(
        KeyFault.NAME_TAKEN,
        f"another key goes by the name `{name}`",
        "give the new key a new name",
    )


def _refuse_damaged(what: str) -> NoReturn:
    raise KeyRefused(KeyFault.MALFORMED, what, "remove the file and register the key again")
