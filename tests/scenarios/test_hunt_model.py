"""Whatever the plan, the phones, the gateways, the caller and the network do: one final answer, no leg up."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from centrex.proxy.patience import Patience
from tests.support.hunt_world import DESTINATIONS, HOSTS, TARGETS, Behaviour, HuntWorld

_LEADS = (
    "sip:mobile@example.com", "sip:night@example.com", "sip:9123@example.com",
    "sip:nobody@example.com", "sip:x@203.0.113.9", "tel:9-123",
)  # fmt: skip
_FINALS = (0, 0, 200, 200, 200, 200, 302, 302, 401, 404, 407, 480, 486, 500, 503, 503, 603)
behaviours = st.builds(
    Behaviour,
    rings=st.sampled_from((0, 0, 1, 4, 14, None)),
    after=st.sampled_from((0, 1, 1, 2, 4, 11, 16, 17, 30)),
    final=st.sampled_from(_FINALS),
    cancelled=st.sampled_from((487, 487, 200, 0)),
    late=st.sampled_from((0, 1, 2, 3, 20)),
    leads=st.sampled_from(_LEADS),
)
steps = st.one_of(
    st.sampled_from(DESTINATIONS),
    st.builds(
        lambda to, ring, expand: {"to": to, "ring": ring, "expand": expand},
        st.sampled_from(DESTINATIONS),
        st.sampled_from((0, 1, 3, 12)),
        st.booleans(),
    ),
)


@settings(max_examples=max(400, settings().max_examples))
@given(
    plan=st.lists(steps, min_size=1, max_size=5),
    behaves=st.fixed_dictionaries(
        {host: st.lists(behaviours, min_size=1, max_size=2) for host in HOSTS}
    ),
    target=st.sampled_from(TARGETS),
    gives_up=st.none() | st.integers(0, 60),
    follows=st.booleans(),
    maximum=st.sampled_from((0, 0, 12)),
    loss=st.sampled_from((0, 0, 10, 40)),
    seed=st.integers(0, 999),
)
def test_whatever_happens_the_caller_gets_one_final_answer_and_no_leg_stays_up(
    *,
    plan: list[Any],
    behaves: dict[str, list[Behaviour]],
    target: str,
    gives_up: int | None,
    follows: bool,
    maximum: int,
    loss: int,
    seed: int,
) -> None:
    patience = Patience(start_response_s=5, rollover_s=8, final_answer_s=15, call_maximum_s=maximum)
    world = HuntWorld(plan, behaves, patience=patience, follows=follows, loss=loss, seed=seed)
    world.calls(target, gives_up)
    world.check()
