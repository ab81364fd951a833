"""A lease as a value: what of it is compared, and the names it refuses."""

import pytest

from phasegate.ledger.errors import LeaseInvalid
from phasegate.ledger.leases import Lease, check_names

LEASE = Lease("IMP-1", "PLAN", 3, "a", 1000, 5, "b")


def test_given_one_lease_read_at_two_moments_then_it_is_equal():
    later = LEASE._replace(seen_ms=900, taken_from=None)

    assert later == LEASE
    assert not later != LEASE  # noqa: SIM202 - tuples have an operator of their own for it
    assert hash(later) == hash(LEASE)


@pytest.mark.parametrize(
    "other",
    [
        {"task": "IMP-2"},
        {"phase": "SPEC"},
        {"epoch": 4},
        {"holder": "c"},
        {"expires_ms": 1001},
    ],
    ids=lambda other: next(iter(other)),
)
def test_given_another_stored_field_then_it_is_not_equal(other):
    assert LEASE._replace(**other) != LEASE


def test_given_a_bare_tuple_of_its_fields_then_it_is_no_lease():
    bare = tuple(LEASE)

    assert bare != LEASE
    assert not bare == LEASE  # noqa: SIM201 - the other operator


@pytest.mark.parametrize("name", ["", "x" * 300, "a\nb", 7, None])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_given_a_name_out_of_bounds_in_any_place_then_it_is_refused(place, name):
    names = ["IMP-1", "PLAN", "a"]
    names[place] = name

    with pytest.raises(LeaseInvalid):
        check_names(*names)
