"""Commands on prompts and their attestation."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, NamedTuple

import typer

from phasegate.engine.app.engine import Engine
from phasegate.engine.app.prompting.attesting import Attestation
from phasegate.engine.cli.options import Format
from phasegate.engine.cli.output import print_document, print_rows, say
from phasegate.engine.cli.session import session
from phasegate.engine.cli.tasks import answer
from phasegate.engine.core.errors import BadInput
from phasegate.engine.core.events import PromptBaselined
from phasegate.engine.prompts.canonical import PROMPT_BYTES_MAX
from phasegate.ledger.entry import Entry

EXIT_DRIFT = 1
STANDARD_INPUT = "-"
DIGEST_SHOWN = 12
_COLUMNS = ["entry", "phase", "attempt", "what", "version", "origin", "via", "persona", "prompt", "reason"]


class Order(NamedTuple):
    """What to compile, and where to write it."""

    task: str
    persona: str | None
    domains: tuple[str, ...]
    skills: tuple[str, ...]
    out: Path | None


class Change(NamedTuple):
    """A baseline to be replaced."""

    task: str
    file: str
    reason: str
    persona: str | None
    key: Path | None


def compile_prompt(home: Path | None, format_: Format, order: Order, lease: int | None) -> None:
    """Compile, attest and print the prompt; exit 1 when it drifted where that is an error."""
    with session(home, lease=lease) as engine:
        handed = engine.prompts.compile(order.task, order.persona, order.domains, order.skills)
        attestation = handed.attestation
        _refused(engine, format_, attestation)
        diff = engine.prompts.diff(order.task) if attestation.drifted else ""
    prompt = handed.prompt
    if order.out is not None:
        _write(order.out, prompt.content)
    if format_ is Format.TABLE:
        if order.out is None:
            sys.stdout.write(prompt.text)
            sys.stdout.flush()
        say(_story(attestation))
        if diff:
            say(diff)
    else:
        parts = [{"name": part.name, "digest": part.digest} for part in prompt.parts]
        body = {**_json(attestation), "parts": parts, "text": prompt.text, "diff": diff}
        print_document(format_, body)
    if attestation.blocks:
        raise typer.Exit(EXIT_DRIFT)


def show(home: Path | None, format_: Format, task: str) -> None:
    """Print the prompt of the current phase."""
    with session(home, readonly=True) as engine:
        shown = engine.prompts.show(task)
    if format_ is Format.TABLE:
        sys.stdout.write(shown.text)
        sys.stdout.flush()
        which = f"baseline version {shown.version}" if shown.version else "no baseline yet; as compiled now"
        say(f"{task} {shown.phase}: {which}, sha256 {shown.digest}")
        return
    print_document(
        format_,
        {
            "task": task,
            "phase": shown.phase,
            "version": shown.version,
            "prompt": shown.digest,
            "header": shown.header_digest,
            "text": shown.text,
        },
    )


def check(
    home: Path | None, format_: Format, task: str, file: str, persona: str | None, lease: int | None
) -> None:
    """Report a prompt as the one in use; exit 1 when it drifted where that is an error."""
    content = _read(file)
    with session(home, lease=lease) as engine:
        attestation = engine.prompts.check(task, content, persona=persona)
        _refused(engine, format_, attestation)
        diff = engine.prompts.diff(task) if attestation.drifted else ""
    if format_ is Format.TABLE:
        sys.stdout.write(diff)
        sys.stdout.flush()
        say(_story(attestation))
    else:
        print_document(format_, {**_json(attestation), "diff": diff})
    if attestation.blocks:
        raise typer.Exit(EXIT_DRIFT)


def update(home: Path | None, format_: Format, change: Change, lease: int | None = None) -> None:
    """Replace a baseline; exit 1 when it is refused."""
    content = _read(change.file)
    with session(home, lease=lease) as engine:
        result = engine.prompts.update(
            change.task, content, change.reason, persona=change.persona, key=change.key
        )
        phase = result.state.phase
        version = result.state.baselines[phase].version if result.accepted else 0
        answer(engine, format_, result, f"{change.task}: baseline of {phase} is version {version}")


def diff(home: Path | None, task: str, phase: str | None) -> None:
    """Print how the prompt in use differs from its baseline."""
    with session(home, readonly=True) as engine:
        text = engine.prompts.diff(task, phase)
    sys.stdout.write(text)
    sys.stdout.flush()
    if not text:
        say("no difference")


def history(home: Path | None, format_: Format, task: str) -> None:
    """List what the ledger says of a task's prompts."""
    with session(home, readonly=True) as engine:
        rows = [_row(entry, shorten=format_ is Format.TABLE) for entry in engine.prompts.history(task)]
    print_rows(format_, rows, _COLUMNS)


def _refused(engine: Engine, format_: Format, attestation: Attestation) -> None:
    """Print a refusal and end; nothing happens when it was accepted."""
    if not attestation.result.accepted:
        answer(engine, format_, attestation.result, "")


def _story(attestation: Attestation) -> str:
    phase = attestation.result.state.phase
    told = {
        "baseline": f"it is now the baseline of {phase}",
        "match": f"it is the baseline of {phase}, version {attestation.version}",
        "drift": f"drift: it is not the baseline of {phase}, version {attestation.version}",
        "no_baseline": f"{phase} has no baseline yet; only a witnessed prompt becomes one",
    }
    weight = f" ({attestation.severity})" if attestation.drifted else ""
    return f"{attestation.origin} prompt sha256 {attestation.prompt}: {told[attestation.status]}{weight}"


def _json(attestation: Attestation) -> dict[str, Any]:
    state = attestation.result.state
    return {
        "task": state.task,
        "phase": state.phase,
        "attempt": state.attempt,
        "status": attestation.status,
        "origin": attestation.origin,
        "version": attestation.version,
        "severity": attestation.severity,
        "prompt": attestation.prompt,
        "header": attestation.header,
        "entries": [entry.seq for entry in attestation.result.entries],
    }


def _row(entry: Entry, *, shorten: bool) -> dict[str, Any]:
    said = entry.payload
    prompt = str(said["prompt"])
    baselined = entry.type == PromptBaselined.kind
    return {
        "entry": entry.seq,
        "phase": entry.phase,
        "attempt": entry.attempt,
        "what": "new baseline" if baselined else said["status"],
        "version": said["version"],
        "origin": said.get("origin", ""),
        "via": said.get("via", said.get("by", "")),
        "persona": said["persona"],
        "prompt": prompt[:DIGEST_SHOWN] if shorten else prompt,
        "reason": said.get("reason", ""),
    }


def _read(file: str) -> bytes:
    """The bytes of a file or of standard input, one more than are allowed at most."""
    try:
        if file == STANDARD_INPUT:
            return sys.stdin.buffer.read(PROMPT_BYTES_MAX + 1)
        with Path(file).open("rb") as opened:
            return opened.read(PROMPT_BYTES_MAX + 1)
    except (OSError, ValueError) as error:
        raise BadInput(f"cannot read `{file}`: {error}", "give the file that holds the prompt") from error


def _write(out: Path, content: bytes) -> None:
    try:
        out.write_bytes(content)
    except OSError as error:
        raise BadInput(f"cannot write `{out}`: {error.strerror}", "give another file") from error
