"""Promise: each attack comes to the same end in memory, in SQLite and in PostgreSQL, and the threat model says which."""

from __future__ import annotations

from pathlib import Path

import pytest
from attacked_places import SIZE, MemoryPlace, Place, PostgresPlace, SqlitePlace
from ledger_attack_deeds import NONE, NOT_CAUGHT, Answer
from ledger_attacks import ATTACKS, STORES, Attack, table, terms_of_the_whole

from phasegate.ledger.offline.terms import Terms

pytestmark = pytest.mark.attack

THREATS = (Path(__file__).parents[2] / "docs" / "threat-model.md").read_text()


@pytest.fixture(params=STORES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A ledger of 40 entries in each kind of store."""
    if request.param == "memory":
        return MemoryPlace()
    if request.param == "SQLite":
        return SqlitePlace(tmp_path)
    return PostgresPlace(request.getfixturevalue("dsn"))


def test_given_nothing_done_then_it_holds_and_says_what_it_cannot_rule_out(place: Place) -> None:
    report = place.verify(Terms())
    assert (report.exit_code, report.chain.entries) == (0, SIZE)
    assert [doubt.partition(":")[0] for doubt in report.not_ruled_out] == ["truncation", "rewrite", "fork"]


def outcome(answer: Answer) -> str:
    """The code of what was found."""
    if isinstance(answer, str):
        return answer
    assert answer.exit_code == (4 if answer.chain.problem else 0)
    return answer.chain.problem.code if answer.chain.problem else NOT_CAUGHT


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_given_an_attack_then_it_comes_to_what_the_list_says(place: Place, attack: Attack) -> None:
    datas = [row.bytes for row in place.rows()]

    answer = attack.do(place)

    assert outcome(answer) == attack.expected(place.name)
    if attack.expected(place.name) == NOT_CAUGHT:
        assert not isinstance(answer, str)
        assert attack.doubt in [doubt.partition(":")[0] for doubt in answer.not_ruled_out]
        kept = place.verify(terms_of_the_whole(datas)).chain.problem
        assert kept is not None
        assert kept.code == attack.kept


def test_every_attack_that_is_not_caught_says_what_is_doubted_and_what_narrows_it() -> None:
    for attack in ATTACKS:
        answers = {attack.expected(store) for store in STORES}
        is_open = NOT_CAUGHT in answers
        assert is_open == bool(attack.doubt) == bool(attack.kept) == bool(attack.narrowed), attack.name
        assert answers != {NONE}, attack.name
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS)


def test_the_threat_model_lists_every_attack_with_the_same_outcome() -> None:
    begin, end = "<!-- attacks: made by tests/ledger_attacks.py -->\n", "<!-- end of attacks -->\n"
    assert begin in THREATS
    listed = THREATS.partition(begin)[2].partition(end)[0]
    assert listed == table(), "put the table of `ledger_attacks.table()` into docs/threat-model.md"
