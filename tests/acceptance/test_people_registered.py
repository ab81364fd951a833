"""Whose keys count, and whose flags: only what an operator signed, whatever stands in the ledger's file.

SPEC rule 9 and section 2, "Humans in the loop".
"""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from engine_drivers import cli
from guarded_homes import Guarded
from people_deciding import advance, decide, in_review, nothing_written, passed

from phasegate.engine.app.people.keys import KeyRefused, Role, load_key
from phasegate.engine.core.errors import BadInput, IntegrityError
from phasegate.policies.model import FlagMode

pytestmark = pytest.mark.attack


@pytest.fixture
def place(tmp_path: Path) -> Guarded:
    """A task in REVIEW, its rubric handed in, implemented by `ben`."""
    return in_review(tmp_path)


# -- who is registered ------------------------------------------------------------------------------------


def vkey_of(place: Guarded, name: str) -> str:
    """A public key."""
    return load_key(place.keys[name]).public_vkey


@pytest.mark.parametrize("signer", [None, "mallory", "rita", "sue"])
@pytest.mark.parametrize("role", [Role.OPERATOR, Role.REVIEWER])
def test_only_an_operator_registers_another_key(place: Guarded, signer: str | None, role: Role) -> None:
    def attack() -> None:
        with place.engine() as engine:
            engine.registrations.register(
                vkey_of(place, "mallory"), role, key=place.keys[signer] if signer else None
            )

    nothing_written(place, attack, BadInput)
    nothing_written(place, lambda: decide(place, "mallory", role=Role.REVIEWER), KeyRefused)


def test_one_key_under_two_names_is_refused(place: Guarded) -> None:
    name, _, rest = vkey_of(place, "ben").partition("+")
    with place.engine() as engine, pytest.raises(KeyRefused):
        engine.registrations.register(f"{name}2+{rest}", Role.REVIEWER, key=place.keys["olga"])


def test_a_key_put_into_the_folder_by_hand_is_not_registered(place: Guarded) -> None:
    folder = place.root / "keys" / "operators"
    (folder / "mallory.vkey").write_text(f"{vkey_of(place, 'mallory')}\nroles reviewer operator\n")
    nothing_written(place, lambda: decide(place, "mallory", role=Role.REVIEWER), KeyRefused)


EDITS = {
    "a role exchanged": "UPDATE projections SET key = replace(key, 'reviewer', 'operator') "
    "WHERE kind = 'key' AND key LIKE 'rita+%'",
    "a key exchanged": "UPDATE projections SET body = (SELECT body FROM projections WHERE kind = 'key' "
    "AND key LIKE 'ben+%') WHERE kind = 'key' AND key LIKE 'rita+%'",
    "a row added": "INSERT INTO projections (kind, key, seq, body) SELECT kind, "
    "replace(key, 'reviewer', 'operator'), seq, body FROM projections WHERE kind = 'key' AND key LIKE 'rita+%'",
    "the operator's row deleted": "DELETE FROM projections WHERE kind = 'key' AND key LIKE 'olga+%'",
    "all rows deleted": "DELETE FROM projections WHERE kind = 'key'",
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_a_key_row_edited_in_the_file_is_refused(place: Guarded, edit: str) -> None:
    place.sql(edit)

    def register() -> None:
        with place.engine() as engine:
            engine.registrations.register(vkey_of(place, "mallory"), Role.OPERATOR)

    nothing_written(place, register, IntegrityError)
    nothing_written(place, lambda: decide(place, "rita"), IntegrityError)


# -- whose flags count ----------------------------------------------------------------------------------

FLAG = "REVIEW/approvals"


def set_flag(place: Guarded, mode: FlagMode, name: str = "olga") -> None:
    """Change the mode of the approvals' flag."""
    with place.engine() as engine:
        engine.flags.set(place.process, FLAG, mode, "for the test", place.keys[name])


def test_a_flag_set_by_an_operator_counts_and_is_in_the_gates_entry(place: Guarded) -> None:
    set_flag(place, FlagMode.OBSERVE)
    assert advance(place).accepted
    assert passed(place)["flags"] == {FLAG: "observe"}


@pytest.mark.parametrize("name", ["rita", "mallory"])
def test_nobody_else_sets_a_flag(place: Guarded, name: str) -> None:
    nothing_written(place, lambda: set_flag(place, FlagMode.OFF, name), BadInput)


@pytest.mark.parametrize(
    "flag", ["REVIEW/evidence", "REVIEW/order", "PLAN/freshness", "REVIEW/lease", "", "*"]
)
def test_order_freshness_and_fencing_have_no_flag(place: Guarded, flag: str) -> None:
    def attack() -> None:
        with place.engine() as engine:
            engine.flags.set(place.process, flag, FlagMode.OFF, "why not", place.keys["olga"])

    nothing_written(place, attack, BadInput)


def test_a_flag_row_edited_in_the_file_is_refused(place: Guarded) -> None:
    set_flag(place, FlagMode.ENFORCE)
    place.sql(
        "UPDATE projections SET body = CAST(replace(CAST(body AS TEXT), 'enforce', 'off') AS BLOB) "
        "WHERE kind = 'flag'"
    )
    nothing_written(place, lambda: advance(place), IntegrityError)


def test_a_flag_row_added_in_the_file_is_refused(place: Guarded) -> None:
    place.sql(
        "INSERT INTO projections (kind, key, seq, body) VALUES ('flag', ?, 3, CAST(? AS BLOB))",
        f"guarded:{FLAG}",
        '{"mode":"off","by":"olga","reason":"x"}',
    )
    nothing_written(place, lambda: advance(place), IntegrityError)


def test_a_flag_row_set_back_to_what_it_once_was_is_refused(place: Guarded) -> None:
    set_flag(place, FlagMode.OFF)
    place.sql("CREATE TABLE kept AS SELECT * FROM projections WHERE kind = 'flag'")
    set_flag(place, FlagMode.ENFORCE)
    place.sql("DELETE FROM projections WHERE kind = 'flag'")
    place.sql("INSERT INTO projections SELECT * FROM kept")
    nothing_written(place, lambda: advance(place), IntegrityError)


def test_an_actor_is_proven_by_a_key_and_by_no_option(place: Guarded) -> None:
    file = place.root.parent / "guarded.yaml"
    file.write_text(yaml.safe_dump(place.process.model_dump(mode="json", exclude_defaults=True)))
    for option in ("--actor", "--by", "--as-user"):
        ran = cli("open", "T-9", "--process", str(file), option, "rita", "--home", str(place.root))
        assert ran.code == 2
    with pytest.raises(KeyRefused), place.engine(key="mallory"):
        pass
