# SPDX-License-Identifier: BSD-2-Clause
"""What the probe said on real machines, for the other tests of the doctor."""

from __future__ import annotations

from lab.doctor.probe import End, Outcome
from lab.doctor.transcript import Line, Transcript, parse_transcript

TCG = """\
0.084 probe: boot-sector
0.088 probe: long-mode
0.088 probe: cpuid 00000000 00000000 0000000d 68747541 444d4163 69746e65
0.088 probe: cpuid 00000001 00000000 00800f12 00000800 f6d8320b 078bfbfd
0.088 probe: cpuid 00000007 00000000 00000000 009801a9 00000000 00000000
0.088 probe: cpuid 0000000d 00000001 00000005 00000340 00000000 00000000
0.088 probe: cpuid 40000000 00000000 40000001 54474354 43544743 47435447
0.088 probe: cpuid 80000000 00000000 8000001e 68747541 444d4163 69746e65
0.088 probe: cpuid 80000001 00000000 00800f12 00000000 00000075 2dd3fbfd
0.088 probe: cpuid 80000008 00000000 00003028 00000000 00000000 00000000
0.088 probe: cpuid 8000000a 00000000 00000001 00000010 00000000 00000001
0.088 probe: loop 00000000 start
0.088 probe: loop 00000001 0007a120
0.093 probe: loop 00000002 000f4240
0.097 probe: loop 00000003 001e8480
0.109 probe: loop 00000004 003d0900
0.120 probe: loop 00000005 007a1200
0.153 probe: loop 00000006 00f42400
0.221 probe: loop 00000007 01e84800
0.223 probe: msr c0010114 0000000000000000
0.223 probe: svm vmrun 00000001 0000000000000081 000000000000600d
0.223 probe: done
"""
"""QEMU 7.2 TCG, ``-cpu EPYC,+svm,+npt``."""

BOCHS = """\
0.167 probe: boot-sector
0.177 probe: long-mode
0.178 probe: cpuid 00000000 00000000 00000016 756e6547 6c65746e 49656e69
0.180 probe: cpuid 00000001 00000000 00050654 00010800 77faf3bf bfebfbff
0.184 probe: cpuid 00000007 00000000 00000000 d19f27eb 00000000 00000000
0.184 probe: cpuid 0000000d 00000001 0000000f 00000000 00000000 00000000
0.184 probe: cpuid 80000000 00000000 80000008 00000000 00000000 00000000
0.185 probe: cpuid 80000001 00000000 00000000 00000000 00000121 2c100800
0.187 probe: cpuid 80000008 00000000 00003028 00000000 00000000 00000000
0.187 probe: loop 00000000 start
0.192 probe: loop 00000001 0007a120
0.204 probe: loop 00000002 000f4240
0.231 probe: loop 00000003 001e8480
0.274 probe: loop 00000004 003d0900
0.363 probe: loop 00000005 007a1200
0.526 probe: loop 00000006 00f42400
0.866 probe: loop 00000007 01e84800
0.869 probe: msr 0000003a 0000000000000005
0.869 probe: msr 00000480 00d810000000002b
0.869 probe: msr 00000481 0000007f00000016
0.869 probe: msr 00000482 f7f9fffe0401e172
0.869 probe: msr 00000485 00000000600401e0
0.869 probe: msr 0000048b 02177fff00000000
0.869 probe: msr 0000048c 00000f0106334141
0.869 probe: msr 0000048d 0000007f00000016
0.869 probe: msr 0000048e f7f9fffe04006172
0.869 probe: vmx vmxon-ok
0.869 probe: vmx vmxoff-ok
0.869 probe: done
"""
"""Bochs 2.7, ``model=corei7_skylake_x``."""

SOFTWARE_KVM = """\
5.745 probe: boot-sector
5.844 probe: long-mode
5.849 probe: cpuid 00000000 00000000 0000001c 68747541 444d4163 69746e65
5.849 probe: cpuid 00000001 00000000 00a10f11 00000800 f7f83203 178bfbff
5.850 probe: cpuid 00000007 00000000 00000001 f1bf03ab 00005f46 00000010
5.853 probe: cpuid 0000000d 00000001 00000007 00000240 00000000 00000000
5.857 probe: cpuid 40000000 00000000 40000001 4b4d564b 564b4d56 0000004d
5.857 probe: cpuid 80000000 00000000 80000021 68747541 444d4163 69746e65
5.861 probe: cpuid 80000001 00000000 00a10f11 00000000 00000393 23d3fbff
5.866 probe: cpuid 80000008 00000000 00003030 00000005 00000000 00000000
5.873 probe: cpuid 8000000a 00000000 00000000 00000000 00000000 00000000
5.873 probe: loop 00000000 start
6.135 probe: loop 00000001 0007a120
6.670 probe: loop 00000002 000f4240
7.749 probe: loop 00000003 001e8480
"""
"""A KVM that interprets ring 0, ``-cpu host,-arch-capabilities``; cut short by the doctor."""

QEMU_ABORTS = """\
qemu-system-x86_64: warning: host doesn't support requested feature: CPUID.01H:ECX.pni [bit 0]
qemu-system-x86_64: error: failed to set MSR 0x10a to 0x69
qemu-system-x86_64: ../../target/i386/kvm/kvm.c:3183: kvm_buf_set_msrs: Assertion failed.
"""
"""The same KVM with ``-cpu host``."""


def lines_of(capture: str) -> tuple[Line, ...]:
    pairs = (text.partition(" ") for text in capture.splitlines())
    return tuple(Line(float(seconds), text) for seconds, _, text in pairs)


def transcript_of(capture: str) -> Transcript:
    return parse_transcript(lines_of(capture))


def outcome_of(capture: str, end: End = End.SPOKE, **rest: object) -> Outcome:
    return Outcome(end, lines_of(capture), **rest)  # type: ignore[arg-type]


def without(capture: str, *words: str) -> str:
    kept = [line for line in capture.splitlines() if not any(word in line for word in words)]
    return "\n".join(kept)


def text_of(capture: str) -> str:
    return "".join(f"{line.text}\n" for line in lines_of(capture))


def test_the_captures_are_whole() -> None:
    for capture, last in ((TCG, "probe: done"), (BOCHS, "probe: done"), (SOFTWARE_KVM, "")):
        lines = lines_of(capture)
        assert lines[0].text == "probe: boot-sector"
        assert lines[-1].text.endswith(last)
        assert [line.seconds for line in lines] == sorted(line.seconds for line in lines)
