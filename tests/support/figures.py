"""Draws the figures of `docs/` from the tables the program runs by.

`python -m tests.support.figures` writes them; a test compares what is written with the tables.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from centrex.transaction import (
    invite_client,
    invite_server,
    non_invite_client,
    non_invite_server,
)
from centrex.transaction.machine import Do, In, State, Table

DOCS: Final = Path(__file__).parents[2] / "docs"
TRANSACTIONS: Final = DOCS / "transactions.md"

_HEAD: Final = """\
# The four transaction machines

This page is drawn from the `TABLE` in each module; a test compares the two. After a change:
`python -m tests.support.figures`.

A pair of state and input that does not appear is absorbed: nothing happens. That is also how a
timer is cancelled: it fires in a state that has no entry for it. The words are those of
`centrex.transaction.machine`: an input is what happened, what follows the slash is what the layer
does about it, in the order it does it.
"""

_INPUTS: Final = {
    In.REQUEST: "request again",
    In.ACK: "ACK",
    In.PROVISIONAL: "1xx",
    In.SUCCESS: "2xx",
    In.FAILURE: "300-699",
    In.TIMEOUT: "never answered",
    In.TRANSPORT_ERROR: "transport failed",
}
_ACTIONS: Final = {
    Do.SEND: "send",
    Do.REPEAT: "repeat",
    Do.SEND_ACK: "send ACK",
    Do.ARM_RESEND: "arm resend",
    Do.ARM_TIMEOUT: "arm timeout",
    Do.ARM_LINGER: "arm linger",
    Do.PASS_UP: "pass up",
    Do.TIMED_OUT: "say timed out",
    Do.FAILED: "say failed",
    Do.FORGET: "forget",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One machine, and what its timers are called in the RFC."""

    title: str
    module: str
    source: str
    table: Table
    begins: State
    timers: Mapping[In, str]
    lingers: Mapping[State, str]

    def input(self, state: State, what: In) -> str:
        """Name what happened."""
        if what is In.LINGER:
            return f"timer {self.lingers[state]}"
        if what in self.timers:
            return f"timer {self.timers[what]}"
        return _INPUTS[what]


MACHINES: Final = (
    Machine(
        title="INVITE client",
        module="transaction.invite_client",
        source="RFC 3261 figure 5, with Accepted from RFC 6026 §7.2",
        table=invite_client.TABLE,
        begins=State.CALLING,
        timers={In.RESEND: "A", In.TIMEOUT: "B"},
        lingers={State.COMPLETED: "D", State.ACCEPTED: "M"},
    ),
    Machine(
        title="Non-INVITE client",
        module="transaction.non_invite_client",
        source="RFC 3261 figure 6",
        table=non_invite_client.TABLE,
        begins=State.TRYING,
        timers={In.RESEND: "E", In.TIMEOUT: "F"},
        lingers={State.COMPLETED: "K"},
    ),
    Machine(
        title="INVITE server",
        module="transaction.invite_server",
        source="RFC 3261 figure 7, with Accepted from RFC 6026 §7.1",
        table=invite_server.TABLE,
        begins=State.PROCEEDING,
        timers={In.RESEND: "G", In.TIMEOUT: "H"},
        lingers={State.CONFIRMED: "I", State.ACCEPTED: "L"},
    ),
    Machine(
        title="Non-INVITE server",
        module="transaction.non_invite_server",
        source="RFC 3261 figure 8",
        table=non_invite_server.TABLE,
        begins=State.TRYING,
        timers={},
        lingers={State.COMPLETED: "J"},
    ),
)


def _name(state: State) -> str:
    return state.name.capitalize()


def _actions(do: Do) -> str:
    return ", ".join(words for flag, words in _ACTIONS.items() if do & flag) or "nothing"


def _figure(machine: Machine) -> Iterator[str]:
    yield "```mermaid"
    yield "stateDiagram-v2"
    yield f"    [*] --> {_name(machine.begins)}"
    for (state, what), (after, do) in machine.table.items():
        label = f"{machine.input(state, what)} / {_actions(do)}"
        yield f"    {_name(state)} --> {_name(after)} : {label}"
    yield f"    {_name(State.TERMINATED)} --> [*]"
    yield "```"


def _table(machine: Machine) -> Iterator[str]:
    yield "| in state | on | next state | does |"
    yield "| --- | --- | --- | --- |"
    for (state, what), (after, do) in machine.table.items():
        yield f"| {_name(state)} | {machine.input(state, what)} | {_name(after)} | {_actions(do)} |"


def transactions() -> str:
    """Return the page of the four machines."""
    lines = [_HEAD]
    for machine in MACHINES:
        lines += [f"## {machine.title}", "", f"`{machine.module}`: {machine.source}.", ""]
        lines += [*_figure(machine), "", *_table(machine), ""]
    return "\n".join(lines)


if __name__ == "__main__":
    TRANSACTIONS.write_text(transactions(), encoding="utf-8")
