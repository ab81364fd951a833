"""The home: the folder a ledger and its objects live in, how it is made and how it is found.

Layout:

    ledger.db            the SQLite ledger (with its -wal, -shm and .lock beside it)
    ledger.json          or, where the ledger is in PostgreSQL: which database that is, without a password
    objects/sha256/..    snapshots by digest
    evidence/TASK/PHASE/ the readable copies of evidence
    results/             live views of the latest run, and reports
    checkpoints/         the latest checkpoints, and how the sinks stand; `checkpoints.yaml` names these
    keys/                the engine's key, private, and the public keys of operators and roles
    telemetry/           spans and metrics as JSON lines
    hook/                what `engine-hook` is set up with, and what it spooled
    http/                answers kept by idempotency key, where the home is served
    home.json            marks the folder as initialised
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from phasegate.engine.core.errors import BadInput, HomeMissing, IntegrityError

MARKER = "home.json"
DATABASE = "ledger.json"
FORMAT = 1
LEDGER_VARIABLE = "PHASEGATE_LEDGER"
"""Environment variable with the DSN of the ledger's database; it goes before what the home keeps."""
_SCHEMES = ("postgresql://", "postgres://")
_FOLDERS = ("objects", "evidence", "results", "telemetry", "locks")


@dataclass(frozen=True, slots=True)
class Home:
    """Paths of an initialised home.

    Attributes:
        root: the folder.
        database: DSN of the PostgreSQL database that holds the ledger; empty for the file in the folder. It
            may hold a password.
    """

    root: Path
    database: str = field(default="", repr=False)

    @property
    def ledger(self) -> Path:
        """The ledger file."""
        return self.root / "ledger.db"

    @property
    def objects(self) -> Path:
        """The object store's folder."""
        return self.root / "objects"

    @property
    def evidence(self) -> Path:
        """Folder of the readable evidence copies."""
        return self.root / "evidence"

    @property
    def results(self) -> Path:
        """Folder of live views and reports."""
        return self.root / "results"

    @property
    def keys(self) -> Path:
        """Folder of the engine's key and of registered public keys."""
        return self.root / "keys"

    @property
    def telemetry(self) -> Path:
        """Folder of the telemetry sinks."""
        return self.root / "telemetry"

    @property
    def locks(self) -> Path:
        """Folder of the locks that keep two runners off one task."""
        return self.root / "locks"

    def evidence_path(self, task: str, phase: str, name: str) -> Path:
        """Where the readable copy of one artifact stands."""
        return self.evidence / task / phase / name

    def initialised(self) -> bool:
        """Whether `engine init` made this folder."""
        try:
            return (self.root / MARKER).is_file()
        except OSError:
            return False


def create_home(root: Path) -> tuple[Home, str]:
    """Make a home's folders; the caller creates the ledger, then calls `mark_home`.

    Returns:
        The home and a fresh ledger id.

    Raises:
        BadInput: the folder is a home already, or cannot be written.
    """
    home = Home(_resolved(root))
    if home.initialised():
        raise BadInput(f"`{root}` is a home already", "use it, or choose another with `--home DIR`")
    try:
        for folder in _FOLDERS:
            (home.root / folder).mkdir(parents=True, exist_ok=True)
        _ignore_in_git(home.root)
    except OSError as error:
        raise BadInput(
            f"cannot create `{root}`: {error.strerror}", "choose a folder you can write to"
        ) from error
    return home, f"phasegate-{uuid.uuid4().hex}"


def _ignore_in_git(root: Path) -> None:
    """Keep a home that lies in a working tree out of what git sees, unless it has rules of its own."""
    rules = root / ".gitignore"
    if not rules.exists():
        rules.write_text("*\n", encoding="utf-8")


def _resolved(root: Path) -> Path:
    try:
        resolved = root.resolve()
        str(resolved).encode()
    except UnicodeEncodeError:
        # SQLite takes names in UTF-8 alone.
        text = f"`{root}` cannot be a home: its path is no UTF-8"
        raise BadInput(text, "name another folder with `--home DIR`") from None
    except (OSError, RuntimeError, ValueError) as error:
        raise BadInput(f"`{root}` cannot be a home: {error}", "name a folder with `--home DIR`") from error
    return resolved


def mark_home(home: Home, ledger: str) -> None:
    """Write the marker that makes the folder a home; done last, so that half a home is never found."""
    temporary = home.root / f".{MARKER}.{os.getpid()}"
    temporary.write_text(json.dumps({"format": FORMAT, "ledger": ledger}) + "\n", encoding="utf-8")
    temporary.replace(home.root / MARKER)


