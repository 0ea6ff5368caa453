# SPDX-License-Identifier: BSD-2-Clause
"""docs/security.md and the files beside it keep to what the code says."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs/security.md").read_text()
RULE = re.compile(r'(?:(\w+)(==|=|\+=)"([^"]*)"(?:, |$))')


def test_the_rule_is_for_our_device_and_keeps_others_out() -> None:
    text = (ROOT / "kern/60-dune.rules").read_text()
    [line] = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert RULE.sub("", line) == "", "not the syntax of udev(7)"
    rule = {key: (operator, value) for key, operator, value in RULE.findall(line)}
    [name] = re.findall(r'\.name = "(\w+)",', (ROOT / "kern/core.c").read_text())
    assert rule == {
        "SUBSYSTEM": ("==", "misc"),
        "KERNEL": ("==", name),
        "OWNER": ("=", "root"),
        "GROUP": ("=", "dune"),
        "MODE": ("=", "0660"),
    }


def test_every_instruction_that_exits_is_in_the_document() -> None:
    """Each intercept by the name of its instruction; events and registers are named otherwise."""
    source = (ROOT / "kern/svm/svm.c").read_text()
    body = source[source.index("static void set_intercepts") :]
    names = set(re.findall(r"INTERCEPT_([A-Z]+)\b", body[: body.index("\n}\n")]))
    events = {"INTR", "NMI", "SMI", "INIT", "SHUTDOWN", "EXCEPTION"}
    missing = {name for name in names - events if not re.search(rf"\b{name}", DOCUMENT)}
    assert missing == set(), "say in docs/security.md what a guest gets for these"
    assert len(names) > 20


def test_msrs_let_through_are_in_the_document() -> None:
    allowed = re.findall(r"msrpm_allow\(MSR_(\w+)\)", (ROOT / "kern/svm/svm.c").read_text())
    words = {
        "FS_BASE": "the bases of FS",
        "GS_BASE": "the bases of FS, GS",
        "KERNEL_GS_BASE": "the kernel's GS",
        "SYSCALL_MASK": "SFMASK",
    }
    for name in allowed:
        assert words.get(name, name) in DOCUMENT
    assert len(allowed) == 7, "the document counts them"


def test_files_it_names_are_there() -> None:
    names = re.findall(r"`((?:kern|tests|lab|svm)/[\w./-]+)`", DOCUMENT)
    assert len(names) > 5
    for name in names:
        path = ROOT / ("kern" if name.startswith("svm/") else "") / name
        assert path.exists(), name
