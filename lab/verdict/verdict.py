# SPDX-License-Identifier: BSD-2-Clause
"""The one place that decides what a test is worth, from all that is known about it.

The highest verdict with evidence wins; what else was found is listed beside it. QEMU's exit status
is no evidence: with ``-no-reboot`` it is 0 after a kernel panic.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from lab.errors import Status
from lab.verdict.report import Kind, Report
from lab.verdict.taint import Taint


class Verdict(StrEnum):
    """The values are part of the run record. From ``PANICKED`` down: the highest first."""

    PANICKED = "panicked"
    """The guest's kernel ended itself."""
    HUNG = "hung"
    """Something did not end in its time, or the machine runs and answers no more."""
    LOST = "lost"
    """The machine went away without a panic: reset, powered off, killed, or unreachable."""
    SPLAT = "splat"
    """The kernel complained and lived on, whatever the test's own result."""
    FAILED = "failed"
    """The test's own assertion did not hold."""
    INFRA = "infra"
    """The image, the build or the host failed, so that nothing is known of what was to be tested.

    Lowest of all failures: it is the only one worth another try, and a retry must not hide any
    evidence against the code under test.
    """
    PASSED = "passed"

    @property
    def fails(self) -> bool:
        """Whether a test with this verdict fails."""
        return self is not Verdict.PASSED

    @property
    def machine_usable(self) -> bool:
        """Whether the machine's state can be trusted after it."""
        return self in (Verdict.PASSED, Verdict.FAILED)

    @property
    def status(self) -> Status:
        """The exit status that says so, distinct for each verdict."""
        return _STATUS[self]


_STATUS = {
    Verdict.PASSED: Status.OK,
    Verdict.FAILED: Status.FAILED,
    Verdict.PANICKED: Status.PANICKED,
    Verdict.HUNG: Status.HUNG,
    Verdict.LOST: Status.LOST,
    Verdict.SPLAT: Status.SPLAT,
    Verdict.INFRA: Status.INFRA,
}


class Trouble(StrEnum):
    """What kind of exception, other than a failed assertion, ended the test."""

    DEADLINE = "deadline"
    """A command, a connection or the whole test took longer than it may."""
    LOST = "lost"
    """The connection to the machine broke."""
    INFRA = "infra"
    """The image could not be made, something did not compile, the host lacks something."""


@dataclass(frozen=True)
class Expectation:
    """What a marker declared: the test is *meant* to end in ``PANICKED`` or see a ``SPLAT``.

    ``title`` is a regular expression, searched in the report's title and its panic's reason;
    empty means any.
    """

    verdict: Verdict
    title: str = ""

    def __post_init__(self) -> None:
        if self.verdict not in (Verdict.PANICKED, Verdict.SPLAT):
            raise ValueError(f"a test cannot expect the verdict {self.verdict}")

    def __str__(self) -> str:
        what = "kernel panic" if self.verdict is Verdict.PANICKED else "kernel complaint"
        return f"a {what} matching {self.title!r}" if self.title else f"a {what}"


@dataclass(frozen=True)
class Evidence:
    """Everything known about one test. The default of each field: nothing bad was seen."""

    failure: str = ""
    """The first line of what the test's own assertion said; empty if it held."""
    trouble: Trouble | None = None
    """The exception that ended the test, if it was not an assertion's."""
    trouble_text: str = ""
    """Its sentence."""
    console: tuple[Report, ...] = ()
    """Complaints on the console since the test began."""
    kernel_log: tuple[Report, ...] = ()
    """Complaints in the guest's kernel log since the test began; may repeat the console's."""
    taint: tuple[Taint, ...] = ()
    """Taint flags gained, of any sort: ``lab.verdict.taint.gained``."""
    guest_panicked: bool = False
    """QMP ``GUEST_PANICKED`` was seen."""
    shutdown: bool = False
    """QMP ``SHUTDOWN`` was seen, and nobody had asked for it."""
    reset: bool = False
    """QMP ``RESET`` was seen, and nobody had asked for it."""
    watchdog: bool = False
    """QMP ``WATCHDOG`` was seen: the guest stopped feeding its watchdog."""
    emulator_ended: bool = False
    """The emulator's process is gone, and nobody had ended it."""
    answers: bool | None = None
    """Whether the guest still ran a trivial command at the end; ``None`` if nobody asked."""
    expected: tuple[Expectation, ...] = ()
    """What the test's markers declare."""


@dataclass(frozen=True)
class Judgement:
    """The verdict, in one line why, what else was found, and whether to keep the machine."""

    verdict: Verdict
    title: str
    """Empty for a plain pass."""
    also: tuple[str, ...] = ()
    """Lower findings, as "splat: WARNING in zoo_warn"."""
    machine_usable: bool = True
    """False also after a panic or a complaint that was expected."""


@dataclass(frozen=True)
class _Finding:
    verdict: Verdict
    title: str
    panic: str = ""

    def meets(self, expectation: Expectation) -> bool:
        """Whether it is what the test was meant to do."""
        return self.verdict is expectation.verdict and any(
            re.search(expectation.title, text) for text in (self.title, self.panic)
        )


