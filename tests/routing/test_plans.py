"""Which plan decides over a number."""

import datetime as dt
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from centrex.routing.plans import Plans
from centrex.routing.settings import Plan

NOON = dt.datetime(2026, 11, 26, 12, tzinfo=dt.UTC)


def plans(*rows: dict[str, Any]) -> Plans:
    return Plans([Plan(**{"destinations": ("x",), **row}) for row in rows], str.lower)


def decides(them: Plans, number: str, when: dt.datetime = NOON) -> str | None:
    match = them.find(number, lambda: when)
    return None if match is None else match.rule.key


def test_exact_names_first_then_patterns_in_their_order() -> None:
    them = plans({"pattern": r"1\d+"}, {"pattern": "1001"}, {"name": "1001"}, {"pattern": r"\d+"})
    assert decides(them, "1001") == "1001"
    assert them.find("1001", lambda: NOON).rule.number == 2  # type: ignore[union-attr]
    assert decides(them, "1002") == r"1\d+"
    assert decides(them, "2002") == r"\d+"
    assert decides(them, "sales") is None
    assert them
    assert not plans()


def test_names_are_compared_as_the_registrar_compares_them() -> None:
    them = plans({"name": "Sales"})
    assert decides(them, "sALES") == "Sales"
    assert them.has_name("SALES")
    assert not them.has_name("support")


def test_groups() -> None:
    match = plans({"pattern": r"9(\d)(\d*)(x)?"}).find("912", lambda: NOON)
    assert match is not None
    assert match.groups == ("912", "1", "2", "")
    assert match.filled(r"\2-\1-\0-\g<3>") == "2-1-912-"


def test_groups_stay_in_the_user_of_a_uri() -> None:
    match = plans({"pattern": r"9(.*)"}).find("9a@b;c?d>\r\n", lambda: NOON)
    assert match is None, "a dot is no line end"
    match = plans({"pattern": r"9(.*)"}).find("9a@b:c%é", lambda: NOON)
    assert match is not None
    assert match.filled_uri(r"sip:\1@gw.example") == "sip:a%40b%3Ac%25%C3%A9@gw.example"


def test_at_another_time_the_next_one_decides() -> None:
    them = plans(
        {"name": "1001", "times": ("sat",)},
        {"name": "1001", "times": ("mon-fri 08:00-18:00", "sun")},
        {"pattern": r"1\d+", "times": ("sat",)},
        {"pattern": r".*"},
    )
    match = them.find("1001", lambda: NOON)
    assert match is not None
    assert match.rule.number == 1
    night = NOON.replace(hour=22)
    assert decides(them, "1001", night) == ".*"
    assert decides(them, "1001", night + dt.timedelta(days=2)) == "1001"


def test_the_clock_is_asked_only_where_a_plan_has_times() -> None:
    def never() -> dt.datetime:
        raise AssertionError

    assert plans({"name": "1"}, {"pattern": "2"}).find("2", never) is not None


def test_why_not() -> None:
    them = plans(
        {"name": "1001", "enabled": False},
        {"name": "1001", "times": ("sat",)},
        {"pattern": "2.*"},
        {"pattern": "1.*", "enabled": False},
        {"pattern": "1.*", "times": ("sun",)},
        {"pattern": "10.*"},
        {"pattern": ".*"},
    )
    told = [(one.rule.number, one.why, one.decides) for one in them.looked_at("1001", NOON)]
    assert told == [
        (0, "it is switched off", False),
        (1, "not at this time", False),
        (2, "its pattern does not match the whole number", False),
        (3, "it is switched off", False),
        (4, "its pattern matches, but not at this time", False),
        (5, "its pattern matches", True),
    ]
    assert them.looked_at("999", NOON)[-1].rule.number == 6


names = st.sampled_from(["1", "2", "12", "a"])
rows = st.one_of(
    st.builds(lambda name, on: {"name": name, "enabled": on}, names, st.booleans()),
    st.builds(
        lambda pattern, on: {"pattern": pattern, "enabled": on},
        st.sampled_from(["1.*", r"\d", ".", "a|2", "1?2"]),
        st.booleans(),
    ),
)


@given(st.lists(rows, max_size=8), names)
def test_the_tester_sees_what_the_call_does(listed: list[dict[str, Any]], number: str) -> None:
    them = plans(*listed)
    match = them.find(number, lambda: NOON)
    deciding = [one.rule for one in them.looked_at(number, NOON) if one.decides]
    assert deciding == ([] if match is None else [match.rule])
