"""Any process with lists of tools, and anything that may be called in it: strategies for property tests."""

from __future__ import annotations

from hypothesis import strategies as st

from phasegate.engine.core.state import Status, TaskState
from phasegate.policies.model import PhaseRule, Process
from phasegate.policies.persona import PersonaSpec
from phasegate.validators.interface import Finding

PHASES = ("A", "B")
# Few names, so that they, their prefixes and near misses meet often.
KNOWN = ("a", "A", "ab", "aB", "a.b", "ba", "b")
NAMES = st.sampled_from(KNOWN)


def lists(patterns: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    """Any part of these, each as likely as not."""
    masks = st.lists(st.booleans(), min_size=len(patterns), max_size=len(patterns))
    return masks.map(lambda mask: tuple(it for it, taken in zip(patterns, mask, strict=True) if taken))


LISTS = lists((*KNOWN, "ab*", "b*", "a.*"))
READS = lists(("a", "A", "a.*", "ba"))
CALLED = NAMES | NAMES | st.text(alphabet="abA*. \u0430\n", max_size=4)
HELD = Finding("lease.held", "", "A", "held", "wait")
LEASES = st.sampled_from([None, HELD])


@st.composite
def processes(draw: st.DrawFn) -> Process:
    """Two phases with any lists."""
    return Process(
        process="random",
        version=1,
        title="Any lists",
        phases=tuple(PhaseRule(name=name, purpose="any", tools=draw(LISTS)) for name in PHASES),
        forward={"A": ("B",)},
        read_only_tools=draw(READS),
    )


PERSONAS = st.lists(
    LISTS.map(lambda tools: PersonaSpec(name="p", version=1, role="p", purpose="p", tools=tools)), max_size=2
)
TASKS = st.builds(
    lambda phase, status: TaskState("T-1", "", "random", "0" * 64, status, phase, {phase: 1}),
    st.sampled_from(PHASES),
    st.sampled_from([Status.OPEN, *Status]),
)
STATES = TASKS | TASKS | st.none()
