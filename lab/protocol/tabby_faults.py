# SPDX-License-Identifier: BSD-2-Clause
"""The faults that are put into the model of Tabby's protocol, and what each must violate.

``cycle`` is a run in which a CPU looks for its page for ever.
"""

from __future__ import annotations

from lab.protocol.model import Fault

FAULTS = (
    # What the published algorithm, and the published code, do.
    Fault(
        "VERSION_FROM_DISK", "a version repeats behind a clean eviction", "reload", "bytes", True
    ),
    Fault("IMAGE_IS_UNLOCKED", "a device publishes what is on disk", "reader", "update", True),
    Fault(
        "VICTIM_IS_NOT_LOOKED_AT_AGAIN", "written since it was clean", "write-back", "update", True
    ),
    Fault("PUBLISHED_UNLOCKED", "unlocked before it is pinned", "write-back", "reclaim", True),
    Fault("CONTENT_BY_ADDRESS", "each load is translated anew", "reader", "bytes", True),
    # Reading and writing.
    Fault("VALIDATED_WITHOUT_FRAME", "another frame's version will do", "reload", "bytes"),
    Fault("READ_BESIDE_A_WRITER", "validated while it is locked", "reader", "update"),
    Fault("VERSION_IS_NOT_RAISED", "a write leaves the version", "reader", "update"),
    Fault("VERSION_WRAPS", "versions of one bit", "reader", "update"),
    Fault("PINNED_BY_STORE", "pinned without a comparison", "write-back", "reclaim"),
    # Loading.
    Fault("HEADER_BEFORE_CONTENT", "named before it is there", "reader", "bytes"),
    Fault("ENTRY_BEFORE_CONTENT", "found before it is there", "reader", "one_frame"),
    Fault("ENTRY_IS_NOT_LOCKED", "two load a page", "reader", "one_frame"),
    Fault("ENTRY_UNLOCKED_TOO_EARLY", "unlocked before it leads there", "reader", "one_frame"),
    Fault("LOADED_WITHOUT_LOOKING", "no second look behind the lock", "reader", "one_frame"),
    Fault("NO_LOCAL_FLUSH", "a stale translation is not repaired", "reader", "cycle"),
    # Eviction, write-back, and the disk's errors.
    Fault("FREE_FRAME_NAMES", "a free frame keeps its page's name", "refused", "one_frame"),
    Fault("WRITTEN_WITHOUT_PIN", "evicted while it is written back", "write-back", "bytes"),
    Fault("CLEAN_BEHIND_UNPIN", "clean, whatever was stored since", "write-back", "update"),
    Fault("FAILED_READ_KEEPS_NAME", "free, and has a name", "writers", "one_frame"),
    Fault("FAILED_READ_LEAKS", "its frame is lost", "writers", "reclaim"),
    Fault("FAILED_WRITE_IS_CLEAN", "clean, and not on disk", "writers", "update"),
)
