"""What a verification could not rule out: as narrow as what was checked allows, and no narrower."""

import pytest

from phasegate.ledger.offline.doubts import Covered, not_ruled_out
from phasegate.ledger.verify import NOT_RULED_OUT

TRUNCATION, REWRITE, FORK = NOT_RULED_OUT
SIGNED_7 = (
    "rewrite: the whole chain up to entry 7 written anew by who holds the key; "
    "what follows entry 7 written anew"
)


@pytest.mark.parametrize(
    ("covered", "doubts"),
    [
        (Covered(), (TRUNCATION, REWRITE, FORK)),
        (
            Covered(signed=10),
            (
                "truncation: entries removed that came after entry 10",
                "rewrite: the whole chain up to entry 10 written anew by who holds the key",
                FORK,
            ),
        ),
        (
            Covered(signed=7),
            (
                "truncation: entries removed that came after entry 7",
                SIGNED_7,
                FORK,
            ),
        ),
        (
            Covered(kept=4),
            (
                "truncation: entries removed that came after entry 4",
                "rewrite: what follows entry 4 written anew",
                FORK,
            ),
        ),
        (
            Covered(signed=10, kept=4),
            (
                "truncation: entries removed that came after entry 10",
                "rewrite: what follows entry 4 up to entry 10 written anew by who holds the key",
                FORK,
            ),
        ),
        (
            Covered(signed=3, kept=4),
            (
                "truncation: entries removed that came after entry 4",
                "rewrite: what follows entry 4 written anew",
                FORK,
            ),
        ),
        (Covered(kept=10), ("truncation: entries removed that came after entry 10", FORK)),
        (Covered(witnessed=10), ("truncation: entries removed that came after entry 10", FORK)),
        (
            Covered(witnessed=10, is_majority=True),
            ("truncation: entries removed that came after entry 10",),
        ),
        (
            Covered(witnessed=6, is_majority=True),
            (
                "truncation: entries removed that came after entry 6",
                "rewrite: what follows entry 6 written anew",
                "fork: after entry 6, another continuation shown to somebody else",
            ),
        ),
    ],
)
def test_given_a_ledger_of_ten_entries_then_each_doubt_is_worded_by_what_covers_it(covered, doubts):
    assert not_ruled_out(10, covered) == doubts


def test_given_no_entries_then_nothing_is_ruled_out():
    assert not_ruled_out(0, Covered()) == NOT_RULED_OUT
