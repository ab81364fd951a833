"""The table of tools: name, what a model is told about it, its arguments, its answer, what does it.

The descriptions are for whoever chooses and calls a tool: when to use it, what comes back, what to do when it
is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import mcp_types as types
from pydantic import BaseModel

from phasegate.engine.app.access.roles import Action
from phasegate.engine.mcp import answers, doing
from phasegate.engine.mcp import arguments as given
from phasegate.engine.mcp.caller import Caller

_REFUSAL = "When it is refused, nothing changed: do what `remedy` says, then call again."


@dataclass(frozen=True, slots=True)
class Instrument:
    """One tool.

    Attributes:
        name: as clients call it.
        title: for people.
        description: for the model that calls it; its line ends mean nothing.
        arguments: what it takes.
        answer: what it gives.
        action: what a token must allow.
        run: does it.
        destructive: whether it voids what was done.
        slow: whether it may take long.
    """

    name: str
    title: str
    description: str
    arguments: type[given.Arguments]
    answer: type[BaseModel]
    action: Action
    run: Callable[[Caller, Any], BaseModel]
    destructive: bool = False
    slow: bool = False

    def described(self, prefix: str = "") -> types.Tool:
        """As `tools/list` shows it, behind the prefix that its names have there."""
        reads = self.action is Action.READ
        return types.Tool(
            name=prefix + self.name,
            title=self.title,
            description=" ".join(self.description.split()),
            input_schema=self.arguments.model_json_schema(),
            output_schema=self.answer.model_json_schema(),
            annotations=types.ToolAnnotations(
                read_only_hint=reads,
                destructive_hint=self.destructive,
                idempotent_hint=reads,
                open_world_hint=self.slow,
            ),
        )


TOOLS: Final = (
    Instrument(
        "open",
        "Open a task",
        f"""
        Start a piece of work under a process. Call once per task, before anything else. Under
        `autopilot` name the git repository. The answer says which phase the task is in. {_REFUSAL}
        """,
        given.Opening,
        answers.Done,
        Action.WORK,
        doing.open_task,
    ),
    Instrument(
        "status",
        "Where tasks stand",
        """
        See where a task stands: its phase and attempt, which evidence of the phase is in, where it
        leads. Call it first when you take work up, and whenever you are unsure. Without a task it
        lists all.
        """,
        given.StatusOf,
        answers.Tasks,
        Action.READ,
        doing.status,
    ),
    Instrument(
        "prompt",
        "Prompt of the phase",
        """
        Get the instructions of the current phase and work under them, word for word. Call it on
        entering every phase: that you were given it is recorded, and in some phases the gate stays
        shut without that.
        """,
        given.PromptOf,
        answers.PromptText,
        Action.WORK,
        doing.prompt,
    ),
    Instrument(
        "gate",
        "What the gate misses",
        """
        See what keeps the current phase from being left: each finding names the artifact, the place
        and a remedy. Call it after handing in evidence and before `advance`. It records nothing and
        may be called at will.
        """,
        given.OfTask,
        answers.Gate,
        Action.READ,
        doing.gate,
    ),
    Instrument(
        "evidence_add",
        "Hand in evidence",
        f"""
        Hand in the current phase's artifacts, as files of the task's repository or as text.
        `status` names the artifacts the phase must leave. Test results, coverage and build logs are
        not handed in: `witness` makes them. The same bytes cannot serve twice. {_REFUSAL}
        """,
        given.Documents,
        answers.Done,
        Action.WORK,
        doing.add_evidence,
    ),
    Instrument(
        "witness",
        "Have a command seen",
        """
        Let the engine run a command (build, tests, coverage) in the repository and record what it
        saw; reports named by `junit`, `coverage` and `sarif` become witnessed evidence. The only
        way to evidence in VERIFY. It may take minutes; progress is reported. `passed` false means:
        mend the work and witness again.
        """,
        given.Command,
        answers.Seen,
        Action.WORK,
        doing.witness,
        slow=True,
    ),
    Instrument(
        "advance",
        "Leave the phase",
        """
        Leave the current phase for the next, if its gate is open; leaving the last completes the
        task. Phases cannot be skipped: an attempt is recorded. When it is refused, work off the
        `findings`, then call again.
        """,
        given.Forward,
        answers.Done,
        Action.WORK,
        doing.advance,
    ),
    Instrument(
        "backtrack",
        "Go back",
        f"""
        Go back to an earlier phase when what it left has to change (from VERIFY, REVIEW, PR or
        MONITOR under `autopilot`). Everything from it on must be done again, with fresh evidence.
        {_REFUSAL}
        """,
        given.Back,
        answers.Done,
        Action.WORK,
        doing.backtrack,
        destructive=True,
    ),
    Instrument(
        "lease_acquire",
        "Take the lease",
        """
        Take the exclusive right to work on a phase, so that no other worker acts on it. Give the
        `epoch` you get as `lease` with later calls. Code `conflict` means that another worker holds
        it: wait, or take other work.
        """,
        given.Acquire,
        answers.Held,
        Action.WORK,
        doing.lease_acquire,
    ),
    Instrument(
        "lease_renew",
        "Prolong the lease",
        """
        Prolong your lease before it expires. Too early it changes nothing. Code `conflict` means
        that you lost it: stop working on the phase, and acquire again.
        """,
        given.Held,
        answers.Held,
        Action.WORK,
        doing.lease_renew,
    ),
    Instrument(
        "lease_release",
        "Give the lease up",
        """
        Give your lease up when you leave the work to somebody else. Calling it twice does no harm.
        """,
        given.Held,
        answers.Held,
        Action.WORK,
        doing.lease_release,
    ),
    Instrument(
        "ask_approval",
        "Ask a person",
        """
        Record that you need a person's approval or decision, and see which approvals the gate waits
        for. You cannot approve yourself: a person signs with their key. Ask `gate` again later.
        """,
        given.Ask,
        answers.Asked,
        Action.WORK,
        doing.ask_approval,
    ),
    Instrument(
        "history",
        "What happened",
        """
        Read what was recorded of a task, oldest first, a page at a time.
        """,
        given.Page,
        answers.History,
        Action.READ,
        doing.history,
    ),
    Instrument(
        "tools",
        "Which tools pass",
        """
        List the tools that may be called in the current phase, the client's own included, with the
        rule for each.
        """,
        given.OfTask,
        answers.Callable,
        Action.READ,
        doing.tools,
    ),
)
