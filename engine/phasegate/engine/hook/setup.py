"""What `engine hooks install` left for the hook: which ledger and task it is for.

Definitions and personas themselves are read by their digest, see `ledger.read_object`, so that none can be
stale. Where there is no task, the lists of the shipped process count: its digest stands here with that of the
file it was read from, and a file that differs, as after an update, makes the setup stale.
"""

from __future__ import annotations

from hashlib import sha256
from json import loads

from phasegate.engine.hook.ledger import unavailable

FORMAT = 1
NAME = "setup.json"


class Setup:
    """The setup as written.

    Attributes:
        ledger: id of the ledger.
        without_task: digest of the definition that counts without a task.
        task: the task calls are made for, unless the client's environment names one; empty for none.
        persona: digest of the persona that calls; empty for none beside the baseline's.
    """

    def __init__(self, ledger: str, without_task: str, task: str, persona: str) -> None:
        self.ledger = ledger
        self.without_task = without_task
        self.task = task
        self.persona = persona


def read_setup(home: str) -> Setup:
    """The setup of a home.

    Raises:
        Refusal: there is none, it cannot be read, or it is stale.
    """
    try:
        with open(f"{home}/hook/{NAME}", "rb") as file:  # noqa: PTH123 - pathlib costs more than the read
            said = loads(file.read())
        if said["format"] != FORMAT:
            raise ValueError("another format")  # noqa: TRY301 - told as any other fault
        setup = Setup(said["ledger"], said["without_task"], said["task"], said["persona"])
        source, expected = said["source"], said["source_sha256"]
        with open(source, "rb") as file:  # noqa: PTH123
            found = sha256(file.read()).hexdigest()
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise unavailable(f"the hook's setup in the home cannot be read: {error}") from error
    if not all(type(text) is str for text in vars(setup).values()):
        raise unavailable("the hook's setup in the home cannot be read")
    if found != expected:
        raise unavailable("the hook's setup is stale: the shipped process has changed since")
    return setup
