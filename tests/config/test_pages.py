from pathlib import Path

import pytest

from centrex.config import pages
from centrex.config.keys import catalogue, titles

FOLDER = Path(pages.__file__).parent / "help"


def test_every_table_has_a_page_and_every_page_a_table() -> None:
    assert {file.stem for file in FOLDER.iterdir()} == set(titles())


@pytest.mark.parametrize("table", titles())
def test_a_page_fits_a_terminal_and_names_what_can_be_set(table: str) -> None:
    text = pages.page(table)
    assert text.isascii()
    assert all(len(line) <= 106 for line in text.splitlines())
    labels = [
        key.label.lower()
        for name, key in catalogue().items()
        if name.rpartition(".")[0] == table and key.kind != "rows"
    ]
    told = " ".join(text.lower().split())
    named = [label for label in labels if label in told]
    assert len(named) >= len(labels) / 2, set(labels) - set(named)


def test_there_is_no_page_of_nothing() -> None:
    with pytest.raises(KeyError):
        pages.page("nothing")
