# SPDX-License-Identifier: BSD-2-Clause
"""What an engine is worth, judged from one run of the probe. Pure: no process, no file."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from lab.doctor.features import Features, read_features
from lab.doctor.probe import End, Outcome
from lab.doctor.transcript import Stage, Transcript
from lab.engine import Engine, Vendor


class Verdict(StrEnum):
    """The values are part of the JSON report."""

    BOOTS = "boots"
    """The probe ran to its end and used the vendor's virtualization inside."""
    NO_NESTING = "no-nesting"
    """It ran to its end, but cannot be a hypervisor there."""
    EMULATED = "emulated"
    """A KVM that interprets ring 0: a kernel would take hours to boot."""
    STUCK = "stuck"
    """The time limit came first."""
    DIED = "died"
    """The emulator itself gave up."""
    FAULTED = "faulted"
    """The probe met an exception, once or thrice, or could not read its disk."""
    ABSENT = "absent"
    """The program or the device is not there."""
    FORBIDDEN = "forbidden"
    """The device may not be opened by this user."""
    NOT_PROBED = "not-probed"
    """The probe could not be built or started, so nothing is known."""


@dataclass(frozen=True)
class EngineProbe:
    """One engine and what was found out about it."""

    engine: Engine
    verdict: Verdict
    reason: str
    """One clause that completes "it ..., because"; for ``BOOTS`` what was proved."""
    cpu: str = ""
    """The CPU model this holds for. It may differ from ``engine.cpu``: see ``probe_kvm``."""
    mips: float | None = None
    """Millions of ring-0 instructions a second; of this busy moment, a rough measure."""
    seconds: float = 0.0
    features: Features | None = None
    """``None`` if the probe never got as far as CPUID."""
    evidence: str = ""
    """The serial lines with their times, and what the emulator itself said."""

    @property
    def usable(self) -> bool:
        """Whether the lab can run guests on it."""
        return self.verdict is Verdict.BOOTS


def judge(engine: Engine, cpu: str, outcome: Outcome) -> EngineProbe:
    """Weigh one run."""
    transcript = outcome.transcript
    verdict, reason = _weigh(engine, outcome, transcript)
    return EngineProbe(
        engine=engine,
        verdict=verdict,
        reason=reason,
        cpu=cpu,
        mips=transcript.mips,
        seconds=outcome.seconds,
        features=read_features(transcript) if transcript.leaves else None,
        evidence=_evidence(outcome),
    )


def _weigh(engine: Engine, outcome: Outcome, transcript: Transcript) -> tuple[Verdict, str]:
    match outcome.end:
        case End.SPOKE:
            return _weigh_last_words(engine, transcript)
        case End.EMULATED:
            rate = f"ring 0 runs at {transcript.mips:.1f} MIPS"
            return Verdict.EMULATED, f"{rate}: emulated instruction by instruction"
        case End.EXITED if outcome.status == 0:
            return Verdict.FAULTED, f"the machine reset itself: {_LAST_SEEN[transcript.stage]}"
        case End.EXITED:
            said = first_error(outcome.errors) or "it said nothing"
            return Verdict.DIED, f"the emulator ended with status {outcome.status}: {said}"
        case End.LIMIT:
            rate = f" (ring 0 runs at {transcript.mips:.1f} MIPS)" if transcript.mips else ""
            waited = f"{_LAST_SEEN[transcript.stage]} in {outcome.seconds:.0f} s"
            return Verdict.STUCK, waited + rate
        case End.NOT_STARTED | End.STOPPED:
            return Verdict.NOT_PROBED, f"the probe did not run: {outcome.errors or outcome.end}"


_LAST_SEEN = {
    Stage.SILENT: "its firmware did not even start the probe",
    Stage.BOOT_SECTOR: "the probe did not reach long mode",
    Stage.LONG_MODE: "the probe did not finish its ring-0 loop",
    Stage.LOOPS_DONE: "the probe did not finish its virtualization trial",
    Stage.DONE: "the probe did not stop",
}


def _weigh_last_words(engine: Engine, transcript: Transcript) -> tuple[Verdict, str]:
    if fault := transcript.fault:
        return Verdict.FAULTED, f"the probe met exception {fault.vector} at {fault.rip:#x}"
    if transcript.disk_error:
        return Verdict.FAULTED, "the firmware could not read the probe's disk"
    flags = read_features(transcript).flags
    if engine.vendor is Vendor.SVM:
        return _weigh_svm(flags, transcript)
    return _weigh_vmx(flags, transcript)


def _weigh_vmx(flags: frozenset[str], transcript: Transcript) -> tuple[Verdict, str]:
    if "vmx" not in flags:
        return Verdict.NO_NESTING, "its guests see no VT-x"
    if transcript.vmx != ("vmxon-ok", "vmxoff-ok"):
        return Verdict.NO_NESTING, f"VT-x cannot be switched on ({' '.join(transcript.vmx)})"
    if "ept" not in flags:
        return Verdict.NO_NESTING, "its VT-x has no EPT"
    return Verdict.BOOTS, "VMXON and VMXOFF work inside"


def _weigh_svm(flags: frozenset[str], transcript: Transcript) -> tuple[Verdict, str]:
    trial = transcript.vmrun
    if "svm" not in flags:
        return Verdict.NO_NESTING, "its guests see no SVM"
    if trial is None:
        return Verdict.NO_NESTING, f"SVM cannot be switched on ({' '.join(transcript.svm)})"
    if not trial.worked:
        return Verdict.NO_NESTING, f"VMRUN ended with exit code {trial.exit_code:#x}"
    if not trial.nested_paging:
        return Verdict.NO_NESTING, "its SVM has no nested paging"
    return Verdict.BOOTS, "VMRUN with nested paging works inside"


def first_error(text: str) -> str:
    """Pick the line in which an emulator says why it gave up; warnings come before it."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    lines = [line for line in lines if "warning:" not in line]
    telling = [line for line in lines if "error" in line.lower() or "PANIC" in line]
    chosen = (telling or lines[-1:] or [""])[0]
    chosen = chosen.rpartition(">>PANIC<< ")[2]  # Bochs's mark
    return chosen.removeprefix("qemu-system-x86_64: ").removeprefix("error: ")


def expected_vendor(transcript: Transcript, host_vendor: str) -> Vendor:
    """Whose virtualization a KVM here is about: what the guest saw, else what the host is."""
    vendor = read_features(transcript).vendor or host_vendor
    return Vendor.VMX if vendor == "GenuineIntel" else Vendor.SVM


def _evidence(outcome: Outcome) -> str:
    serial = "".join(f"{line.seconds:8.3f} {line.text}\n" for line in outcome.lines if line.text)
    return serial + outcome.errors
