"""The `engine` command line: one function per command, no logic of its own."""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated

import typer

from phasegate.engine.cli.options import (
    Format,
    FormatOption,
    HomeOption,
    JsonOption,
    LeaseOption,
    LedgerOption,
    ReasonOption,
    TaskArgument,
)
from phasegate.engine.cli.surface import (
    checkpoints,
    children,
    contracts,
    discover,
    export,
    fsck,
    gates,
    git,
    hooks,
    integrity,
    journal,
    leases,
    ledger_files,
    mcp,
    metrics,
    mirror,
    onboard,
    outbox,
    people,
    policy,
    policy_packs,
    prompts,
    redact,
    serve,
    sign,
    tokens,
    tools,
    witness,
)

EXIT_REFUSED = 1
EXIT_INTEGRITY = 4
EXIT_INTERRUPTED = 130

app = typer.Typer(
    name="engine",
    help="Makes the work of AI agents follow a process, and proves that it did.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
evidence = typer.Typer(help="Offer and list evidence.", no_args_is_help=True)
ledger = typer.Typer(help="Read, export and verify the ledger.", no_args_is_help=True)
run_group = typer.Typer(help="Let phase runners do the work of a process.", no_args_is_help=True)
keys = typer.Typer(help="Make and show the keys of a home.", no_args_is_help=True)
app.add_typer(evidence, name="evidence")
app.add_typer(keys, name="keys")
app.add_typer(ledger, name="ledger")
app.add_typer(run_group, name="run")


def run() -> None:
    """Run the command line; every error becomes a message, a remedy and an exit code."""
    if isinstance(sys.stdout, TextIOWrapper):
        # A terminal that cannot write a title's letters shows them as escapes.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        app(standalone_mode=True)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:  # noqa: BLE001 - the outermost place: nothing may end as a traceback
        from phasegate.engine.cli.session import exit_code_of

        sys.exit(exit_code_of(error))


def _version(value: bool) -> None:
    if value:
        from importlib.metadata import version

        typer.echo(f"phasegate {version('phasegate')}")
        raise typer.Exit


@app.callback()
def root(
    home: HomeOption = None,
    ledger_: LedgerOption = None,
    version: Annotated[  # noqa: ARG001 - acted on by its callback
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Makes the work of AI agents follow a process, and proves that it did."""
    if home is not None:
        os.environ["PHASEGATE_HOME"] = str(home)
    if ledger_ is not None:
        os.environ["PHASEGATE_LEDGER"] = ledger_


@app.command()
def init(home: HomeOption = None, ledger_: LedgerOption = None) -> None:
    """Create a home: the folder that holds ledger, objects and evidence."""
    from phasegate.engine.cli import tasks

    tasks.init(home, ledger_ or os.environ.get("PHASEGATE_LEDGER", ""))


@app.command("open")
def open_(
    task: TaskArgument,
    process: Annotated[
        str,
        typer.Option(
            "--process", "-p", metavar="NAME|FILE.yaml", help="autopilot, evaluation, or a YAML file."
        ),
    ],
    title: Annotated[
        str | None, typer.Option("--title", "-t", help="What it is about, in one line; its id without it.")
    ] = None,
    repo: Annotated[
        Path | None, typer.Option("--repo", metavar="DIR", help="Git repository that the work changes.")
    ] = None,
    base: Annotated[
        str, typer.Option("--base", metavar="COMMIT", help="Commit of it that the work starts from.")
    ] = "HEAD",
    risk: Annotated[
        str, typer.Option("--risk", metavar="CLASS", help="Risk class; the process's first without it.")
    ] = "",
    depends_on: Annotated[
        list[str] | None, typer.Option("--depends-on", metavar="TASK", help="A task to be completed before.")
    ] = None,
    milestone: Annotated[
        str, typer.Option("--milestone", metavar="NAME", help="Milestone of the process it belongs to.")
    ] = "",
    home: HomeOption = None,
    format_: FormatOption = Format.TABLE,
    json_: JsonOption = False,
) -> None:
    """Open a task under a process."""
    from phasegate.engine.cli import tasks

    order = tasks.Opening(task, process, title, repo, base, risk, tuple(depends_on or ()), milestone)
    tasks.open_task(home, tasks.chosen(format_, json_), order)


@app.command()
def status(
    task: Annotated[str | None, typer.Argument(metavar="[TASK]", help="A task; all without it.")] = None,
    home: HomeOption = None,
    format_: FormatOption = Format.TABLE,
    json_: JsonOption = False,
) -> None:
    """Show where tasks stand, and what the ledger can promise."""
    from phasegate.engine.cli import tasks

    tasks.status(home, tasks.chosen(format_, json_), task)


@app.command()
def history(
    task: TaskArgument,
    home: HomeOption = None,
    format_: FormatOption = Format.TABLE,
    json_: JsonOption = False,
) -> None:
    """Tell the story of one task from the ledger."""
    from phasegate.engine.cli import ledger_story, tasks

    ledger_story.history(home, tasks.chosen(format_, json_), task)


@app.command()
def gate(
    task: TaskArgument,
    lease: LeaseOption = None,
    home: HomeOption = None,
    format_: FormatOption = Format.TABLE,
    json_: JsonOption = False,
) -> None:
    """Try the current gate without passing it: what is missing, where, and what to do."""
    from phasegate.engine.cli import tasks

    tasks.gate(home, tasks.chosen(format_, json_), task, lease)


@app.command()
def advance(
    task: TaskArgument,
    to: Annotated[str | None, typer.Option("--to", metavar="PHASE", help="The phase to enter.")] = None,
    lease: LeaseOption = None,
    home: HomeOption = None,
    format_: FormatOption = Format.TABLE,
    json_: JsonOption = False,
) -> None:
    """Leave the current phase forward, if its gate is open."""
    from phasegate.engine.cli import tasks

    tasks.advance(home, tasks.chosen(format_, json_), task, to, lease)


@app.command()
def backtrack(
    task: TaskArgument,
    reason: ReasonOption,
    to: Annotated[
        str | None,
        typer.Option(
            "--to", metavar="PHASE", help="The phase; without it the earliest whose evidence has changed."
        ),
    ] = None,
    lease: LeaseOption = None,
    home: HomeOption = None,
    format_: FormatOption = Format.TABLE,
    json_: JsonOption = False,
) -> None:
    """Go back to an earlier phase; every phase from it on must be done again."""
    from phasegate.engine.cli import tasks

    tasks.backtrack(home, tasks.chosen(format_, json_), task, to, reason, lease)


@evidence.command("add")
def evidence_add(
    task: TaskArgument,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Files to offer.")],
    name: Annotated[
        str | None, typer.Option("--as", metavar="NAME", help="Artifact name, for a single file.")
    ] = None,
    lease: LeaseOption = None,
    home: HomeOption = None,
    format_: FormatOption = Format.TABLE,
    json_: JsonOption = False,
) -> None:
    """Offer files as evidence of the current phase."""
    from phasegate.engine.cli import tasks

    tasks.evidence_add(home, tasks.chosen(format_, json_), task, files, name, lease)


@evidence.command("list")
def evidence_list(
    task: TaskArgument,
    home: HomeOption = None,
    format_: FormatOption = Format.TABLE,
    json_: JsonOption = False,
) -> None:
    """List the evidence of a task and whether it still counts."""
    from phasegate.engine.cli import tasks

    tasks.evidence_list(home, tasks.chosen(format_, json_), task)


@keys.command("init")
def keys_init(home: HomeOption = None) -> None:
    """Make the engine's key, where a home has none; a key that exists is never replaced."""
    from phasegate.engine.cli import keys as commands

    commands.init(home)


@keys.command("create")
def keys_create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of who will own the key.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write the private key, mode 0600.")],
    witness: Annotated[
        bool, typer.Option("--witness", help="For a witness of ledgers: it signs cosignatures only.")
    ] = False,
) -> None:
    """Make a key of one's own: the private part into FILE, the public part is printed."""
    from phasegate.engine.cli import keys as commands

    commands.create(name, file, witness=witness)


@keys.command("rotate")
def keys_rotate(home: HomeOption = None) -> None:
    """Replace the engine's key: the old one signs its successor in the ledger, and is gone."""
    from phasegate.engine.cli import keys as commands

    commands.rotate(home)


@keys.command("register")
def keys_register(
    vkey: Annotated[str, typer.Argument(metavar="VKEY|FILE", help="The public key, or a file with it.")],
    role: Annotated[
        str,
        typer.Option(
            "--role",
            metavar="ROLE",
            help="operator, reviewer, supervisor, moderator, critic, auditor or agent.",
        ),
    ],
    key: Annotated[
        Path | None,
        typer.Option(
            "--key", "-k", metavar="FILE", help="Private key of an operator; needed once there is one."
        ),
    ] = None,
    home: HomeOption = None,
) -> None:
    """Register a public key for a role, as an entry; whoever owns it may then sign in that role."""
    from phasegate.engine.cli import keys as commands

    commands.register(home, vkey, role, key)


@keys.command("show")
def keys_show(
    vkey: Annotated[bool, typer.Option("--vkey", help="Only the engine's own key, as one line.")] = False,
    pem: Annotated[
        bool, typer.Option("--pem", help="Only the engine's own key, as PEM, for openssl or in-toto-verify.")
    ] = False,
    home: HomeOption = None,
    format_: FormatOption = Format.TABLE,
    json_: JsonOption = False,
) -> None:
    """Show the public keys: the engine's, and those registered for roles."""
    from phasegate.engine.cli import keys as commands
    from phasegate.engine.cli.output import chosen

    if vkey or pem:
        commands.show_own(home, pem=pem)
    else:
        commands.show(home, chosen(format_, json_))


@ledger.command("show")
def ledger_show(
    task: Annotated[str | None, typer.Option("--task", metavar="T", help="Only this task's entries.")] = None,
    type_: Annotated[
        str | None, typer.Option("--type", metavar="X", help="Only entries of this type.")
    ] = None,
    phase: Annotated[
        str | None, typer.Option("--phase", metavar="P", help="Only entries of this phase.")
    ] = None,
    since: Annotated[
        int, typer.Option("--since", metavar="SEQ", min=0, help="Only entries after this one.")
    ] = 0,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="The latest N of them.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with new entries until interrupted.")
    ] = False,
    home: HomeOption = None,
    format_: FormatOption = Format.TABLE,
    json_: JsonOption = False,
) -> None:
    """Show the ledger as a story: when, who, what happened, with refusals standing out."""
    from phasegate.engine.cli import ledger_story, tasks

    chosen = ledger_story.Selection(task, type_, phase.upper() if phase else None, since, limit)
    ledger_story.show(home, tasks.chosen(format_, json_), chosen, follow=follow)


