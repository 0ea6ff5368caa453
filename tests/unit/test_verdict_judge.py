# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

from dataclasses import replace

import pytest

from lab.errors import Status
from lab.verdict.report import Kind, Report
from lab.verdict.taint import gained
from lab.verdict.verdict import Evidence, Expectation, Judgement, Trouble, Verdict, judge

WARNED = Report(Kind.WARNING, "WARNING in zoo_warn", "zoo_warn", "", 0)
OOPSED = Report(Kind.OOPS, "divide error in zoo_divide", "zoo_divide", "", 9)
DIED = replace(OOPSED, panic="Fatal exception")
LOCKED_UP = Report(Kind.LOCKUP, "soft lockup in zoo_spin", "zoo_spin", "", 0)
W, D, L, O = 1 << 9, 1 << 7, 1 << 14, 1 << 12  # noqa: E741

ROWS = {
    "nothing bad was seen": (Evidence(), Verdict.PASSED, ""),
    "the assertion failed": (Evidence(failure="1 != 2"), Verdict.FAILED, "1 != 2"),
    "the kernel warned": (Evidence(console=(WARNED,)), Verdict.SPLAT, WARNED.title),
    "only its log has it": (Evidence(kernel_log=(OOPSED,)), Verdict.SPLAT, OOPSED.title),
    "a taint without its text": (
        Evidence(taint=gained(0, W)),
        Verdict.SPLAT,
        "the kernel warned, but its text was lost (taint W)",
    ),
    "a normal taint": (Evidence(taint=gained(0, O)), Verdict.PASSED, ""),
    "a panic on the console": (Evidence(console=(DIED,)), Verdict.PANICKED, DIED.title),
    "a panic only QEMU saw": (
        Evidence(guest_panicked=True),
        Verdict.PANICKED,
        "Kernel panic, without its text",
    ),
    "a panic whose line is missing": (
        Evidence(guest_panicked=True, console=(WARNED, OOPSED)),
        Verdict.PANICKED,
        OOPSED.title,
    ),
    "it panicked, and so it rebooted": (
        Evidence(console=(DIED,), reset=True, shutdown=True, trouble=Trouble.LOST),
        Verdict.PANICKED,
        DIED.title,
    ),
    "a deadline passed": (
        Evidence(trouble=Trouble.DEADLINE, trouble_text="sleep took more than 2 s"),
        Verdict.HUNG,
        "sleep took more than 2 s",
    ),
    "a deadline passed on a live machine": (
        Evidence(trouble=Trouble.DEADLINE, answers=True),
        Verdict.HUNG,
        "a deadline passed (the machine still answers)",
    ),
    "the kernel names the culprit of a hang": (
        Evidence(trouble=Trouble.DEADLINE, console=(LOCKED_UP,)),
        Verdict.HUNG,
        LOCKED_UP.title,
    ),
    "silence": (Evidence(answers=False), Verdict.HUNG, "the machine runs and answers no more"),
    "the watchdog barked and reset it": (
        Evidence(watchdog=True, reset=True, emulator_ended=True),
        Verdict.HUNG,
        "the guest stopped feeding its watchdog",
    ),
    "a deadline passed because it was gone": (
        Evidence(trouble=Trouble.DEADLINE, answers=False, reset=True),
        Verdict.LOST,
        "the machine rebooted and nobody had asked it to",
    ),
    "it powered itself off": (
        Evidence(shutdown=True),
        Verdict.LOST,
        "the machine powered itself off and nobody had asked it to",
    ),
    "QEMU was killed": (
        Evidence(emulator_ended=True),
        Verdict.LOST,
        "the emulator ended and nobody had asked it to",
    ),
    "the connection broke": (
        Evidence(trouble=Trouble.LOST, trouble_text="sshd is gone"),
        Verdict.LOST,
        "sshd is gone",
    ),
    "the host's fault": (
        Evidence(trouble=Trouble.INFRA, trouble_text="disk full"),
        Verdict.INFRA,
        "disk full",
    ),
}


@pytest.mark.parametrize("row", ROWS)
def test_evidence_and_its_verdict(row: str) -> None:
    evidence, verdict, title = ROWS[row]
    judgement = judge(evidence)
    assert (judgement.verdict, judgement.title, judgement.also) == (
        verdict,
        title,
        # An oops that is taken for the cause of a panic leaves the warning before it.
        ("splat: WARNING in zoo_warn",) if "line is missing" in row else (),
    )
    assert judgement.machine_usable == (verdict in {Verdict.PASSED, Verdict.FAILED})


