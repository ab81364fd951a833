"""Writing a task as in-toto layout and links, into a folder of its own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote

from phasegate.engine.app.audit.records import HomeRecords
from phasegate.engine.app.engine import Engine
from phasegate.engine.app.in_toto.course import Course, course_of
from phasegate.engine.app.in_toto.envelopes import envelope_of
from phasegate.engine.app.in_toto.metadata import layout, links
from phasegate.engine.app.in_toto.readme import ENGINE_PEM, LAYOUT, readme
from phasegate.engine.app.in_toto.signing import KeyPair, engine_pair, owner_pair, signed
from phasegate.engine.core.errors import BadInput
from phasegate.engine.statements.dsse import read_envelope
from phasegate.engine.statements.note_keys import VerifyKey
from phasegate.engine.statements.public_keys import in_toto_key_id
from phasegate.ledger.errors import ExportError
from phasegate.ledger.export.placing import failing, new_folder

VALID_DAYS: Final = 3_652
"""Ten years. Nobody can add to what was done, so the date bounds no risk of new links: it says until when the
export may be taken as evidence, and that is as long as records are kept."""
KEY_ID_PREFIX_CHARS: Final = 8

_is_time = re.compile(r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}:\d{2}Z)?", re.ASCII).fullmatch


class Wish(NamedTuple):
    """What an export is to be like.

    Attributes:
        expires: when the layout expires, `YYYY-MM-DD` or `YYYY-MM-DDTHH:MM:SSZ`; in ten years without it.
        owner: private key file of an operator or supervisor who signs the layout as well.
        accept_break_glass: whether gates that were passed over broken glass are taken as they are.
    """

    expires: str | None = None
    owner: Path | None = None
    accept_break_glass: bool = False


AS_IT_IS: Final = Wish()


class Written(NamedTuple):
    """What was written: the number of links, the phases without one, the layout's expiry, and its keys."""

    links: int
    missing: tuple[str, ...]
    expires: str
    keys: tuple[str, ...]


def export_in_toto(engine: Engine, task: str, target: Path, wish: Wish = AS_IT_IS) -> Written:
    """Write layout, links, statements, public keys and a README into a new folder, whole or not at all.

    Raises:
        BadInput: there is no such task, an argument is none, or broken glass is not accepted.
        ExportError: something is at the target, or it cannot be written.
        IntegrityError: the ledger, or what is told of the task, does not hold.
        KeyRefused: a key cannot be read.
        NotEvaluated: the engine's key cannot be reached.
    """
    expires = _expiry(wish.expires, engine.clock.now())
    course = course_of(engine, task, accept_break_glass=wish.accept_break_glass)
    own = engine_pair(engine)
    owner = owner_pair(engine, wish.owner) if wish.owner else None
    keys = (ENGINE_PEM, *([_pem_name(owner.public, own.public)] if owner else []))
    files = {**_metadata(course, own, owner, expires), **_beside(engine, course, own, owner)}
    files["README.md"] = readme(course, expires, keys, owner.public.name if owner else "").encode()
    _write(target, files)
    return Written(len(course.left), course.ahead, expires, keys)


def _metadata(course: Course, own: KeyPair, owner: KeyPair | None, expires: str) -> dict[str, bytes]:
    """Layout and links, under the names that in-toto gives them."""
    prefix = in_toto_key_id(own.public)[:KEY_ID_PREFIX_CHARS]
    said = layout(course, own.public, expires)
    files = {LAYOUT: signed(said, own, owner) if owner else signed(said, own)}
    return files | {f"{phase}.{prefix}.link": signed(link, own) for phase, link in links(course)}


def _beside(engine: Engine, course: Course, own: KeyPair, owner: KeyPair | None) -> dict[str, bytes]:
    """The statements that links name, and the public keys of all who signed anything."""
    envelopes = {digest: envelope_of(engine.store, digest) for digest in _statements(course)}
    keys = [own.public, *([owner.public] if owner else []), *_signers(engine, envelopes.values())]
    return {
        **{f"statements/{digest}.json": envelope for digest, envelope in envelopes.items()},
        **{_pem_name(key, own.public): key.for_notes.pem.encode() for key in keys},
    }


def _statements(course: Course) -> set[str]:
    """Digests of the statements that links name."""
    found: set[str] = set()
    for item in course.left:
        found |= {item.statement, *(ran.event.statement for ran in item.ran)}
        found |= {decision.statement for decision in item.decided}
    return found


def _signers(engine: Engine, envelopes: Iterable[bytes]) -> list[VerifyKey]:
    """Public keys of all who signed these: the engine's of every time, and people's."""
    known: Mapping[str, VerifyKey] = {
        **HomeRecords(engine).engine_keys,
        **engine.registrations.verify_keys(),
    }
    named = {key_id for envelope in envelopes for key_id in read_envelope(envelope).signatures}
    return [known[key_id] for key_id in sorted(named) if key_id in known]


def _pem_name(key: VerifyKey, own: VerifyKey) -> str:
    return ENGINE_PEM if key == own else f"keys/{quote(key.key_id, safe='@+')}.pem"


def _write(target: Path, files: Mapping[str, bytes]) -> None:
    if target.is_symlink() or (target.exists() and not _is_empty(target)):
        raise ExportError("exists", f"`{target}` exists already; name another folder, or remove it")
    with new_folder(target) as draft:
        for name, content in files.items():
            path = draft / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
        with failing(target):
            # Whole at once; a folder in which something has appeared meanwhile is not replaced.
            draft.rename(target)


def _is_empty(folder: Path) -> bool:
    return folder.is_dir() and not any(folder.iterdir())


def _expiry(asked: str | None, now: str) -> str:
    """When the layout expires, as in-toto writes it."""
    if asked is None:
        return f"{date.fromisoformat(now[:10]) + timedelta(days=VALID_DAYS)}T00:00:00Z"
    remedy = "write `YYYY-MM-DD` or `YYYY-MM-DDTHH:MM:SSZ`"
    try:
        when = datetime.fromisoformat(asked) if _is_time(asked) else None
    except ValueError:
        when = None
    if when is None:
        raise BadInput(f"`{asked[:40]}` is no date that a layout can expire at", remedy)
    when = when.replace(tzinfo=UTC)
    if when <= datetime.fromisoformat(now):
        raise BadInput(f"a layout that expires at `{asked}` has expired already", "name a later date")
    return f"{when:%Y-%m-%dT%H:%M:%SZ}"
