"""Reading the policies that a home may hold as YAML files beside its ledger."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from phasegate.engine.core.errors import BadInput
from phasegate.policies.errors import PolicyError
from phasegate.policies.loader import refusal
from phasegate.policies.yaml_lines import FILE_BYTES_MAX, read_yaml

Policy = TypeVar("Policy", bound=BaseModel)


def load_home_policy(home: Path, name: str, model: type[Policy], what: str, page: str) -> Policy:
    """A policy of a home; the model's defaults where there is no file.

    Args:
        home: the home's folder.
        name: name of the file in it.
        model: what it must be.
        what: what to call it in a message, such as `an outbox policy`.
        page: the page of the documentation that shows one.

    Raises:
        BadInput: the file cannot be read, or is refused; the message has the line.
    """
    file = home / name
    try:
        # A pipe that nobody writes to is empty, and must keep no command waiting.
        with os.fdopen(os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as opened:
            # One byte more than is allowed, so that the reader can tell that there is more.
            text = opened.read(FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        return model()
    except OSError as error:
        raise BadInput(f"cannot read `{file}`: {error.strerror}", "make it readable, or remove it") from error
    try:
        lined = read_yaml(text, name)
        try:
            return model.model_validate(lined.data)
        except ValidationError as error:
            raise refusal(lined, error, what) from error
    except PolicyError as error:
        raise BadInput(str(error), f"correct `{file}`; {page} shows one") from error
