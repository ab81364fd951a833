"""Commands on keys: public parts are shown, private ones never are."""

from __future__ import annotations

import sys
from pathlib import Path

from phasegate.engine.app.people.key_files import create_cosigner
from phasegate.engine.app.people.keys import Role, create_key, load_vkey
from phasegate.engine.cli.options import Format
from phasegate.engine.cli.output import console, print_rows, say
from phasegate.engine.cli.people import parse_role
from phasegate.engine.cli.session import session


def init(home: Path | None) -> None:
    """Make the engine's key; raises KeyRefused when there is one."""
    with session(home) as engine:
        key = engine.keys.create_engine_key(engine.store.ledger)
        console().print(f"engine key {key.public_vkey}")


def create(name: str, file: Path, *, witness: bool = False) -> None:
    """Make a key; its private part is written to a file, its public part printed."""
    key = create_cosigner(file, name) if witness else create_key(file, name)
    console().print(key.public_vkey, soft_wrap=True)
    say(f"private key written to {file}; keep it where no agent can read it")
    tree = working_tree(file)
    if tree is not None:
        say(f"warning: {tree} is a git working tree; move the key out of it before it is committed or read")


def rotate(home: Path | None) -> None:
    """Replace the engine's key."""
    with session(home) as engine:
        entry = engine.rotating.rotate()
        vkey = engine.keys.engine_vkey().vkey
        console().print(f"engine key {vkey}", soft_wrap=True)
        say(f"recorded as entry {entry.seq}; give the new key to whoever verifies this ledger")


def working_tree(file: Path) -> Path | None:
    """The git working tree that a file lies in; None when it lies in none."""
    return next((folder for folder in file.resolve().parents if (folder / ".git").exists()), None)


def register(home: Path | None, vkey: str, role: str, key: Path | None) -> None:
    """Register a public key, given as text or as a file, for a role."""
    wanted = parse_role(role)
    text = vkey if "+" in vkey and not Path(vkey).is_file() else load_vkey(Path(vkey)).vkey
    with session(home) as engine:
        if wanted not in {Role.OPERATOR, Role.ENGINE} and not engine.registrations.has_operator():
            say(
                "warning: no operator is registered, so anyone who can run this command can register keys "
                "until one is;\nregister an operator first: `engine keys register VKEY --role operator`"
            )
        entry = engine.registrations.register(text, wanted, key=key)
        console().print(f"registered {entry.payload['name']} as {role}: entry {entry.seq}")


def show_own(home: Path | None, *, pem: bool) -> None:
    """Print the engine's public key and nothing else: the verifier key in one line, or PEM."""
    with session(home, readonly=True) as engine:
        key = engine.keys.engine_vkey()
        sys.stdout.write(key.for_notes.pem if pem else f"{key.vkey}\n")


def show(home: Path | None, format_: Format) -> None:
    """List the engine's public key and the registered ones."""
    with session(home, readonly=True) as engine:
        rows = [
            {"role": ", ".join(sorted(entry.roles)), "name": entry.key.name, "vkey": entry.key.vkey}
            for entry in engine.keys.list()
        ]
    print_rows(format_, rows, ["role", "name", "vkey"])
