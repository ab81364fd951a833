"""Entries told as sentences: one line for each type, for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from phasegate.ledger.entry import Entry

HASH_SHOWN: Final = 10
_ARGV_SHOWN = 80

STYLES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "task.opened": "bold cyan",
        "task.completed": "bold green",
        "gate.passed": "green",
        "phase.completed": "green",
        "phase.entered": "cyan",
        "phase.backtracked": "yellow",
        "violation.recorded": "bold red",
        "run.ended": "bold magenta",
        "witness.recorded": "blue",
        "approval.recorded": "magenta",
        "task.paused": "bold red",
        "task.aborted": "bold red",
        "loop.detected": "bold red",
        "flag.set": "bold yellow",
        "key.registered": "yellow",
        "key.rotated": "bold yellow",
        "ledger.checkpointed": "green",
        "ledger.repaired": "bold red",
        "object.redacted": "bold yellow",
        "child.checkpointed": "green",
        "token.created": "yellow",
        "token.revoked": "bold yellow",
        "outbox.failed": "red",
        "outbox.withdrawn": "yellow",
    }
)

_Payload = Mapping[str, Any]
_Sentence = Callable[[_Payload], str]


def _gate(p: _Payload) -> str:
    text = f"gate passed over {len(p['evidence'])} artifact(s), {len(p['checks'])} check(s)"
    flags = "".join(f"; {name} only {mode}" for name, mode in p.get("flags", {}).items())
    return text + flags + ("; THE GLASS WAS BROKEN" if p.get("broken_glass") else "")


_WORK: Mapping[str, _Sentence] = {
    "task.opened": lambda p: f"task opened under {p['process']} v{p['process_version']}: {p['title']}",
    "phase.entered": lambda p: "entered" + (f" from {p['previous']}" if p["previous"] else ""),
    "evidence.added": lambda p: (
        f"evidence {p['name']} ({p['origin']}, {p['size_bytes']} bytes, {p['digest'][:HASH_SHOWN]})"
    ),
    "witness.recorded": lambda p: (
        f"witnessed `{' '.join(p['argv'])[:_ARGV_SHOWN]}`: "
        f"exit code {p['exit_code']} after {p['duration_ms']} ms"
    ),
    "gate.passed": _gate,
    "phase.completed": lambda p: f"completed, next {p['next'] or 'nothing'}",
    "phase.backtracked": lambda p: f"BACK to {p['target']} from {p['source']}: {p['reason']}",
    "task.completed": lambda p: f"task completed after {p['phases']} phases",
    "violation.recorded": lambda p: f"REFUSED {p['command']} ({p['violation']}): {p['message']}",
    "prompt.attested": lambda p: f"prompt {p['prompt'][:HASH_SHOWN]} {p['origin']}: {p['status']}",
    "prompt.baselined": lambda p: f"prompt baseline version {p['version']}: {p['reason']}",
    "tool.called": lambda p: f"called {p['tool']} ({p['outcome']}), arguments {p['arguments'][:HASH_SHOWN]}",
    "hook.spooled": lambda p: (
        f"hook installed for {p['client']}"
        if p["client"]
        else f"hook spooled {p['denied']} refused and {p['called']} made calls, {p['prompts']} prompts"
    ),
    "journal.noted": lambda p: f"noted {p['chars']} characters of reasoning",
}
_PEOPLE: Mapping[str, _Sentence] = {
    "approval.recorded": lambda p: f"{p['by']} as {p['role']}: {p['decision']}: {p['reason']}",
    "task.paused": lambda p: f"PAUSED{' and escalated' if p['escalated'] else ''}: {p['reason']}",
    "task.resumed": lambda p: f"resumed: {p['reason']}",
    "task.aborted": lambda p: f"ABORTED: {p['reason']}",
    "loop.detected": lambda p: f"LOOP ({p['cause']}): {p['detail']}",
    "flag.set": lambda p: f"{p['by']} set {p['flag']} to {p['mode']}: {p['reason']}",
    "key.registered": lambda p: f"key of {p['name']} registered as {p['role']} by {p['by']}",
    "key.rotated": lambda p: f"the engine's key was replaced: now {'+'.join(p['after'].split('+')[:2])}",
    "ledger.checkpointed": lambda p: f"checkpoint of {p['size']} entries, root {p['root'][:HASH_SHOWN]}",
    "ledger.repaired": lambda p: f"REPAIRED {p['count']} place(s) from the entries: {', '.join(p['first'])}",
    "object.redacted": lambda p: f"{p['by']} REDACTED object {p['object'][:HASH_SHOWN]}: {p['reason']}",
    "child.checkpointed": lambda p: f"holds {p['size']} entries of ledger {p['child']}",
    "token.created": lambda p: f"token {p['id']} of {p['actor']} as {p['role']}, by {p['by']}",
    "token.revoked": lambda p: f"token {p['id']} REVOKED by {p['by']}",
    "milestone.approved": lambda p: f"{p['by']} signed milestone {p['milestone']} off: {p['reason']}",
    "baseline.recorded": lambda p: f"baseline {p['name']} ({'stable' if p['stable'] else 'not stable'})",
}
_RUNS: Mapping[str, _Sentence] = {
    "outbox.enqueued": lambda p: f"{p['effect']} to {p['destination']} waits ({p['key'][:HASH_SHOWN]})",
    "outbox.delivered": lambda p: f"delivered {p['key'][:HASH_SHOWN]} after {p['attempts']} attempt(s)",
    "outbox.deferred": lambda p: f"not yet delivered {p['key'][:HASH_SHOWN]}: {p['reason']}",
    "outbox.failed": lambda p: f"NOT DELIVERED {p['key'][:HASH_SHOWN]}: {p['reason']}",
    "outbox.withdrawn": lambda p: f"withdrawn {p['key'][:HASH_SHOWN]}: {p['voided']} was voided",
    "step.started": lambda p: f"step {p['step']} began ({p['total']} to do)",
    "step.finished": lambda p: f"step {p['step']} finished after {p['duration_ms']} ms",
    "sample.generated": lambda p: f"{p['problem']} sample {p['sample']} generated",
    "sample.executed": lambda p: f"{p['problem']} sample {p['sample']} {p['verdict']} in {p['wall_ms']} ms",
    "run.ended": lambda p: f"run ended: {p['outcome']}, {p['success_level']}",
}
SENTENCES: Final[Mapping[str, _Sentence]] = MappingProxyType({**_WORK, **_PEOPLE, **_RUNS})


def tell(entry: Entry) -> str:
    """What happened, as a sentence; an entry of an unknown type is told by its type."""
    sentence = SENTENCES.get(entry.type)
    return entry.type if sentence is None else sentence(entry.payload)
