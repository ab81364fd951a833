"""Events of the hook's spool."""

from __future__ import annotations

from phasegate.engine.core.event_fields import Count, EventPayload, OptionalHex, Short


class HookSpooled(EventPayload):
    """The hook was installed for a client, or what it spooled was entered.

    Attributes:
        client: the client it was installed for; empty for an entering.
        first: number of the first line that was entered; one more than `last` for none.
        last: number of the last line that is entered by now.
        head: SHA-256 of that line, which the next one names; zeros before the first.
        denied: refused calls among them.
        called: calls that were made.
        prompts: prompts.
        dropped: lines that the hook did not keep, because there were too many.
        batch: object that holds the lines; empty for none.
    """

    kind = "hook.spooled"
    client: Short
    first: Count
    last: Count
    head: OptionalHex
    denied: Count = 0
    called: Count = 0
    prompts: Count = 0
    dropped: Count = 0
    batch: OptionalHex = ""
