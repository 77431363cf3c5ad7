from hypothesis import given
from hypothesis import strategies as st

from centrex.config.lines import Lines

TEXT = '''\
# head
[network]
domain = "x"  # [not.a.header]
note = """
port = 1
[table]
"""
port = 5060
guard.burst = 3

[network."guard"]
enabled = true
[[auth.credentials]]
login = "a"
[[auth.credentials]]
login = "b"
[auth.credentials.more]
x = 1
'''


def test_keys_are_found_in_tables_rows_and_around_long_strings() -> None:
    lines = Lines(TEXT)
    assert lines.of(("network",)) == 2
    assert lines.of(("network", "port")) == 8
    assert lines.of(("network", "guard", "burst")) == 9
    assert lines.of(("network", "guard", "enabled")) == 12
    assert lines.of(("auth", "credentials", 0, "login")) == 14
    assert lines.of(("auth", "credentials", 1, "login")) == 16
    assert lines.of(("auth", "credentials", 1, "more", "x")) == 18


def test_what_is_not_there_has_the_line_of_its_table() -> None:
    lines = Lines(TEXT)
    assert lines.of(("network", "workers")) == 2
    assert lines.of(("network", "transports", 0)) == 2
    assert lines.of(("table",)) == 0


@given(st.text())
def test_any_text_is_read_without_an_error(text: str) -> None:
    assert Lines(text).of(("a", "b")) >= 0