def test_the_highest_wins_and_the_others_are_listed_in_order() -> None:
    evidence = Evidence(
        failure="1 != 2",
        trouble=Trouble.INFRA,
        trouble_text="disk full",
        answers=False,
        console=(WARNED, OOPSED),
    )
    assert judge(evidence) == Judgement(
        Verdict.HUNG,
        "the machine runs and answers no more",
        (f"splat: {WARNED.title}", f"splat: {OOPSED.title}", "failed: 1 != 2", "infra: disk full"),
        machine_usable=False,
    )


def test_a_complaint_told_twice_is_one_and_the_better_title_stays() -> None:
    vague = replace(WARNED, title="WARNING", where="")
    for console, log in ((WARNED, WARNED), (vague, WARNED), (WARNED, vague)):
        judgement = judge(Evidence(console=(console,), kernel_log=(log,)))
        assert (judgement.title, judgement.also) == (WARNED.title, ())


def test_a_repeated_oops_of_which_the_last_is_fatal_is_a_panic() -> None:
    for reports in ((OOPSED, DIED), (DIED, OOPSED)):
        assert judge(Evidence(console=reports)).verdict is Verdict.PANICKED


@pytest.mark.parametrize(
    ("report", "taint", "explained"),
    [(WARNED, W, True), (OOPSED, W | D, True), (LOCKED_UP, L, True), (WARNED, W | D, False)],
)
def test_a_taint_counts_unless_a_report_explains_it(
    report: Report, taint: int, explained: bool
) -> None:
    judgement = judge(Evidence(console=(report,), taint=gained(0, taint)))
    assert (judgement.also == ()) is explained


class TestExpected:
    splat = Expectation(Verdict.SPLAT, "in zoo_warn$")
    panic = Expectation(Verdict.PANICKED, "divide error")

    def test_seen(self) -> None:
        judgement = judge(Evidence(console=(WARNED,), taint=gained(0, W), expected=(self.splat,)))
        assert judgement == Judgement(
            Verdict.PASSED, f"as expected: {WARNED.title}", machine_usable=False
        )

    def test_a_panic_with_all_that_it_entails(self) -> None:
        evidence = Evidence(
            console=(DIED,),
            guest_panicked=True,
            reset=True,
            emulator_ended=True,
            answers=False,
            trouble=Trouble.LOST,
            expected=(self.panic,),
        )
        assert judge(evidence).verdict is Verdict.PASSED
        assert not judge(evidence).machine_usable

    def test_by_the_reason_of_the_panic(self) -> None:
        expected = (Expectation(Verdict.PANICKED, "^Fatal exception$"),)
        assert judge(Evidence(console=(DIED,), expected=expected)).verdict is Verdict.PASSED

    def test_missed(self) -> None:
        judgement = judge(Evidence(expected=(self.panic,)))
        assert judgement.verdict is Verdict.FAILED
        assert judgement.title == (
            "the test expects a kernel panic matching 'divide error', and none was seen"
        )
        judgement = judge(Evidence(expected=(Expectation(Verdict.SPLAT),)))
        assert judgement.title == "the test expects a kernel complaint, and none was seen"

    def test_another_one(self) -> None:
        judgement = judge(Evidence(console=(OOPSED,), expected=(self.splat,)))
        assert (judgement.verdict, judgement.title) == (Verdict.SPLAT, OOPSED.title)
        assert judgement.also[0].startswith("failed: the test expects a kernel complaint")

    def test_one_more_than_expected(self) -> None:
        judgement = judge(Evidence(console=(WARNED, OOPSED), expected=(self.splat,)))
        assert (judgement.verdict, judgement.title) == (Verdict.SPLAT, OOPSED.title)
        assert judgement.also == ()

    def test_a_panic_where_a_complaint_was_expected(self) -> None:
        died = replace(WARNED, panic="panic_on_warn set")
        judgement = judge(Evidence(console=(died,), expected=(self.splat,)))
        assert judgement.verdict is Verdict.PANICKED

    def test_the_assertion_still_counts(self) -> None:
        evidence = Evidence(console=(WARNED,), failure="1 != 2", expected=(self.splat,))
        assert judge(evidence).verdict is Verdict.FAILED

    def test_nothing_else_can_be_expected(self) -> None:
        with pytest.raises(ValueError, match="cannot expect the verdict hung"):
            Expectation(Verdict.HUNG)


def test_each_verdict_has_an_exit_status_of_its_own() -> None:
    statuses = {verdict: verdict.status for verdict in Verdict}
    assert len(set(statuses.values())) == len(Verdict)
    assert [verdict for verdict in Verdict if statuses[verdict] is Status.OK] == [Verdict.PASSED]


def test_all_but_a_pass_fail() -> None:
    assert [verdict for verdict in Verdict if not verdict.fails] == [Verdict.PASSED]
