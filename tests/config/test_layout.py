import pytest

from centrex.config.layout import Layout

ROWS = ("a", "rows")
TEXT = """\
# The file.

[a]
# of a
x = 1

# The first.
[[a.rows]]
n = 1  # one

# The second,
# in two lines.
[[a.rows]]
n = 2
deep = '''
[[a.rows]]
'''

[b]
y = 1
"""


def test_a_row_has_the_remarks_above_it() -> None:
    layout = Layout(TEXT)
    first, second = layout.rows(ROWS)
    lines = TEXT.splitlines()
    assert (lines[first.start], lines[first.header]) == ("# The first.", "[[a.rows]]")
    assert lines[second.start] == "# The second,"
    assert lines[second.end - 1] == "'''"
    assert layout.text == TEXT


def test_remarks_below_a_header_are_that_ones() -> None:
    (row,) = Layout("[a]\n# who\n#port = 1\n[[a.rows]]\nn = 1\n").rows(ROWS)
    assert row.start == row.header == 3


def test_a_row_is_taken_out_with_its_remarks() -> None:
    layout = Layout(TEXT)
    layout.delete(ROWS, 1)
    assert "second" not in layout.text
    assert "# The first.\n[[a.rows]]\nn = 1  # one\n\n[b]" in layout.text


def test_the_last_row_of_all_leaves_no_blank_lines() -> None:
    layout = Layout("[a]\nx = 1\n\n[[a.rows]]\nn = 1\n")
    layout.delete(ROWS, 0)
    assert layout.text == "[a]\nx = 1\n"


@pytest.mark.parametrize(("index", "to"), [(0, 1), (1, 0)])
def test_a_row_is_moved_with_its_remarks(index: int, to: int) -> None:
    layout = Layout(TEXT)
    layout.move(ROWS, index, to)
    assert layout.text.index("# The second,") < layout.text.index("# The first.")
    assert layout.text.endswith("# The first.\n[[a.rows]]\nn = 1  # one\n\n[b]\ny = 1\n")


def test_a_row_is_put_where_it_shall_be() -> None:
    for at in (0, 1, 2):
        layout = Layout(TEXT)
        layout.insert(ROWS, at, ["[[a.rows]]\n", "n = 9\n"])
        heads = [layout.text.splitlines()[row.last] for row in layout.rows(ROWS)]
        assert heads[at] == "n = 9"


def test_the_first_row_stands_behind_its_table() -> None:
    layout = Layout("[a]\nx = 1\n\n[b]\n")
    layout.insert(ROWS, 0, ["[[a.rows]]\n"])
    assert layout.text == "[a]\nx = 1\n\n[[a.rows]]\n\n[b]\n"


def test_an_assignment_stands_behind_the_last() -> None:
    layout = Layout(TEXT)
    table = layout.table(("a",))
    assert table is not None
    layout.assign(table, "z = 2\n")
    assert "x = 1\nz = 2\n\n# The first." in layout.text
    assert layout.table(("c",)) is None
