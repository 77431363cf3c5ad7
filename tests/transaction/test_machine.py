"""What holds for all four tables alike."""

import pytest

from centrex.transaction import invite_client, invite_server, non_invite_client, non_invite_server
from centrex.transaction.machine import Do, In, State, pack
from tests.support.machines import pairs

MACHINES = [invite_client, invite_server, non_invite_client, non_invite_server]
FINAL = {In.SUCCESS, In.FAILURE}


def test_pack_keeps_every_entry_and_leaves_the_others_none() -> None:
    for machine in MACHINES:
        steps = pack(machine.TABLE)
        for state, event in pairs():
            entry = machine.TABLE.get((state, event))
            assert steps[state][event] == (None if entry is None else (entry[0], int(entry[1])))


@pytest.mark.parametrize("machine", MACHINES)
def test_nothing_leaves_terminated(machine: object) -> None:
    table = machine.TABLE  # type: ignore[attr-defined]
    assert not [pair for pair in table if pair[0] is State.TERMINATED]


@pytest.mark.parametrize("machine", MACHINES)
def test_who_terminates_is_forgotten_and_nobody_else(machine: object) -> None:
    for state, do in machine.TABLE.values():  # type: ignore[attr-defined]
        assert (state is State.TERMINATED) == bool(do & Do.FORGET)


@pytest.mark.parametrize("machine", MACHINES)
def test_every_state_reached_has_a_way_out_by_time(machine: object) -> None:
    table = machine.TABLE  # type: ignore[attr-defined]
    reached = {entry[0] for entry in table.values()} - {State.TERMINATED, State.CONFIRMED}
    waiting = {State.PROCEEDING} if machine in (invite_client, invite_server) else set()
    for state in reached - waiting:
        assert (state, In.TIMEOUT) in table or (state, In.LINGER) in table


def test_no_final_response_is_taken_twice_by_a_server() -> None:
    for machine in (invite_server, non_invite_server):
        for state, event in machine.TABLE:
            if event in FINAL and state >= State.COMPLETED:
                assert (machine, state, event) == (invite_server, State.ACCEPTED, In.SUCCESS)
