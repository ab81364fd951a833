"""Reading a validator's parameters: wrong ones are the process author's mistake, not the artifact's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from phasegate.validators.decimals import exact
from phasegate.validators.errors import BadParameterError
from phasegate.validators.quoting import quoted

if TYPE_CHECKING:
    from fractions import Fraction


def strings(params: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Return the list of non-empty strings called `name`, empty if it is not given.

    Raises:
        BadParameterError: it is something else.
    """
    value = params.get(name, ())
    if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) and item for item in value):
        raise BadParameterError(
            f"the parameter `{name}` must be a list of strings", f"write `{name}: [...]` in the process"
        )
    return tuple(value)


def flag(params: Mapping[str, Any], name: str) -> bool:
    """Return the boolean called `name`, false if it is not given.

    Raises:
        BadParameterError: it is something else.
    """
    value = params.get(name, False)
    if not isinstance(value, bool):
        raise BadParameterError(f"the parameter `{name}` must be true or false", f"write `{name}: true`")
    return value


def count(params: Mapping[str, Any], name: str, default: int) -> int:
    """Return the non-negative integer called `name`.

    Raises:
        BadParameterError: it is something else.
    """
    value = params.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise BadParameterError(
            f"the parameter `{name}` must be a non-negative integer", f"write `{name}: {default}`"
        )
    return value


def number(params: Mapping[str, Any], name: str) -> Fraction | None:
    """Return the number called `name` exactly, or None if it is not given.

    Raises:
        BadParameterError: it is neither a number nor a decimal string.
    """
    return None if params.get(name) is None else exact_parameter(name, params[name])


def exact_parameter(name: str, value: Any) -> Fraction:
    """Return a parameter's value exactly.

    Raises:
        BadParameterError: it is neither a number nor a decimal string.
    """
    result = exact(value)
    if result is None:
        raise BadParameterError(
            f"the parameter `{name}` must be a number, not {quoted(value)}",
            f'write a decimal number, such as `{name}: "0.8"`',
        )
    return result


def text_parameter(params: Mapping[str, Any], name: str, default: str) -> str:
    """Return the non-empty string called `name`.

    Raises:
        BadParameterError: it is something else.
    """
    value = params.get(name, default)
    if not isinstance(value, str) or not value:
        raise BadParameterError(f"the parameter `{name}` must be a name", f"write `{name}: {default}`")
    return value


def expressions(params: Mapping[str, Any], name: str, default: tuple[str, ...] = ()) -> list[re.Pattern[str]]:
    """Return the regular expressions called `name`, compiled.

    Raises:
        BadParameterError: it is no list of strings, or one does not compile.
    """
    given = strings(params, name) if name in params else default
    try:
        return [re.compile(expression) for expression in given]
    except (re.error, RecursionError, OverflowError) as error:
        raise BadParameterError(
            f"`{name}` holds an expression that does not compile: {quoted(str(error))}",
            "correct the regular expression in the process",
        ) from error


def mapping(params: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return the mapping called `name`, empty if it is not given.

    Raises:
        BadParameterError: it is something else.
    """
    value = params.get(name, {})
    if not isinstance(value, Mapping):
        raise BadParameterError(f"the parameter `{name}` must be a mapping", f"write `{name}: {{...}}`")
    return value
