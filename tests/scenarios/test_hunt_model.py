"""Whatever the plan, the phones, the gateways, the caller and the network do: one final answer, no leg up."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from centrex.proxy.patience import Patience
from tests.support.hunt_world import DESTINATIONS, HOSTS, TARGETS, Behaviour, HuntWorld

_MOST = settings().max_examples
pytestmark = pytest.mark.timeout(60 if _MOST < 1000 else 900)

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
    media=st.booleans(),
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


_DRAWN: dict[str, Any] = {
    "plan": st.lists(steps, min_size=1, max_size=5),
    "behaves": st.fixed_dictionaries(
        {host: st.lists(behaviours, min_size=1, max_size=2) for host in HOSTS}
    ),
    "target": st.sampled_from(TARGETS),
    "gives_up": st.none() | st.integers(0, 60),
    "follows": st.booleans(),
    "maximum": st.sampled_from((0, 0, 12)),
    "loss": st.sampled_from((0, 0, 10, 40)),
    "seed": st.integers(0, 999),
}


def _happens(*, relays: bool, **drawn: Any) -> None:
    patience = Patience(
        start_response_s=5, rollover_s=8, final_answer_s=15, call_maximum_s=drawn["maximum"]
    )
    world = HuntWorld(
        drawn["plan"], drawn["behaves"], patience=patience, follows=drawn["follows"],
        loss=drawn["loss"], seed=drawn["seed"], relays=relays,
    )  # fmt: skip
    world.calls(drawn["target"], drawn["gives_up"])
    world.check()


@settings(max_examples=max(400, _MOST))
@given(**_DRAWN)
def test_whatever_happens_the_caller_gets_one_final_answer_and_no_leg_stays_up(
    **drawn: Any,
) -> None:
    _happens(relays=False, **drawn)


@settings(max_examples=max(200, _MOST // 2))
@given(**_DRAWN)
def test_and_where_media_are_relayed_no_session_and_no_port_is_left(**drawn: Any) -> None:
    _happens(relays=True, **drawn)
