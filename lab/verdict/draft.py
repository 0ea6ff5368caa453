# SPDX-License-Identifier: BSD-2-Clause
"""A report while its lines arrive: what belongs to it, where it ends, what it is about.

Nothing in a kernel's output says in general where a report ends, and on several processors other
lines come between. So a report goes on as long as lines come that look like parts of reports; a
number of others in a row end it, and are not part of its text.
"""

from __future__ import annotations

import re
from collections import deque

from lab.verdict.frames import culprit, function_on, function_perhaps_on, plain_name
from lab.verdict.patterns import Family, Role, is_consequence, panic_title
from lab.verdict.report import Kind, Report

_MAX_LINES = 4000
"""Where a report ends in any case: the longest known, a stack overflow, has about 1,100 lines."""
_MAX_FOREIGN = 20
"""Other lines in a row that end a report; lockdep's explanations are 15 without an address."""
_NEXT_LINES = 3
"""Foreign lines between two of which the second directly follows the first."""
_KEPT_FIRST = 300
_KEPT_LAST = 40
"""Lines of text kept of a longer report."""
_MAX_FUNCTIONS = 64
_MAX_WIDTH = 1000

_BODY = re.compile(r"RIP: |Call Trace:|CPU: \d+ |Modules linked in:|Hardware name:")
"""Below one of these a line that begins like a report begins another one."""
_PART = re.compile(
    r"RIP: |Call Trace:|CPU: \d+ |Modules linked in:|Hardware name:|Code: |[DEC]?R[A-Z0-9]{1,2}: "
    r"|[CFD]S: |PKRU: |---\[ |</?(?:TASK|IRQ|NMI|SOFTIRQ|ENTRY_TRAMPOLINE|#DF)>|#PF: |PGD |Oops"
    r"|(?:\[<[0-9a-f]+>\] )?(?:\? )?[A-Za-z_][\w.$]*\+0x[0-9a-f]+/0x|.*, at: |task:|Workqueue: "
    r"|(?:Object|Redzone|Padding|Bytes b4) +[0-9a-f]+: |(?:Slab|Object) 0x|Allocated in |Freed in "
    r"|FIX |Disabling lock debugging|-{20,}|={20,}"
    r"|Sending NMI|NMI backtrace|Task dump|Stack:|rcu: |Kernel Offset|Kernel panic|note: |<Tainted"
)
"""Lines that only reports have."""
_END_OF_KERNEL = re.compile(r"---\[ end Kernel panic")


class Draft:
    """One open report, begun by a line that named ``family``."""

    def __init__(self, family: Family, match: re.Match[str], offset: int) -> None:
        self.kind = family.kind
        self.panic = ""
        self._family = family
        self._groups = match.groupdict("")
        self._offset = offset
        self._roles = {family.role}
        self._body = False
        self._functions: list[str] = []
        self._perhaps: list[str] = []
        self._first: list[str] = []
        self._last: deque[str] = deque(maxlen=_KEPT_LAST + _MAX_FOREIGN)
        self._lines = 0
        self._foreign = 0
        self._note(family, match)

    def takes(self, family: Family, match: re.Match[str]) -> bool:
        """Take a line that begins like a report as part of this one; tell whether it is."""
        if family.vague and self._roles == {Role.OPENING}:
            return True  # the words of a WARN(), whose headline is to come
        if not self._continues(family, match):
            return False
        if self._roles == {Role.OPENING} or family.role is Role.CONCLUSION:
            self._family, self._groups = family, match.groupdict("")
            self.kind = family.kind
        elif family.kind is Kind.OOPS:
            self.kind = family.kind  # a BUG(), whatever it was preceded by
        self._roles.add(family.role)
        self._note(family, match)
        return True

    def add(self, message: str) -> bool:
        """Take a line; tell whether the report is still open."""
        self._body = self._body or _BODY.match(message) is not None
        for names, find in ((self._functions, function_on), (self._perhaps, function_perhaps_on)):
            if len(names) < _MAX_FUNCTIONS and (name := find(message)):
                names.append(name)
        until = self._family.until
        begun_here = self._lines == 0
        self._lines += 1
        (self._first if len(self._first) < _KEPT_FIRST else self._last).append(message[:_MAX_WIDTH])
        belongs = begun_here or until is not None or _PART.match(message.lstrip()) is not None
        self._foreign = 0 if belongs else self._foreign + 1
        ended = until is not None and self._body and until.match(message) is not None
        if ended or _END_OF_KERNEL.match(message):
            return False
        return self._foreign < _MAX_FOREIGN and self._lines < _MAX_LINES

    @property
    def doubtful(self) -> bool:
        """Whether anybody could have written it: vague words, and no function of the kernel."""
        return self._family.vague and not self._functions

    def report(self) -> Report:
        """Return what has been learnt."""
        where = culprit(self._functions or self._perhaps)
        if self._family.role is Role.PANIC:
            title = panic_title(self.panic)
        else:
            title = self._family.title.format(**self._groups).rstrip()
            if self._family.placed and where:
                title += f" in {where}"
        return Report(self.kind, title, where, self._text(), self._offset, self.panic)

    def _continues(self, family: Family, match: re.Match[str]) -> bool:
        if family.role is Role.PANIC:
            return is_consequence(match["reason"], self.kind)
        if family.role is Role.CONCLUSION:
            return self.kind is family.kind
        joins = {
            # Two processors may open before either goes on; and usercopy, list and slab debugging
            # speak before they BUG() or WARN().
            Role.OPENING: self._roles == {Role.OPENING}
            or (self._roles == {Role.PREFACE} and self._foreign <= _NEXT_LINES),
            Role.PREFACE: self._roles == {Role.OPENING},
            Role.HEADLINE: self._roles <= {Role.OPENING, Role.PREFACE},
            Role.BANNER: Role.BANNER not in self._roles
            and (self.kind is Kind.OOPS or Role.PREFACE in self._roles),
        }
        return not self._body and joins[family.role]

    def _note(self, family: Family, match: re.Match[str]) -> None:
        """Keep what a line of a family says besides its name."""
        groups = match.groupdict("")
        if groups.get("at"):
            self._functions.append(plain_name(groups["at"]))
        if family.role is Role.PANIC:
            self.panic = groups["reason"].strip()

    def _text(self) -> str:
        """The lines of the report, without the foreign ones at its end."""
        lines = [*self._first, *self._last]
        left_out = self._lines - len(lines)
        if left_out:
            lines.insert(_KEPT_FIRST, f"[{left_out} lines left out]")
        return "\n".join(lines[: len(lines) - self._foreign])
