"""Edits of the configuration on their way into force: reviewed, applied, in conflict with others'.

What is edited while others are being applied starts from what those make of the configuration, and
stays: only what was applied leaves the draft, and comes back where nothing came of it.
"""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from centrex import api
from tui.draft import Change, Draft
from tui.screens.questions import Choose, Confirm, Tell
from tui.screens.review import CONFIRM_S, Review
from tui.widgets.lines import Line
from tui.work import begin

if TYPE_CHECKING:
    from tui.app import Dashboard


class Applying(Widget):
    """The part of the configuration screen that has edits judged, reviewed and applied."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("v", "review", "review"),
        Binding("U", "undo_all", "undo all", show=False),
    ]
    draft: Draft
    going: Draft | None = None
    """The edits that are being applied."""
    preview: dict[str, Any]
    seen = ""
    """What the instance called the file as it was read last, and what was in force then."""

    if TYPE_CHECKING:

        @property
        def dashboard(self) -> Dashboard:
            """The application."""

        def edited(self) -> None:
            """Show what has been edited, and have it judged."""

        def judged(self) -> None:
            """Show what is wrong with the edits."""

        def show_again(self) -> None:
            """Show the dialog anew."""

    # -- judging -----------------------------------------------------------------------------

    async def judge(self) -> None:
        """Have the instance say what is wrong, so that it stands at the field."""
        if self.going is not None:
            return  # the file is about to be another one; they are judged upon that
        if not len(self.draft):
            self.preview = {}
        else:
            try:
                self.preview = await self._ask_preview(self.draft.changes())
            except api.Refused as error:
                self.preview = {"problems": list(api.iter_problems(error))}
            except api.Unavailable as error:
                self.dashboard.say(str(error), bad=True)
                return
        self.judged()

    async def _ask_preview(self, changes: list[Change]) -> dict[str, Any]:
        wishes = {"fingerprint": self.draft.fingerprint, "changes": changes}
        return await self.dashboard.feed.ask("config.preview", wishes)

    def action_undo_all(self) -> None:
        """Take all edits back, after a yes."""
        count = len(self.draft)
        if not count:
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self.draft.clear()
                self.edited()

        text = f"{count} edits that were not applied are forgotten."
        self.app.push_screen(Confirm("Take all edits back?", text, verb="forget them"), answered)

    # -- reviewing ---------------------------------------------------------------------------

    def action_review(self) -> None:
        """Show what would be changed."""
        if self.going is not None:
            self.dashboard.say("the edits before are still being applied", bad=True)
        elif not len(self.draft):
            self.dashboard.say("nothing is edited", bad=True)
        else:
            self.dashboard.keys.wait_for(begin(self, self._review, only="apply"))

    async def _review(self) -> None:
        changes = self.draft.changes()
        try:
            self.preview = await self._ask_preview(changes)
        except api.Refused as error:
            if error.code == "conflict":
                self._conflict()
                return
            self.preview = {"problems": list(api.iter_problems(error))}
            if not self.preview["problems"]:
                self.dashboard.say(str(error), bad=True)
                return
        except api.Unavailable as error:
            self.dashboard.say(str(error), bad=True)
            return
        self.judged()

        def answered(how: str | None) -> None:
            if how is None:
                return
            if self.draft.changes() != changes:
                self.dashboard.say("something was edited meanwhile: look again")
                self.action_review()
                return
            seconds = CONFIRM_S if how == "confirm" else 0
            begin(self, partial(self._apply, seconds), only="apply")

        review = Review(self.preview, self.draft.file, may_apply=self.dashboard.may_change)
        self.app.push_screen(review, answered)

    # -- applying ----------------------------------------------------------------------------

    async def _apply(self, confirm_s: int) -> None:
        going = self.draft
        self.going, self.draft = going, going.handed_over()
        self.edited()
        wishes = {
            "fingerprint": going.fingerprint,
            "changes": going.changes(),
            "confirm_s": confirm_s,
        }
        try:
            told = await self.dashboard.feed.ask("config.apply", wishes)
        except (api.Refused, api.Unavailable) as error:
            self.going, self.draft = None, going.joined(self.draft)
            self._not_applied(error)
            return
        self.going, self.preview = None, {}
        self.draft.now_in(str(told.get("fingerprint", "")))
        if confirm_s:
            self.dashboard.await_decision(str(told.get("confirm_by", "")), confirm_s)
        waiting = list(told.get("waiting", ()))
        self.dashboard.say(
            f"applied; waiting for a restart: {', '.join(map(str, waiting))}"
            if waiting else "applied"
        )  # fmt: skip
        self._passwords(dict(told.get("passwords") or {}))
        self.dashboard.feed.look()
        await self._go_on_from_file()

    def _not_applied(self, error: Exception) -> None:
        """Show the edits again, and why they are still such."""
        self.edited()
        if isinstance(error, api.Refused):
            if error.code == "conflict":
                self._conflict()
                return
            self.preview = {"problems": list(api.iter_problems(error))}
            self.judged()
        self.dashboard.say(str(error), bad=True)

    async def _go_on_from_file(self, *, keep: bool = True) -> list[str] | None:
        """Read the file anew; return which edits cannot be kept upon it, None where it is not told."""
        opened = await self.dashboard.ask("config.open")
        if opened is None:
            return None
        self.seen = str(opened.get("seen", ""))
        lost: list[str] = []
        if keep:
            self.draft, lost = self.draft.rebased(opened)
        else:
            self.draft = Draft(opened)
        self.show_again()
        self.edited()
        for words in lost:
            self.dashboard.say(words, bad=True)
        return lost

    def _passwords(self, passwords: Mapping[str, str]) -> None:
        """Show passwords the one time they are known."""
        if not passwords:
            return
        lines: list[Line] = [
            [(f"{login:<24}", "strong"), (password, "good")]
            for login, password in passwords.items()
        ]
        lines += [(), [("They are shown only now; only their hashes are kept.", "warn")]]
        text = "".join(f"{login}\t{password}\n" for login, password in passwords.items())
        heading = "Passwords to type into the phones"
        self.app.push_screen(Tell(heading, lines, copied=text))

    # -- others ------------------------------------------------------------------------------

    def _conflict(self) -> None:
        """Somebody else has changed the file; ask what is to become of our edits."""
        keep, drop = "keep my edits, upon the file as it is now", "drop my edits, show the file"

        def answered(picked: list[str] | None) -> None:
            if picked:
                begin(self, partial(self._resolve, keep=picked[0] == keep), only="apply")

        heading = "The configuration was changed by somebody else meanwhile"
        self.app.push_screen(Choose(heading, [keep, drop], [keep], several=False), answered)

    async def _resolve(self, *, keep: bool) -> None:
        lost = await self._go_on_from_file(keep=keep)
        if keep and len(self.draft) and lost == []:
            await self._review()
