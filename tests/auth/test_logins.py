import pytest

from centrex.auth.digest import MD5, SHA256, ha1
from centrex.auth.logins import (
    MAX_PROBLEMS,
    Login,
    Logins,
    algorithms_of,
    login_of_row,
    parse_htdigest,
)

REALM = b"example.com"
HA1_MD5 = ha1(b"1001", REALM, b"secret", MD5)
HA1_SHA256 = ha1(b"1001", REALM, b"secret", SHA256)


def test_both_lines_of_a_login_are_joined() -> None:
    lines = [
        b"# phones\n",
        b"\n",
        b"1001:example.com:" + HA1_MD5.upper() + b"\r\n",
        b"1001:example.com:" + HA1_SHA256 + b"\n",
        b"1002:example.com:" + HA1_MD5,
    ]
    found, problems = parse_htdigest(lines, REALM, "users.htdigest")
    assert problems == ()
    assert [(one.name, one.md5, one.sha256) for one in found] == [
        (b"1001", HA1_MD5, HA1_SHA256),
        (b"1002", HA1_MD5, b""),
    ]
    assert all(one.enabled and one.users == () for one in found)


def test_wrong_lines_are_named_and_do_not_spoil_the_others() -> None:
    lines = [
        b"no colons at all",
        b"1001:example.com:12345",
        b":example.com:" + HA1_MD5,
        b"1001:example.com:" + HA1_MD5[:-1] + b"g",
        b"1001:example.com:" + HA1_MD5,
        b"1001:example.com:" + HA1_MD5,
        b"1003:elsewhere.example:" + HA1_MD5,
    ]
    found, problems = parse_htdigest(lines, REALM, "f")
    assert [one.name for one in found] == [b"1001"]
    assert [one.line for one in problems] == [1, 2, 3, 4, 6]
    assert all(one.file == "f" and one.key == "auth.credentials_file" for one in problems)
    assert HA1_MD5.decode() not in str(problems)


def test_a_file_for_another_realm_is_a_problem() -> None:
    found, problems = parse_htdigest([b"1:elsewhere:" + HA1_MD5], REALM, "f")
    assert not found
    assert "'example.com'" in problems[0].message


def test_problems_are_bounded() -> None:
    _, problems = parse_htdigest([b"x"] * 5000, REALM, "f")
    assert len(problems) == MAX_PROBLEMS + 1
    assert "4900" in problems[-1].message


@pytest.mark.slow
def test_a_hundred_thousand_lines_load() -> None:
    lines = [b"%d:example.com:%b" % (number, HA1_MD5) for number in range(100_000)]
    found, problems = parse_htdigest(lines, REALM, "f")
    logins = Logins(found)
    assert len(logins) == 100_000
    assert not problems
    assert logins.find(b"99999")


def test_the_later_login_of_a_name_counts() -> None:
    row = login_of_row("1001", ha1_md5=HA1_MD5.decode().upper(), users=["1001", "*"], enabled=False)
    logins = Logins([Login(b"1001", HA1_MD5, b""), row])
    assert len(logins) == 1
    found = logins.find(b"1001")
    assert found is row
    assert row.md5 == HA1_MD5
    assert row.users == (b"1001", b"*")
    assert logins.find(b"1002") is None
    assert "ha1" not in repr(row)


def test_whether_all_have_a_hash() -> None:
    logins = Logins(
        [
            Login(b"1", HA1_MD5, HA1_SHA256),
            Login(b"2", HA1_MD5, b""),
            Login(b"3", b"", b"", enabled=False),
        ]
    )
    assert logins.all_have(MD5)
    assert not logins.all_have(SHA256)


def test_algorithms_by_name() -> None:
    assert algorithms_of(["SHA-256", "md5"]) == (SHA256, MD5)
    with pytest.raises(KeyError):
        algorithms_of(["SHA-1"])
