"""The screens by their names; all but the first are loaded when somebody goes there.

What is loaded at the start is waited for before anything is seen.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from textual.screen import Screen

from tui.screens.main import MainScreen

if TYPE_CHECKING:
    from tui.screens.bans import BansScreen
    from tui.screens.calls import CallsScreen
    from tui.screens.config import ConfigScreen
    from tui.screens.registrations import RegistrationsScreen
    from tui.screens.relays import RelaysScreen
    from tui.screens.route import RouteScreen
    from tui.screens.subscriptions import SubscriptionsScreen

FIRST: Final = "main"


def _config() -> "ConfigScreen":
    from tui.screens.config import ConfigScreen  # noqa: PLC0415 - see above, as all here

    return ConfigScreen()


def _registrations() -> "RegistrationsScreen":
    from tui.screens.registrations import RegistrationsScreen  # noqa: PLC0415

    return RegistrationsScreen()


def _calls() -> "CallsScreen":
    from tui.screens.calls import CallsScreen  # noqa: PLC0415

    return CallsScreen()


def _relays() -> "RelaysScreen":
    from tui.screens.relays import RelaysScreen  # noqa: PLC0415

    return RelaysScreen()


def _bans() -> "BansScreen":
    from tui.screens.bans import BansScreen  # noqa: PLC0415

    return BansScreen()


def _subscriptions() -> "SubscriptionsScreen":
    from tui.screens.subscriptions import SubscriptionsScreen  # noqa: PLC0415

    return SubscriptionsScreen()


def _route() -> "RouteScreen":
    from tui.screens.route import RouteScreen  # noqa: PLC0415

    return RouteScreen()


SCREENS: Final[Mapping[str, Callable[[], Screen[Any]]]] = {
    FIRST: MainScreen,
    "config": _config,
    "registrations": _registrations,
    "calls": _calls,
    "relays": _relays,
    "bans": _bans,
    "subscriptions": _subscriptions,
    "route": _route,
}
