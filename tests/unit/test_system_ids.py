"""Span ids differ, also in a forked child, and are no zeros."""

import os

from phasegate.engine.app.system import SystemIds


def test_span_ids_are_sixteen_hex_digits_and_differ():
    ids = SystemIds()
    given = [ids.span_id() for _ in range(1_000)]
    assert len(set(given)) == len(given)
    assert all(len(one) == 16 and int(one, 16) > 0 for one in given)


def test_given_a_forked_child_then_it_gives_out_others_than_its_parent():
    ids = SystemIds()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, ids.span_id().encode())
        os._exit(0)
    own = ids.span_id()
    os.waitpid(child, 0)
    assert os.read(reading, 64).decode() != own
    os.close(reading)
    os.close(writing)
