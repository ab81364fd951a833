"""Credentials that a command could read although its environment has none: in git's settings, in `/proc`.

A repository's own settings may hold a token: a header that is sent along, a URL with a user in it. Whatever
runs in the repository reads them, so nothing is run there. And while a command runs, the kernel is told that
this process is not to be looked into: to others its `/proc/PID/environ` and memory then belong to root.
"""

from __future__ import annotations

import ctypes
import os
import re
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from phasegate.engine.app.git.running import GitUnavailable, run_git
from phasegate.engine.core.errors import BadInput

PR_GET_DUMPABLE: Final = 3
PR_SET_DUMPABLE: Final = 4

_OF_THE_REPOSITORY: Final = frozenset({"local", "worktree"})
_SECRET_KEY: Final = re.compile(
    r"http\.(.*\.)?(extraheader|cookiefile|sslkey|proxysslkey)|credential\.(.*\.)?helper"
    r"|url\..*\.(push)?insteadof|core\.(sshcommand|askpass)"
    r"|.*\.([a-z0-9-]*(token|passw(or)?d|secret)|(smtp|imap)?pass|apikey)"
)
_PROXY_KEY: Final = re.compile(r"http\.(.*\.)?proxy|remote\..*\.proxy")
_NO_SETTINGS: Final = frozenset({"objects", "refs", "logs", "hooks", "info", "lfs"})
"""Folders in a git folder that can be large and hold no settings."""
_USER_IN_URL: Final = re.compile(r"https?://[^/\s@]+@|[a-z][a-z0-9+.-]*://[^/\s:@]*:[^/\s@]+@", re.IGNORECASE)

_lock = threading.Lock()
_running = 0
_before = 0


def refuse_credentials(*folders: Path) -> None:
    """Refuse to run a command where the settings of the repository hold a credential, or the way to one.

    Args:
        folders: folders of repositories; one that is in none has no settings.

    Raises:
        BadInput: a setting does; it is named, and its value is not.
    """
    for folder in dict.fromkeys(folders):
        key = credential_key(folder)
        if key:
            raise _refusal(key, f"-C {folder} config", folder)
        for file in _other_settings(folder):
            key = _first_credential(_listed("--file", str(file)))
            if key:
                raise _refusal(key, f"config --file {file}", file)


def credential_key(folder: Path) -> str:
    """The first setting of a folder's repository that holds a credential or leads to one; empty for none.

    Files that the settings include count; what git keeps for the user or the machine does not, because a
    runner's git does not read it.

    Raises:
        BadInput: there is a repository, and its settings cannot be read.
    """
    try:
        listed = _listed(at=folder)
    except BadInput:
        if any((place / ".git").exists() for place in (folder, *folder.parents)):
            raise
        return ""
    return _first_credential(item for item in listed if item[0] in _OF_THE_REPOSITORY)


def _refusal(key: str, where: str, place: Path) -> BadInput:
    return BadInput(
        f"`{key}` in the git settings of `{place}` gives a command credentials",
        f"`git {where} --unset-all {key}`, or run it in a mirror: `engine mirror make`",
    )


def _listed(*source: str, at: Path | None = None) -> Iterator[tuple[str, str, str]]:
    """Scope, key and value of settings: those of one file, or all that count in a folder."""
    where = ("-C", str(at)) if at else ()
    try:
        listed = run_git((*where, "config", *source, "--includes", "--show-scope", "--list", "-z"), {})
    except GitUnavailable as error:
        raise BadInput(
            f"the git settings of `{at or source[-1]}` cannot be read, so they may hold credentials: {error}",
            "mend them, or run the command in a mirror: `engine mirror make`",
        ) from error
    fields = listed.decode("utf-8", "replace").split("\0")
    settings = (setting.partition("\n") for setting in fields[1::2])
    return ((scope, key, value) for scope, (key, _, value) in zip(fields[::2], settings, strict=False))


def _other_settings(folder: Path) -> Iterator[Path]:
    """Settings beside the repository's own that a command can read: of submodules and other worktrees."""
    try:
        said = run_git(("-C", str(folder), "rev-parse", "--git-common-dir"), {})
    except GitUnavailable:
        return
    common = folder / said.decode("utf-8", "surrogateescape").removesuffix("\n")
    for top in ("modules", "worktrees"):
        for place, folders, files in os.walk(common / top):
            folders[:] = sorted(set(folders) - _NO_SETTINGS)
            yield from (Path(place, name) for name in ("config", "config.worktree") if name in files)


def _first_credential(settings: Iterable[tuple[str, str, str]]) -> str:
    """The first key that holds a credential or leads to one, without what it holds; empty for none."""
    key = next((key for _, key, value in settings if _is_credential(key, value)), "")
    return _USER_IN_URL.sub(lambda found: f"{found[0].split('//')[0]}//...@", key)


@contextmanager
def not_looked_into() -> Iterator[None]:
    """While this lasts, processes of the same user cannot read our environment or memory; root still can.

    On systems other than Linux nothing happens.
    """
    _shut()
    try:
        yield
    finally:
        _open()


def dumpable() -> int:
    """Whether processes of the same user can look into this one: 1 yes, 0 no; 1 where it is unknown."""
    return _prctl(PR_GET_DUMPABLE) if sys.platform == "linux" else 1


def _is_credential(key: str, value: str) -> bool:
    # An empty value takes back what was set before.
    if not value:
        return False
    proxy = _PROXY_KEY.fullmatch(key) is not None and "@" in value
    return proxy or _SECRET_KEY.fullmatch(key) is not None or _has_user(key) or _has_user(value)


def _has_user(text: str) -> bool:
    return _USER_IN_URL.search(text) is not None


def _shut() -> None:
    """Commands may run side by side: the first shuts, and the last to end opens again."""
    global _running, _before  # noqa: PLW0603 - it is a property of the process
    with _lock:
        if _running == 0:
            _before = dumpable()
            if sys.platform == "linux":
                _prctl(PR_SET_DUMPABLE, 0)
        _running += 1


def _open() -> None:
    global _running  # noqa: PLW0603 - it is a property of the process
    with _lock:
        _running -= 1
        if _running == 0 and sys.platform == "linux" and _before == 1:
            _prctl(PR_SET_DUMPABLE, 1)


def _prctl(option: int, value: int = 0) -> int:
    return int(ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0))
