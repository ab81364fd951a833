"""Commands on policy packs."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer

from phasegate.engine.app.evidence import ARTIFACT_BYTES_MAX, read_regular
from phasegate.engine.app.policy.answers import Answer, Outcome
from phasegate.engine.cli.options import Format
from phasegate.engine.cli.output import print_json, print_jsonl, print_rows
from phasegate.engine.cli.session import session
from phasegate.engine.core.errors import BadInput, NotEvaluated

if TYPE_CHECKING:
    from phasegate.engine.app.engine import Engine

EXIT_DENIED: Final = 1
EXIT_NOT_EVALUATED: Final = 3
EXIT_LEASE: Final = 5
NO_TASK: Final = "-"
_COLUMNS: Final = ("outcome", "rule", "source", "artifact", "place", "why", "remedy")


@dataclass(frozen=True, slots=True)
class Simulated:
    """What to try.

    Attributes:
        task: the task; `-` for none, with a tool.
        patch: file with a git diff, `-` for standard input.
        tool: name of a tool.
        phase: another phase than the current one, with a patch.
        persona: who calls the tool.
        lease: epoch of the lease it is called under.
    """

    task: str
    patch: str | None = None
    tool: str | None = None
    phase: str | None = None
    persona: str | None = None
    lease: int | None = None


def list_rules(format_: Format, pack: str) -> None:
    """List the rules of shipped packs."""
    from phasegate.policies.rego.pack import load_pack, shipped_packs

    packs = [load_pack(name) for name in ([pack] if pack else shipped_packs())]
    rows = [
        {
            "pack": found.name,
            "rule": rule.id,
            "demands": rule.title,
            "remedy": rule.remedy,
            "about": found.about,
        }
        for found in packs
        for rule in found.rules.values()
    ]
    print_rows(format_, rows, ["rule", "demands", "remedy"])
    if format_ is Format.TABLE and pack:
        typer.echo(f"\n{packs[0].title}. {packs[0].about}")


def test(format_: Format, place: str, *, coverage: bool) -> None:
    """Run tests of packs; exit 1 when one fails, 3 when there was none to run."""
    from phasegate.policies.rego.interpreter import NoAnswer
    from phasegate.policies.rego.testing import Verdict, modules_of, rules_covered, run_tests

    modules = modules_of(place)
    try:
        tested = run_tests(modules)
        covered = rules_covered(modules) if coverage else ()
    except NoAnswer as error:
        raise NotEvaluated(str(error), error.remedy) from error
    rows = [asdict(row) for row in tested]
    rules = [asdict(rule) for rule in covered]
    _print_tests(format_, rows, rules)
    verdicts = {row.verdict for row in tested}
    if not verdicts - {Verdict.SKIPPED}:
        raise NotEvaluated("there is no test to run", "write rules `test_...` into files `*_test.rego`")
    if verdicts & {Verdict.FAILED, Verdict.ERROR} or not all(rule.covered for rule in covered):
        raise typer.Exit(EXIT_DENIED)


def _print_tests(format_: Format, rows: Sequence[dict[str, Any]], rules: Sequence[dict[str, Any]]) -> None:
    if format_ is Format.JSON:
        print_json({"tests": rows, "rules": rules})
    elif format_ is Format.JSONL:
        print_jsonl([*rows, *rules])
    else:
        print_rows(format_, rows, ["verdict", "file", "test", "why"])
        if rules:
            print_rows(format_, rules, ["covered", "rule"], "rules that some test fails without")


def explain(home: Path | None, format_: Format, task: str, phase: str | None) -> None:
    """Show which rules decide on a phase."""
    with session(home, readonly=True) as engine:
        answers = engine.policies.explain(task, phase)
    _print_answers(format_, answers)
    _exit(answers)


def simulate(home: Path | None, format_: Format, wanted: Simulated) -> None:
    """Try a change or a call."""
    if (wanted.patch is None) == (wanted.tool is None):
        raise BadInput("what is to be tried is not said", "give either `--patch FILE` or `--tool TOOL`")
    patch = None if wanted.patch is None else _read(wanted.patch)
    with session(home, readonly=True, lease=wanted.lease) as engine:
        if patch is not None:
            answers, by_lease = engine.policies.simulate_patch(wanted.task, patch, wanted.phase), False
        else:
            answers, by_lease = _called(engine, wanted)
    _print_answers(format_, answers)
    if by_lease:
        raise typer.Exit(EXIT_LEASE)
    _exit(answers)


def _called(engine: Engine, wanted: Simulated) -> tuple[tuple[Answer, ...], bool]:
    if wanted.phase is not None:
        raise BadInput("a tool is called in the phase the task is in", "leave `--phase` out")
    task = None if wanted.task in {"", NO_TASK} else wanted.task
    call = engine.policies.simulate_tool(task, wanted.tool or "", persona=wanted.persona)
    refusal = call.decision.refusal
    return call.answers, refusal is not None and refusal.by_lease and not call.disagree


def _read(file: str) -> bytes:
    if file != "-":
        try:
            return read_regular(Path(file), follow=True)
        except OSError as error:
            raise BadInput(
                f"cannot read `{file}`: {error.strerror}", "name a file with a git diff"
            ) from error
    content = sys.stdin.buffer.read(ARTIFACT_BYTES_MAX + 1)
    if len(content) > ARTIFACT_BYTES_MAX:
        raise BadInput(f"the patch has more than {ARTIFACT_BYTES_MAX} bytes", "split the change")
    return content


def _print_answers(format_: Format, answers: Iterable[Answer]) -> None:
    print_rows(format_, [asdict(answer) for answer in answers], _COLUMNS)


def _exit(answers: Sequence[Answer]) -> None:
    """Exit 1 when a rule denies, 3 when one could not be evaluated or none decides."""
    outcomes = {answer.outcome for answer in answers}
    if Outcome.DENIED in outcomes:
        raise typer.Exit(EXIT_DENIED)
    if not outcomes or Outcome.NOT_EVALUATED in outcomes:
        raise typer.Exit(EXIT_NOT_EVALUATED)
