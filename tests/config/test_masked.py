import pytest

from centrex.config.masked import NEW, masked, secrets_in, text_diff

OLD = """\
[media]
secret = "hush"  # shared
#secret = "older"
[auth]
realm = "x"
credentials = [{login = "b", ha1_md5 = "bbbb"}]
[[inet.accounts]]
login = "a"
secret = ""
"""


def test_no_secret_is_left_nor_anything_else_touched() -> None:
    told = masked(OLD)
    for secret in ("hush", "older", "bbbb"):
        assert secret not in told
    assert told == (OLD.replace("hush", "***").replace("older", "***").replace("bbbb", "***"))


def test_a_difference_tells_that_a_secret_changed_but_not_to_what() -> None:
    told = text_diff(OLD, OLD.replace("bbbb", "cccc").replace('realm = "x"', 'realm = "y"'), "f")
    assert '\n-realm = "x"\n' in told
    assert '\n+realm = "y"\n' in told
    assert NEW in told
    assert "cccc" not in told
    assert "bbbb" not in told
    assert text_diff(OLD, OLD, "f") == ""


def test_a_first_secret_shows_as_changed() -> None:
    told = text_diff("[media]\n", '[media]\nsecret = "new"\n', "f")
    assert f'+secret = "{NEW}"' in told


def test_secrets_are_found_wherever_they_stand() -> None:
    assert secrets_in(OLD) == {"hush", "bbbb"}


WAYS = [
    "secret = 'hush'",
    'secret = """\nhush"""',
    "secret = '''\nhush\n'''",
    '"secret" = "hush"',
    'secret = "hu\\u0073h"',
    'a = {secret = "hush", ha1_md5 = "hush"}',
    'a.secret = "hush"',
    'note = "secret = \'x\'"\nsecret = "hush"',
    '#secret = "hush"',
]


@pytest.mark.parametrize("way", WAYS)
def test_no_way_to_write_a_secret_shows_it(way: str) -> None:
    told = masked(f"[media]\n{way}\n")
    assert "hush" not in told.replace("\\u0073", "s")
    assert secrets_in(told) <= {"***"}
