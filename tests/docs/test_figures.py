"""Figures are drawn from the tables the program runs by."""

import pytest

from tests.support.figures import MACHINES, TRANSACTIONS, Machine, transactions


def test_the_page_of_the_machines_is_what_their_tables_say() -> None:
    drawn = TRANSACTIONS.read_text(encoding="utf-8")
    assert drawn == transactions(), "write it anew: python -m tests.support.figures"


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.title)
def test_every_state_can_be_reached(machine: Machine) -> None:
    reached = {machine.begins, *(after for after, _ in machine.table.values())}
    assert {state for state, _ in machine.table} <= reached
