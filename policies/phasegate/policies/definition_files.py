"""Where definitions are read: shipped ones by name, others by file."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from phasegate.policies.errors import PolicyError
from phasegate.policies.yaml_lines import FILE_BYTES_MAX

_SUFFIXES = (".yaml", ".yml")


def shipped(folder: str) -> tuple[str, ...]:
    """Names of the definitions in a folder of the package, such as `processes`."""
    files = (resources.files("phasegate.policies") / folder).iterdir()
    return tuple(sorted(file.name.removesuffix(".yaml") for file in files if file.name.endswith(".yaml")))


def read_definition(
    name_or_file: str, folder: str, what: str, not_found: type[PolicyError]
) -> tuple[bytes, str]:
    """Return the text of a definition and the name of its file.

    Args:
        name_or_file: a shipped name, or the path of a YAML file.
        folder: where the shipped ones are.
        what: what it is a definition of, such as `process`.
        not_found: the error that says it is neither.

    Raises:
        PolicyError: `not_found`.
    """
    if name_or_file.endswith(_SUFFIXES):
        path = Path(name_or_file)
        try:
            with path.open("rb") as opened:
                # One byte more than is allowed, so that the parser can tell that there is more.
                return opened.read(FILE_BYTES_MAX + 1), path.name
        except OSError as error:
            raise not_found(f"cannot read `{name_or_file}`: {error.strerror}") from error
        except ValueError as error:
            raise not_found(f"cannot read `{name_or_file}`: {error}") from error
    if name_or_file not in shipped(folder):
        known = ", ".join(shipped(folder))
        raise not_found(
            f"there is no {what} `{name_or_file[:80]}`", f"use one of {known}, or a file ending in .yaml"
        )
    name = f"{name_or_file}.yaml"
    return (resources.files("phasegate.policies") / folder / name).read_bytes(), name
