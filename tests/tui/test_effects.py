from typing import Any

from tui.effects import told


def effect(key: str, old: Any, new: Any, **values: Any) -> dict[str, Any]:
    return {"key": key, "old": old, "new": new, "effect": "live", "words": "at once", **values}


def test_a_row_that_goes_is_told_once() -> None:
    prefix = "auth.credentials[10]"
    (one,) = told(
        [
            effect(f"{prefix}.login", "10", None), effect(f"{prefix}.ha1_md5", "***", None),
            effect(f"{prefix}.enabled", True, None), effect(f"{prefix}.note", "hall", None),
        ]
    )  # fmt: skip
    assert (one["key"], one["change"]) == ("auth.credentials", "10 is deleted · note: hall")
    assert one["words"] == "at once"


def test_a_row_that_comes_is_told_once_with_what_it_does() -> None:
    prefix = r"routing.plans[9\d+]"
    steps = [{"to": "1001", "ring": 5, "expand": True}]
    (one,) = told(
        [
            effect(f"{prefix}.pattern", None, r"9\d+"),
            effect(f"{prefix}.destinations", None, steps, effect="restart", words="later"),
            effect(f"{prefix}.times", None, ["mon,wed", "sat"]),
        ]
    )
    assert one["change"] == (
        r"9\d+ is added · destinations: 1001 (5 s, expand) · times: mon,wed; sat"
    )
    assert one["effect"] == "restart"
    assert one["words"] == "at once; later"


def test_two_rows_and_a_setting_are_three() -> None:
    lines = told(
        [
            effect("a[1].login", "1", None), effect("a[2].login", "2", None),
            effect("b.c", 7, 30, in_force=120), effect("a[3].note", "", "new"),
            effect("a[3].password", "***", "***"), effect("a[3].company", "", None),
        ]
    )  # fmt: skip
    assert [(one["key"], one["change"]) for one in lines] == [
        ("a", "1 is deleted"),
        ("a", "2 is deleted"),
        ("b.c", "7 → 30  (in force: 120)"),
        ("a[3].note", "(none) → new"),
        ("a[3].password", "another one (***)"),
    ]
