"""What a home adds to the verification of its ledger: its own key, and the checkpoints that lie in it.

All of the checking is `phasegate.ledger.offline`'s, as for any export; a home says what there is to check.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from phasegate.engine.app.checkpoints.handing import COSIGNED, FOLDER, LATEST
from phasegate.engine.app.home import Home, marked_ledger
from phasegate.engine.app.home_store import open_store
from phasegate.engine.app.people.keys import KeyRing
from phasegate.engine.app.redactions import redaction_lines
from phasegate.engine.core.errors import BadInput, EngineError, NotEvaluated
from phasegate.engine.core.events import LedgerCheckpointed
from phasegate.engine.core.opening import LEDGER_STREAM
from phasegate.ledger.errors import LedgerError, ObjectError, StoreMissing
from phasegate.ledger.objects import ObjectStore
from phasegate.ledger.offline.report import Report
from phasegate.ledger.offline.terms import Held, Terms
from phasegate.ledger.offline.verifying import verify_path


def verify_home(home: Home, terms: Terms = Terms()) -> Report:  # noqa: B008 - immutable
    """Verify a home's ledger, with every checkpoint that is recorded in it or kept beside it.

    Args:
        home: the home.
        terms: what came from elsewhere; the home's own key is used where no key did.

    Raises:
        BadInput: there is no key to check checkpoints with.
        NotEvaluated: a checkpoint kept in the home cannot be read.
        StoreError: the ledger cannot be read.
    """
    if not home.database and not home.ledger.is_file():
        raise StoreMissing(f"there is no ledger at `{home.ledger}`; restore it, or name another home")
    if home.database and terms.ledger is None:
        terms = terms._replace(ledger=marked_ledger(home))
    if not terms.keys:
        terms = _with_own_key(home, terms)
    if not terms.keys:
        if terms.previous or terms.checkpoint or terms.witnesses:
            raise BadInput("there is no key to check a checkpoint with", "give the ledger's: `--key VKEY`")
        return _with_redactions(home, verify_path(_place(home), terms))
    # Before the ledger is read: writers go on, and it must not be older than what it is held against.
    held = (*_beside(home), *_recorded(home))
    if terms.witnesses and terms.checkpoint is None:
        terms = terms._replace(checkpoint=_to_cosign(home))
    return _with_redactions(home, verify_path(_place(home), terms._replace(held=held)))


def _with_redactions(home: Home, report: Report) -> Report:
    """Say which objects are gone for good, of a ledger whose entries hold."""
    if not report.chain.ok:
        return report
    store = open_store(home, readonly=True)
    try:
        return report._replace(checked=(*report.checked, *redaction_lines(store)))
    finally:
        store.close()


def _place(home: Home) -> str:
    return home.database or str(home.ledger)


def _with_own_key(home: Home, terms: Terms) -> Terms:
    try:
        own = KeyRing(home.keys).engine_vkey().for_notes
    except EngineError:
        return terms
    return terms._replace(keys=(own,), are_own=True)


def _beside(home: Home) -> Iterator[Held]:
    note = _read(home, LATEST)
    if note is not None:
        yield Held("the latest checkpoint kept in the home", note)


def _recorded(home: Home) -> Iterator[Held]:
    """Every checkpoint that an entry records; none of a ledger that cannot be read, which is for `verify`."""
    objects = ObjectStore(home.objects)
    with suppress(LedgerError, EngineError):
        store = open_store(home, readonly=True)
        try:
            for entry in store.entries(task=LEDGER_STREAM, type=LedgerCheckpointed.kind):
                said = entry.payload
                what = f"the checkpoint recorded in entry {entry.seq}"
                note = _object(objects, str(said.get("note")))
                yield Held(what, note, entry.seq, _size(said.get("size")), str(said.get("root")))
        finally:
            store.close()


def _size(said: object) -> int:
    return said if type(said) is int else -1


def _object(objects: ObjectStore, digest: str) -> bytes | None:
    try:
        return objects.get(digest)
    except (ObjectError, ValueError):
        return None


def _to_cosign(home: Home) -> bytes | None:
    """The latest checkpoint that was cosigned, else the latest, as the home keeps it; None without one."""
    return _read(home, COSIGNED) or _read(home, LATEST)


def _read(home: Home, name: str) -> bytes | None:
    path = home.root / FOLDER / name
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        text = f"cannot read `{path}`: {error.strerror}"
        raise NotEvaluated(text, "give the right to read it, or find out what stands there") from error
