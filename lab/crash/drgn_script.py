# SPDX-License-Identifier: BSD-2-Clause
"""Run by drgn, from the directory of a crash: ``drgn -c vmcore -s symbols/dune.ko vmcore.py``.

Names the kernel's symbols even without its debug information, which most distributions keep in a
package of its own. With that installed, drgn walks the stacks too. To go on by hand, add ``-i`` in
the shell that runs this, or start drgn without the script and paste from it.
"""

from __future__ import annotations

import drgn
from drgn.helpers.linux.kallsyms import load_vmlinux_kallsyms


def main(program: drgn.Program) -> None:
    """Print which kernel this was, and the stack it died with if that can be unwound."""
    finder = load_vmlinux_kallsyms(program)
    program.register_symbol_finder("kallsyms", finder, enable_index=0)
    banner = program.symbol("linux_banner")
    print(program.read_c_string(banner.address).decode().strip())
    try:
        print(program.crashed_thread().stack_trace())
    except LookupError as error:
        print(f"no stack from the dump: {error}; the kernel's debug package has what it needs")


if __name__ == "__main__":
    main(drgn.get_default_prog())
