"""Evidence on disk: read once, kept by digest, its readable copy watched, its path recorded."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from decider_spec import digest, given, passing
from hypothesis import given as having
from hypothesis import strategies as st
from small_processes import three_phases

from phasegate.engine.app import evidence as module
from phasegate.engine.app.evidence import Shelf, digest_of, read_regular
from phasegate.engine.app.home import Home, create_home
from phasegate.engine.app.paths import decode_path, encode_path
from phasegate.engine.core.commands import AddEvidence, Advance
from phasegate.engine.core.errors import BadInput, IntegrityError
from phasegate.engine.core.state import TaskState
from phasegate.ledger.objects import ObjectStore
from phasegate.policies.model import Witness

TASK = "T-1"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home's folders."""
    return create_home(tmp_path / "state")[0]


@pytest.fixture
def shelf(home: Home) -> Shelf:
    """Its shelf."""
    return Shelf(home, ObjectStore(home.objects))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file to offer."""
    (tmp_path / "a.md").write_text("text")
    return tmp_path / "a.md"


def bound(shelf: Shelf, file: Path) -> TaskState:
    """A task in A with the file bound and its copy in place."""
    offer = shelf.read_offer(TASK, "A", file, "a.md")
    state = given(three_phases(), AddEvidence((offer,))).state
    assert state is not None
    shelf.settle(offer.path, offer.digest)
    return state


def test_given_a_file_when_offered_then_digest_snapshot_and_size_are_those_of_its_bytes(shelf, file) -> None:
    offer = shelf.read_offer(TASK, "A", file, "a.md")

    assert (offer.digest, offer.size_bytes) == (digest("text"), 4)
    assert shelf.load(offer.digest) == b"text"
    assert offer.path == f"evidence/{TASK}/A/a.md"
    assert offer.source == str(file)


def test_given_a_link_when_offered_then_the_file_it_leads_to_is_its_source(shelf, file, tmp_path) -> None:
    link = tmp_path / "link.md"
    link.symlink_to(file)

    assert shelf.read_offer(TASK, "A", link, "a.md").source == str(file)


def odd_files(folder: Path) -> dict[str, Path]:
    """What is no readable plain file."""
    (folder / "loop").symlink_to(folder / "loop")
    (folder / "dangling").symlink_to(folder / "nowhere")
    os.mkfifo(folder / "fifo")
    return {
        "missing": folder / "missing", "folder": folder, "fifo": folder / "fifo", "loop": folder / "loop",
        "dangling": folder / "dangling", "device": Path("/dev/zero"), "nul": folder / "a\x00b",
        "below a file": Path(__file__) / "x", "surrogate": folder / "\ud800",
    }  # fmt: skip


@pytest.mark.parametrize(
    "kind",
    ["missing", "folder", "fifo", "loop", "dangling", "device", "nul", "below a file", "surrogate"],
)
def test_given_what_is_no_plain_file_when_offered_then_it_is_bad_input(shelf, tmp_path, kind) -> None:
    with pytest.raises(BadInput) as caught:
        shelf.read_offer(TASK, "A", odd_files(tmp_path)[kind], "a.md")
    assert caught.value.remedy


def test_given_a_file_beyond_the_bound_when_read_then_it_is_refused(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(module, "ARTIFACT_BYTES_MAX", 10)
    (tmp_path / "ten").write_bytes(b"x" * 10)
    (tmp_path / "more").write_bytes(b"x" * 11)

    assert len(read_regular(tmp_path / "ten", follow=True)) == 10
    with pytest.raises(BadInput, match="more than 10 bytes"):
        read_regular(tmp_path / "more", follow=True)


def test_given_a_link_when_read_without_following_then_it_is_refused(tmp_path, file) -> None:
    link = tmp_path / "link"
    link.symlink_to(file)

    assert read_regular(link, follow=True) == b"text"
    with pytest.raises(OSError, match="symbolic links"):
        read_regular(link, follow=False)
    assert digest_of(link, follow=False) is None


def test_given_an_endless_path_when_offered_then_it_is_bad_input(shelf, tmp_path) -> None:
    deep = tmp_path
    for _ in range(9):
        deep /= "\N{SNOWMAN}" * 80
    deep.mkdir(parents=True)
    (deep / "a.md").write_text("x")

    with pytest.raises(BadInput, match="more than 2000 characters"):
        shelf.read_offer(TASK, "A", deep / "a.md", "a.md")


@having(st.binary(min_size=1, max_size=80).filter(lambda name: b"\x00" not in name))
def test_given_any_path_when_encoded_then_it_is_plain_text_and_comes_back(name: bytes) -> None:
    path = Path("/folder") / os.fsdecode(name).lstrip("/")

    text = encode_path(path)

    assert text.isascii()
    assert text.isprintable()
    assert decode_path(text) == path


@pytest.mark.parametrize("place", ["evidence/OTHER/A/a.md", "evidence/OTHER/x", "evidence/OTHER"])
def test_given_a_place_in_a_tasks_folder_when_asked_then_the_task_is_its_owner(shelf, home, place) -> None:
    assert shelf.owner(encode_path(home.root / place)) == "OTHER"


@pytest.mark.parametrize(
    "place", ["evidence", "objects/sha256/ab/x", "evidence-OTHER/x", "../evidence/OTHER/x"]
)
def test_given_a_place_elsewhere_when_asked_then_it_has_no_owner(shelf, home, place) -> None:
    assert shelf.owner(encode_path((home.root / place).resolve())) is None


def test_given_an_offer_when_settled_then_its_copy_stands_and_nothing_else_does(shelf, home, file) -> None:
    state = bound(shelf, file)

    folder = home.evidence / TASK / "A"
    assert [item.name for item in folder.iterdir()] == ["a.md"]
    assert shelf.standing(state.evidence["a.md"]) == digest("text")


def test_given_a_crash_between_commit_and_placement_when_looked_at_then_the_copy_is_put_in_place(
    shelf, file
) -> None:
    offer = shelf.read_offer(TASK, "A", file, "a.md")
    state = given(three_phases(), AddEvidence((offer,))).state

    assert shelf.gate_facts(three_phases(), state).evidence["a.md"].standing == digest("text")


def test_given_a_refused_offer_when_discarded_then_nothing_stands(shelf, home, file) -> None:
    offer = shelf.read_offer(TASK, "A", file, "a.md")

    shelf.discard(offer.path, offer.digest)

    assert list((home.evidence / TASK / "A").iterdir()) == []


def test_given_a_copy_deleted_afterwards_when_looked_at_then_it_stays_deleted(shelf, home, file) -> None:
    state = bound(shelf, file)
    (home.evidence / TASK / "A" / "a.md").unlink()

    assert shelf.standing(state.evidence["a.md"]) is None


def test_given_bytes_staged_under_a_false_digest_when_settled_then_the_copy_counts_as_altered(
    shelf, home, file
) -> None:
    state = bound(shelf, file)
    folder = home.evidence / TASK / "A"
    (folder / "a.md").unlink()
    (folder / f".a.md.{digest('text')}").write_text("forged")

    assert shelf.standing(state.evidence["a.md"]) == digest("forged")


def test_given_a_file_in_the_way_of_the_folder_when_offered_then_it_is_bad_input(shelf, home, file) -> None:
    (home.evidence / TASK).write_text("in the way")

    with pytest.raises(BadInput, match="cannot write"):
        shelf.read_offer(TASK, "A", file, "a.md")


def test_given_what_happened_to_an_artifact_when_facts_are_gathered_then_each_is_seen(
    shelf, home, file
) -> None:
    state = bound(shelf, file)

    def fact():
        return shelf.gate_facts(three_phases(), state).evidence["a.md"]

    honest = fact()
    assert (honest.snapshot, honest.standing, honest.source) == (digest("text"),) * 3
    file.write_text("changed")
    assert fact().source == digest("changed")
    file.unlink()
    assert fact().source is None
    (home.evidence / TASK / "A" / "a.md").write_text("altered")
    assert fact().standing == digest("altered")
    snapshot = home.objects / "sha256" / digest("text")[:2] / digest("text")
    snapshot.chmod(0o644)
    snapshot.write_text("damaged")
    assert fact().snapshot is None
    with pytest.raises(IntegrityError, match="missing or damaged"):
        shelf.load(digest("text"))


def test_given_a_later_phase_when_facts_are_gathered_then_only_the_last_looks_at_all(shelf, file) -> None:
    offer = shelf.read_offer(TASK, "A", file, "a.md")
    in_b = given(three_phases(), AddEvidence((offer,)), Advance())
    in_c = in_b.having(*passing("b.md"))

    assert set(shelf.gate_facts(three_phases(), in_b.state).evidence) == set()
    assert set(shelf.gate_facts(three_phases(), in_c.state).evidence) == {"a.md", "b.md"}


def test_given_bytes_the_engine_made_when_offered_then_they_have_a_witness_and_no_source(shelf) -> None:
    offer = shelf.make_offer(TASK, "A", "log.txt", b"text", Witness.OUTPUT, 3)

    assert (offer.source, offer.witness, offer.exit_code) == ("", Witness.OUTPUT, 3)
    assert shelf.snapshot(offer.digest) == b"text"


def test_given_an_offer_when_it_is_staged_then_its_bytes_are_forced_to_disk(
    shelf: Shelf, file: Path, monkeypatch
) -> None:
    synced: list[str] = []
    real = os.fsync
    monkeypatch.setattr(
        os, "fsync", lambda fd: (synced.append(str(Path(f"/proc/self/fd/{fd}").readlink())), real(fd))[1]
    )

    offer = shelf.read_offer("T-1", "SPEC", file, "spec.md")

    assert any(offer.digest in path and "/evidence/" in path for path in synced)