@run_group.command("evaluation")
def run_evaluation(
    suite: Annotated[str, typer.Option("--suite", metavar="humaneval|FILE.jsonl", help="The problems.")],
    model: Annotated[
        str,
        typer.Option(
            "--model", metavar="stub|replay:FILE", help="stub[:CHANCE], or replay of recorded rows."
        ),
    ],
    samples: Annotated[
        str, typer.Option("--samples", metavar="1,4,16", help="The k of pass@k; the largest is generated.")
    ] = "1,4,16",
    tasks: Annotated[
        int | None, typer.Option("--tasks", metavar="N", min=1, help="Only the first N problems.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="S", min=0, help="Seed of all randomness.")] = 42,
    task_id: Annotated[
        str | None,
        typer.Option("--task-id", metavar="ID", help="Task to run as; chosen from the settings without it."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", metavar="N", min=1, max=256, help="Sandbox workers; two a core."),
    ] = None,
    isolation: Annotated[
        str,
        typer.Option("--isolation", metavar="full|reduced", help="`reduced` runs with fewer protections."),
    ] = "full",
    home: HomeOption = None,
    format_: FormatOption = Format.TABLE,
    json_: JsonOption = False,
) -> None:
    """Evaluate a code model on a suite, from STRATEGIZE to MONITOR; a killed run resumes."""
    from phasegate.engine.cli import evaluation
    from phasegate.engine.cli.output import chosen

    request = evaluation.Request(suite, model, samples, tasks, seed, task_id, workers, isolation)
    evaluation.run(home, chosen(format_, json_), request)


checkpoints.register(ledger)
fsck.register(ledger)
children.register(ledger)
redact.register(ledger)
policy_packs.register(policy.policies)
discover.register(policy.policies)
for group in (
    contracts,
    export,
    gates,
    git,
    hooks,
    integrity,
    journal,
    leases,
    mcp,
    metrics,
    mirror,
    onboard,
    outbox,
    people,
    policy,
    prompts,
    serve,
    sign,
    tokens,
    tools,
    witness,
):
    group.register(app)
ledger_files.register(ledger)
