"""Key files: written whole or not at all, never over a private one, and read only if others could not meddle.

A private file has mode 0600 from the moment it exists. Modes are judged on the opened file, so that what was
checked is what was read.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NoReturn, Protocol

from phasegate.engine.statements.errors import KeyFault, KeyRefused
from phasegate.engine.statements.note_keys import SigningKey, VerifyKey, parse_key_name
from phasegate.ledger.note_keys import KEY_BYTES, Algorithm
from phasegate.ledger.note_signers import SeedSigner

KEY_FILE_BYTES_MAX: Final = 4_096
PRIVATE_MODE: Final = 0o600
PUBLIC_MODE: Final = 0o644

_READ_BY_OTHERS: Final = 0o077
_WRITTEN_BY_OTHERS: Final = 0o022


def create_key(path: Path, name: str) -> SigningKey:
    """Make a fresh Ed25519 key and write it to a new file of mode 0600.

    Raises:
        KeyRefused: `bad_name`, `exists` or `unwritable`. Nothing was written, unless all that failed was to
            make the file's name durable; then the key is there, whole.
    """
    key = generate_key(name)
    write_private(path, key)
    return key


def create_cosigner(path: Path, name: str) -> SeedSigner:
    """Make a fresh key for cosignatures of a witness, likewise.

    Raises:
        KeyRefused: as `create_key`.
    """
    key = SeedSigner.from_seed(parse_key_name(name), secrets.token_bytes(KEY_BYTES), Algorithm.COSIGNATURE)
    write_private(path, key)
    return key


def generate_key(name: str) -> SigningKey:
    """A fresh key from the operating system's randomness.

    Raises:
        KeyRefused: `bad_name`.
    """
    return SigningKey.from_seed(name, secrets.token_bytes(KEY_BYTES))


def load_key(path: Path) -> SigningKey:
    """Read a private key file.

    Raises:
        KeyRefused: `missing`, `unreadable`, `too_open`, or what is wrong with the key in it.
    """
    text = read_private(path)
    with in_file(path):
        return SigningKey.parse(text)


def read_private(path: Path) -> str:
    """Text of a private key file that only its owner may read, without its newline.

    Raises:
        KeyRefused: `missing`, `unreadable` or `too_open`.
    """
    text, mode = _read(path)
    if mode & _READ_BY_OTHERS:
        raise KeyRefused(
            KeyFault.TOO_OPEN,
            f"the private key `{path}` has mode {mode:04o}: others may reach it",
            f"run `chmod 600 {path}`, and replace the key if others could read it",
        )
    return text.removesuffix("\n")


def load_vkey(path: Path) -> VerifyKey:
    """Read a file that holds one verifier key.

    Raises:
        KeyRefused: `missing`, `unreadable`, `too_open` (others may write it), or what is wrong with the key.
    """
    text = read_public(path)
    with in_file(path):
        return VerifyKey.parse(text.removesuffix("\n"))


def read_public(path: Path) -> str:
    """Text of a public key file that only its owner may write.

    Raises:
        KeyRefused: `missing`, `unreadable` or `too_open`.
    """
    text, mode = _read(path)
    if mode & _WRITTEN_BY_OTHERS:
        raise KeyRefused(
            KeyFault.TOO_OPEN,
            f"the key file `{path}` has mode {mode:04o}: others may change it",
            f"compare it with its owner's key, then run `chmod go-w {path}`",
        )
    return text


class Secret(Protocol):
    """A private key that can be written down."""

    def secret_text(self) -> str:
        """The signer key as text."""
        ...


def write_private(path: Path, key: Secret) -> None:
    """Write a private key to a new file: whole and durable, or not at all, and never over another.

    Raises:
        KeyRefused: `exists` or `unwritable`.
    """
    temporary = _write_temporary(path, f"{key.secret_text()}\n", PRIVATE_MODE)
    try:
        # Unlike a rename, a link never replaces what is there.
        os.link(temporary, path)
    except FileExistsError:
        refuse_existing(path)
    except (OSError, ValueError) as error:
        raise unwritable(path, error) from None
    finally:
        _remove(temporary)
    _sync_folder(path)


def replace_public(path: Path, text: str) -> None:
    """Write a public key file, over an old one if there is one: readers see either, whole.

    Raises:
        KeyRefused: `unwritable`.
    """
    temporary = _write_temporary(path, text, PUBLIC_MODE)
    try:
        temporary.replace(path)
    except (OSError, ValueError) as error:
        _remove(temporary)
        raise unwritable(path, error) from None
    _sync_folder(path)


def rename_private(path: Path, target: Path) -> None:
    """Let a private key file take the place of another, durably.

    Raises:
        KeyRefused: `unwritable`.
    """
    try:
        path.replace(target)
    except OSError as error:
        raise unwritable(target, error) from None
    _sync_folder(target)


@contextlib.contextmanager
def in_file(path: Path) -> Iterator[None]:
    """Say in which file a key is wrong."""
    try:
        yield
    except KeyRefused as error:
        raise KeyRefused(error.fault, f"`{path}`: {error.message}", error.remedy) from None


def refuse_existing(path: Path) -> NoReturn:
    """Refuse to write where something is."""
    raise KeyRefused(
        KeyFault.EXISTS,
        f"`{path}` exists and a key is never overwritten",
        "use it, or move it away and keep its public part: its signatures are verified with that",
    )


def unreadable(path: Path, error: OSError | ValueError) -> KeyRefused:
    """The error for what the operating system does not let us read."""
    return KeyRefused(
        KeyFault.UNREADABLE, f"cannot read `{path}`: {_cause(error)}", "check the path and its permissions"
    )


def unwritable(path: Path, error: OSError | ValueError) -> KeyRefused:
    """The error for what the operating system does not let us write."""
    return KeyRefused(
        KeyFault.UNWRITABLE,
        f"cannot write `{path}`: {_cause(error)}",
        "check the folder, its permissions and the disk",
    )


def _read(path: Path) -> tuple[str, int]:
    """Text and mode of a small regular file; opening a pipe does not hang."""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:
            status = os.fstat(file.fileno())
            data = file.read(KEY_FILE_BYTES_MAX + 1) if stat.S_ISREG(status.st_mode) else b""
    except FileNotFoundError:
        raise KeyRefused(
            KeyFault.MISSING,
            f"there is no key file `{path}`",
            "make one with `engine keys create NAME FILE`, or with `engine keys init` for the engine itself",
        ) from None
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from None
    if not stat.S_ISREG(status.st_mode) or len(data) > KEY_FILE_BYTES_MAX:
        raise KeyRefused(
            KeyFault.UNREADABLE, f"`{path}` is not a key file", "name the file that `engine keys create` made"
        )
    return data.decode("ascii", "replace"), stat.S_IMODE(status.st_mode)


def _write_temporary(path: Path, text: str, mode: int) -> Path:
    """A durable file with that text beside `path`; litter that nobody reads if we crash here."""
    temporary = path.parent / f".{secrets.token_hex(8)}.new"
    try:
        # The mode is given when the file is made: there is no moment at which others could open it.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        descriptor = os.open(temporary, flags, PRIVATE_MODE)
    except (OSError, ValueError) as error:
        raise unwritable(path, error) from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
    except OSError as error:
        _remove(temporary)
        raise unwritable(path, error) from None
    return temporary


def _remove(temporary: Path) -> None:
    with contextlib.suppress(OSError):
        temporary.unlink()


def _sync_folder(path: Path) -> None:
    try:
        descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise unwritable(path, error) from None


def _cause(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else str(error)) or "unknown cause"
