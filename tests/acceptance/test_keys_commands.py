"""`engine keys`: the line that CI needs, and a warning where a private key would be committed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from engine_drivers import cli
from small_processes import three_phases

from phasegate.engine.app.engine import Engine
from phasegate.engine.app.people.keys import Role
from phasegate.engine.core.errors import BadInput
from phasegate.engine.statements import VerifyKey


def test_the_engine_s_own_key_is_one_line_that_is_a_key(tmp_path: Path) -> None:
    with Engine.init(tmp_path / "state") as engine:
        own = engine.keys.engine_vkey().vkey

    ran = cli("keys", "show", "--vkey", "--home", str(tmp_path / "state"))

    assert (ran.code, ran.out) == (0, f"{own}\n")
    assert VerifyKey.parse(own).vkey == own


@pytest.mark.parametrize("inside", [True, False])
def test_a_key_inside_a_working_tree_is_warned_of(tmp_path: Path, *, inside: bool) -> None:
    tree = tmp_path / "tree"
    subprocess.run(["git", "init", "-q", str(tree)], check=True)
    (tree / "below").mkdir()
    file = (tree / "below" if inside else tmp_path) / "rita.key"

    ran = cli("keys", "create", "rita", str(file))

    assert ran.code == 0
    assert file.is_file()
    assert ("git working tree" in ran.err) is inside
    assert "warning" not in ran.out


def create(folder: Path, name: str) -> tuple[str, str]:
    """A key made on the command line: its private file and its verifier key."""
    ran = cli("keys", "create", name, str(folder / f"{name}.key"))
    assert ran.code == 0, ran
    return str(folder / f"{name}.key"), ran.out.strip()


def test_a_registration_before_there_is_an_operator_is_warned_of(tmp_path: Path) -> None:
    Engine.init(tmp_path / "state").close()
    at = ("--home", str(tmp_path / "state"))
    (_, rita), (olga_file, olga), (_, ben) = (create(tmp_path, name) for name in ("rita", "olga", "ben"))

    early = cli("keys", "register", rita, "--role", "reviewer", *at)
    first = cli("keys", "register", olga, "--role", "operator", *at)
    unsigned = cli("keys", "register", ben, "--role", "reviewer", *at)
    signed = cli("keys", "register", ben, "--role", "reviewer", "--key", olga_file, *at)

    assert (early.code, first.code, unsigned.code, signed.code) == (0, 0, 2, 0)
    assert "anyone who can run this command can register keys" in early.err
    assert "warning" not in early.out + first.err + signed.err


def test_nobody_registers_a_key_as_the_engine(tmp_path: Path) -> None:
    with Engine.init(tmp_path / "state") as engine:
        head = engine.store.head()
    _, vkey = create(tmp_path, "mallory")

    ran = cli("keys", "register", vkey, "--role", "engine", "--home", str(tmp_path / "state"))

    assert (ran.code, "remedy: " in ran.err) == (2, True), ran
    with Engine.open(tmp_path / "state") as engine:
        with pytest.raises(BadInput, match="as `engine`"):
            engine.registrations.register(vkey, Role.ENGINE)
        assert engine.store.head() == head


def test_a_person_s_key_that_is_unknown_or_missing_says_how_to_get_one(tmp_path: Path) -> None:
    with Engine.init(tmp_path / "state") as engine:
        engine.open_task("T-1", three_phases())
    file, _ = create(tmp_path, "mallory")
    at = ("--reason", "x", "--home", str(tmp_path / "state"))

    for more in ((), ("--role", "reviewer")):
        unknown = cli("approve", "T-1", "--key", file, *more, *at)
        assert (unknown.code, "engine keys register" in unknown.err) == (2, True), unknown
    missing = cli("approve", "T-1", "--key", str(tmp_path / "nobody.key"), *at)
    assert (missing.code, "engine keys create" in missing.err) == (2, True), missing