def marked_ledger(home: Home) -> str:
    """Id of the ledger that a home's marker names.

    Raises:
        IntegrityError: the marker is damaged.
        BadInput: the home is of another release's making.
    """
    path = home.root / MARKER
    try:
        said = json.loads(path.read_bytes())
        layout, ledger = said["format"], said["ledger"]
    except (OSError, ValueError, RecursionError, TypeError, KeyError):
        layout, ledger = FORMAT, None
    if layout != FORMAT:
        text = f"`{home.root}` has the layout {str(layout)[:20]}, and this release reads {FORMAT}"
        raise BadInput(text, "open it with the release that made it")
    if not isinstance(ledger, str):
        raise IntegrityError(
            f"`{path}` is damaged, so `{home.root}` is no home to rely on", "restore it from a backup"
        )
    return ledger


def database_of(root: Path, environ: Mapping[str, str]) -> str:
    """DSN of the database that holds a home's ledger: `PHASEGATE_LEDGER`, else what `engine init` kept.

    Raises:
        BadInput: the variable names no database.
        IntegrityError: what was kept is damaged.
    """
    named = environ.get(LEDGER_VARIABLE)
    if named:
        return checked_database(named)
    path = root / DATABASE
    try:
        said = json.loads(path.read_bytes())["database"]
    except FileNotFoundError:
        return ""
    except (OSError, ValueError, RecursionError, TypeError, KeyError):
        said = None
    if not isinstance(said, str) or not said.startswith(_SCHEMES):
        raise IntegrityError(
            f"`{path}` is damaged, so the ledger's database is not known",
            f"restore it from a backup, or name the database with `--ledger` or `{LEDGER_VARIABLE}`",
        )
    return said


def checked_database(dsn: str) -> str:
    """A DSN, if it looks like one; the message does not repeat it, because it may hold a password.

    Raises:
        BadInput: it does not.
    """
    if not dsn.startswith(_SCHEMES):
        raise BadInput(
            f"what `--ledger` or `{LEDGER_VARIABLE}` names is no database",
            "write `postgresql://USER@HOST:PORT/DATABASE`; without it the ledger is a file in the home",
        )
    return dsn


def keep_database(home: Home, dsn: str) -> None:
    """Keep which database holds the ledger.

    Args:
        home: the home.
        dsn: a DSN without a password.
    """
    temporary = home.root / f".{DATABASE}.{os.getpid()}"
    temporary.write_text(json.dumps({"database": dsn}) + "\n", encoding="utf-8")
    temporary.replace(home.root / DATABASE)


def forget_database(home: Home) -> None:
    """Forget what an `engine init` that came to nothing kept of a database."""
    (home.root / DATABASE).unlink(missing_ok=True)


def find_home(option: Path | None, environ: Mapping[str, str], start: Path) -> Home:
    """The home to use: the option, else `PHASEGATE_HOME`, else the nearest initialised `state/` upward.

    In a git worktree the main worktree's folders are looked at as well.

    Raises:
        HomeMissing: none was found.
        BadInput, IntegrityError: it is not known where its ledger is; see `database_of`.
    """
    named = option or (Path(environ["PHASEGATE_HOME"]) if environ.get("PHASEGATE_HOME") else None)
    if named is not None:
        home = Home(_resolved(named))
        if not home.initialised():
            raise HomeMissing(
                f"`{named}` is not an initialised home", f"create it: `engine init --home {named}`"
            )
        return replace(home, database=database_of(home.root, environ))
    for folder in _candidates(start.resolve()):
        home = Home(folder / "state")
        if home.initialised():
            return replace(home, database=database_of(home.root, environ))
    raise HomeMissing("no initialised home was found here or above", "create one: `engine init`")


def _candidates(start: Path) -> Iterator[Path]:
    for folder in (start, *start.parents):
        yield folder
        main = _main_worktree(folder / ".git")
        if main is not None:
            yield main


def _main_worktree(git: Path) -> Path | None:
    """Main worktree of a linked one: its `.git` is a file `gitdir: MAIN/.git/worktrees/NAME`."""
    try:
        text = git.read_text(encoding="utf-8") if git.is_file() else ""
    except (OSError, UnicodeDecodeError):
        return None
    if not text.startswith("gitdir: "):
        return None
    try:
        gitdir = (git.parent / text.removeprefix("gitdir: ").strip()).resolve()
    except (OSError, RuntimeError, ValueError):
        return None
    return gitdir.parents[2] if gitdir.parent.name == "worktrees" else None


def inside_worktree(root: Path) -> bool:
    """Whether the folder lies in a git worktree, where `git clean -fdx` would remove it."""
    return any((folder / ".git").exists() for folder in (root, *root.parents))