def judge(evidence: Evidence) -> Judgement:
    """Decide. An expected panic or complaint that was seen counts as none; a missed one fails."""
    findings = _findings(evidence)
    unexpected = [finding for finding in findings if not any(map(finding.meets, evidence.expected))]
    missed = [
        _Finding(Verdict.FAILED, f"the test expects {expectation}, and none was seen")
        for expectation in evidence.expected
        if not any(finding.meets(expectation) for finding in findings)
    ]
    order = list(Verdict)
    against = sorted([*unexpected, *missed], key=lambda finding: order.index(finding.verdict))
    usable = all(finding.verdict.machine_usable for finding in findings)
    if against:
        first, *others = against
        also = tuple(f"{other.verdict}: {other.title}" for other in others)
        return Judgement(first.verdict, first.title, also, usable)
    titles = ", ".join(finding.title for finding in findings)
    return Judgement(Verdict.PASSED, titles and f"as expected: {titles}", (), usable)


def _findings(evidence: Evidence) -> list[_Finding]:
    """List what speaks against the test, before anything is forgiven as expected."""
    reports = _distinct((*evidence.console, *evidence.kernel_log))
    panics = _panics(evidence, reports)
    # A panic explains that the machine ended or fell silent, and makes an oops before it its
    # cause; only without one are these findings of their own.
    ends = [] if panics else [*_hangs(evidence, reports), *_losses(evidence)]
    explained = {finding.title for finding in (*panics, *ends)}
    splats = [
        _Finding(Verdict.SPLAT, title)
        for title in (*(report.title for report in reports), *_unexplained(evidence, reports))
        if title not in explained
    ]
    rest = [_Finding(Verdict.FAILED, evidence.failure)] if evidence.failure else []
    if evidence.trouble is Trouble.INFRA:
        rest.append(_Finding(Verdict.INFRA, evidence.trouble_text or "the host failed"))
    return [*panics, *ends, *splats, *rest]


def _distinct(reports: tuple[Report, ...]) -> list[Report]:
    """Drop repetitions: the kernel log tells what the console told, or told without its trace.

    Of two with the same title the one that ended in a panic stays.
    """
    chosen = {report.title: report for report in reports}
    chosen.update({report.title: report for report in reports if report.panic})
    return [
        report
        for title, report in chosen.items()
        if not any(other.startswith(f"{title} in ") for other in chosen)
    ]


def _panics(evidence: Evidence, reports: list[Report]) -> list[_Finding]:
    found = [_Finding(Verdict.PANICKED, r.title, r.panic) for r in reports if r.panic]
    if found or not evidence.guest_panicked:
        return found
    # The console stopped before the panic's own line: the last exception must have been the cause.
    causes = [report.title for report in reports if report.kind is Kind.OOPS]
    return [_Finding(Verdict.PANICKED, causes[-1] if causes else "Kernel panic, without its text")]


def _hangs(evidence: Evidence, reports: list[Report]) -> list[_Finding]:
    ended = evidence.shutdown or evidence.reset or evidence.emulator_ended
    late = evidence.trouble is Trouble.DEADLINE
    # The watchdog is what reset the machine, so its word counts even if the machine has ended.
    if not evidence.watchdog and (ended or not (late or evidence.answers is False)):
        return []
    if evidence.watchdog:
        text = "the guest stopped feeding its watchdog"
    elif late:
        text = evidence.trouble_text or "a deadline passed"
        if evidence.answers:
            text += " (the machine still answers)"
    else:
        text = "the machine runs and answers no more"
    culprits = [r.title for r in reports if r.kind in (Kind.LOCKUP, Kind.STALL, Kind.HUNG_TASK)]
    return [_Finding(Verdict.HUNG, culprits[0] if culprits else text)]


def _losses(evidence: Evidence) -> list[_Finding]:
    if evidence.watchdog:
        return []
    if evidence.reset:
        text = "the machine rebooted and nobody had asked it to"
    elif evidence.shutdown:
        text = "the machine powered itself off and nobody had asked it to"
    elif evidence.emulator_ended:
        text = "the emulator ended and nobody had asked it to"
    elif evidence.trouble is Trouble.LOST:
        text = "the connection to the machine broke"
    else:
        return []
    if evidence.trouble is Trouble.LOST and evidence.trouble_text:
        text = evidence.trouble_text
    return [_Finding(Verdict.LOST, text)]


def _unexplained(evidence: Evidence, reports: list[Report]) -> list[str]:
    """Word the taint flags gained that no report accounts for: their text was lost."""
    kinds = {report.kind for report in reports}
    return [
        f"{taint.meaning}, but its text was lost (taint {taint.letter})"
        for taint in evidence.taint
        if taint.complaint and not kinds & _EXPLAINED_BY.get(taint.letter, frozenset())
    ]


_EXPLAINED_BY = {
    "W": frozenset(Kind),
    "D": frozenset({Kind.OOPS, Kind.PANIC}),
    "L": frozenset({Kind.LOCKUP}),
    "M": frozenset({Kind.HARDWARE}),
    "B": frozenset({Kind.MEMORY}),
}
"""Which complaints raise a flag. Nearly every one may raise W."""
