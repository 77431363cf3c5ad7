"""The help's pages, one for each screen; those of the configuration's tabs come with the settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page."""

    title: str
    text: str
    """Paragraphs; a line that begins with `# ` is a heading."""


PAGES: Final[Mapping[str, Page]] = {
    "main": Page(
        title="The main screen",
        text="""
# Three areas
Above is what this server is: its domain, where it listens, how it keeps registrations, who must log in, which relays carry voice and by which way, and what it warns of; i shows all of it uncut. In the middle is the activity log: everything the server does, as it happens. Below are the figures: what stands now, the most at once, all in all, and the rate of the last minutes as a line of bars.

# The activity log
It follows what happens until you move up; G or End follows again. p holds it still, however much comes, and p lets it go on. / filters; t chooses the kinds of events. That changes what you see here: which kinds are written at all is settled on the Event Logging tab. Enter opens the call or the registration a line speaks of. y copies the line, Y all of them, w writes them to a file.

# Filters
Words that must all be there: yealink keeps lines that have it, !yealink those that have not, severity:warn those with it in that column (time, kind, severity, text, event). In quotation marks a word may hold blanks. Esc clears the filter.

# In process or attached
Without a running server the dashboard runs one inside, which ends with it. Else it attaches to the one that runs, and closing it stops nothing. Read-only dashboards show everything and change nothing.
""",
    ),
    "registrations": Page(
        title="Phones",
        text="""
Each line is a phone that is registered: its user, the contact it gave, the address it was really heard from, the transport, how long the registration lives, what the phone calls itself. A real address that differs from the contact's is a phone behind NAT.

Enter tells how it came to be registered. d forgets that phone, D all phones of its user; they come back when they next register. o sorts by the next column, O turns the order around, c chooses columns; both are remembered for the next time. Of very many phones the first five thousand are listed; /sip:user@domain asks the server for any.
""",
    ),
    "calls": Page(
        title="Calls",
        text="""
Each line is a call in progress: calling, ringing or up, since when, and which relay carries its voice; a dash means that voice passes between the phones by itself. The codec is that of the answer; where the caller offered none before it was answered, it is not told. Enter opens the ladder with all messages and decisions. i shows the chosen line in full. e ends a call: both phones are told to hang up.
""",
    ),
    "call": Page(
        title="One call: what happened and why",
        text="""
Above is what became of the call in plain words, and what to do about it. Below is the ladder: a column for each party, an arrow for each message as the server itself received or sent it (so that TLS is readable too), and between them what the server decided, marked with a diamond. The chosen message stands beside it, or after Enter in its place where the screen is narrow.

Passwords and keys in messages are blanked. d shows or hides decisions. / filters the ladder: words, or kind:, from:, to:, text:, rule: and raw: with a word (raw is the whole message). w writes the call to a text file, P to a pcapng file for Wireshark.
""",
    ),
    "relays": Page(
        title="Media relays",
        text="""
A relay passes voice and video where phones cannot reach each other. One starts with the server; others log in from their own machines (centrex relay start). The path tells how packets are carried: by the kernel (ebpf, nftables) or by the relay's own process (userspace), and the last column why it is none better. d drains a relay: it is given no new calls. Enter shows the streams of its calls: where each side was heard, packets, loss.
""",
    ),
    "bans": Page(
        title="Bans",
        text="""
Sources that are not heard, because they guessed passwords or flooded the server, and how long that lasts. Enter shows one in full. d lets one in again. A source with a phone that is logged in is never banned as a whole. The rules stand on the Network Configuration tab.
""",
    ),
    "subscriptions": Page(
        title="Watchers",
        text="""
Phones that watch who is registered (reg) or who is talking (dialog, for busy lamps): who watches, whom, for how long yet, and how often it was told. Enter shows one in full.
""",
    ),
    "route": Page(
        title="The route tester",
        text="""
Type a number, and see what would become of a call to it: nobody is called. Below it may stand who calls, a user of this server (a stranger is led to no gateway), and when, for plans that count at certain times. The answer follows while you type; Enter goes to it, so that keys are commands again, and Enter once more goes back to the number. The arrows lead from field to field.

The first line is the outcome. Then come the plans that were looked at, in their order, with the reason for each; › marks the one that decides. The time-line shows who rings from when to when, and under which addresses; a destination that would be passed over tells why.

# Before you apply
Edits of the configuration that are not applied yet are counted in: change a plan on the Call Routing tab, press t there, and see what it would do. e leaves them out, so that you see both. centrex route test NUMBER tells the same without a dashboard, by what is in force.
""",
    ),
    "config": Page(
        title="Changing the configuration",
        text="""
The thirteen tabs stand at the left, in the order of the dialogs. Tab or Enter goes to the settings, Esc back. Enter changes a value: it is typed, switched, or chosen from a list. What stands below tells what it means, its bounds, its default and what a change does to calls. ↻ marks what the file says otherwise than what is in force: others wrote it, or it waits for a restart.

Nothing is changed until you apply: edits are collected and marked with ●. u takes one back, D returns it to its default, U takes all back. v reviews them: the difference in the file, what each does, and what is wrong. There a applies them: the file is written (your comments stay) and the server reloads; calls go on. c applies and rolls back by itself unless you confirm within a minute: for changes that might lock you out. What somebody else edits in the file meanwhile stays; where that is the very same key the file cannot be rolled back, which is then said at the head of the screen until you have read it.

If somebody else changed the file meanwhile nothing is overwritten: you are asked whether to keep your edits upon the new file or to drop them.

In lists a adds, e or Enter edits, x deletes, c duplicates, J and K move down and up (in the order of the file; o sorts by one column after the other, and then shows that order again), Space enables or disables, / filters them. On the Call Routing tab t tests the chosen plan, your edits counted in.

/ filters settings by label, key and help, and the rows of lists, on every tab: one with a match is marked with /. Esc clears the filter.

Settings marked with ◌ are kept and take effect with a later version.
""",
    ),
    "first-start": Page(
        title="The first start",
        text="""
Four answers make a configuration that is secure: every phone has a password of its own, which is shown once. Everything can be changed later on the tabs of the configuration.
""",
    ),
    "trouble": Page(
        title="When there is no server",
        text="""
The server could not be started or reached. Problems of the configuration are listed all at once; put them right in the file and press r. A port that cannot be had is used by another program.
""",
    ),
}
