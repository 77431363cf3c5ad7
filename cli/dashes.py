"""Commands whose arguments may begin with a dash, as the Call-IDs of some phones do.

Elsewhere such a word is an option. Here it is the argument that is missing, unless it is an option
that the command has.
"""

from collections.abc import Iterator, Sequence, Set
from typing import Any

from typer.core import TyperCommand


class DashedCommand(TyperCommand):
    """A command that takes `-Xabc` for its argument without a `--` before it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words behind the command, as `set_apart` puts them."""
        options = [param for param in self.params if param.param_type_name == "option"]
        taking = {
            name for one in options if not getattr(one, "is_flag", False) for name in one.opts
        }
        flags = {name for one in options for name in one.opts} - taking
        flags.update(self.get_help_option_names(ctx))
        arguments = len(self.params) - len(options)
        return super().parse_args(ctx, set_apart(args, flags, taking, arguments))


def set_apart(words: Sequence[str], flags: Set[str], taking: Set[str], arguments: int) -> list[str]:
    """Return a command's words with its arguments at the end, behind a `--`.

    Args:
        words: What was typed behind the command.
        flags: The names of its options that take no value.
        taking: The names of those that take one.
        arguments: How many arguments it has.
    """
    if "--" in words:
        return list(words)
    ranks = list(_ranks(words, flags, taking))
    found = {at for at, rank in enumerate(ranks) if rank == _PLAIN}
    for doubtful in (_UNKNOWN, _JOINED):
        dashed = [at for at, rank in enumerate(ranks) if rank == doubtful]
        found.update(dashed[: max(0, arguments - len(found))])
    options = [word for at, word in enumerate(words) if at not in found]
    return [*options, "--", *(words[at] for at in sorted(found))]


_OPTION, _PLAIN, _UNKNOWN, _JOINED = range(4)
"""An option or its value; an argument; no option the command has; perhaps one joined with its value,
as in `-cFILE`."""


def _ranks(words: Sequence[str], flags: Set[str], taking: Set[str]) -> Iterator[int]:
    value_follows = False
    for word in words:
        name, equals, _ = word.partition("=")
        if value_follows or word in flags or word in taking or (equals and name in taking):
            yield _OPTION
        elif not word.startswith("-") or word == "-":
            yield _PLAIN
        else:
            yield _JOINED if word[:2] in flags | taking else _UNKNOWN
        value_follows = not value_follows and word in taking
