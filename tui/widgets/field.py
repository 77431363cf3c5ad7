"""A field in which one types, that obeys its keys in the order they come."""

from typing import ClassVar, Final

from textual import events
from textual.binding import Binding, BindingType
from textual.widgets import Input

_ACTIONS: Final = {
    key: binding.action
    for binding in Input.BINDINGS
    if isinstance(binding, Binding)
    for key in binding.key.split(",")
}
"""What a line of text is edited with: what each key does."""


class Field(Input):
    """A line of text.

    By itself a bound key first goes all the way up to the application, and letters that come with it,
    as a slow line sends them, overtake it: what is to be erased would take the new text with it.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "take it", key_display="⏎"),
    ]

    async def on_key(self, event: events.Key) -> None:
        """Do at once what an editing key is bound to here."""
        action = _ACTIONS.get(event.key)
        if action is not None:
            event.stop()
            event.prevent_default()
            await self.run_action(action)
