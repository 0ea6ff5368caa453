# SPDX-License-Identifier: BSD-2-Clause
"""The faults that are put into the model of Tabby's protocol, and what each must violate."""

from __future__ import annotations

from lab.protocol.model import Fault

FAULTS = (
    # What the published algorithm, and the published code, do.
    Fault(
        "VERSION_FROM_DISK", "a version repeats behind a clean eviction", "reload", "bytes", True
    ),
    Fault("IMAGE_IS_UNLOCKED", "a device publishes what is on disk", "reader", "bytes", True),
    Fault(
        "VICTIM_IS_NOT_LOOKED_AT_AGAIN", "written since it was clean", "write-back", "update", True
    ),
    Fault("PUBLISHED_UNLOCKED", "unlocked before it is pinned", "write-back", "bytes", True),
    Fault("CONTENT_BY_ADDRESS", "each load is translated anew", "reader", "update", True),
    Fault("VALIDATED_WITHOUT_FRAME", "another frame's version will do", "reload", "bytes", True),
    # Reading and writing.
    Fault("NAME_IS_NOT_ASKED", "a hint is believed", "reader", "bytes"),
    Fault("NAME_BEFORE_WORD", "not both true at once", "reader", "bytes"),
    Fault("READ_BESIDE_A_WRITER", "validated while it is locked", "reader", "update"),
    Fault("VERSION_IS_NOT_RAISED", "a write leaves the version", "reader", "update"),
    Fault("VERSION_WRAPS", "versions of one bit", "reader", "bytes"),
    Fault("PINNED_BY_STORE", "pinned without a comparison", "write-back", "reclaim"),
    Fault("SHARED_DOES_NOT_COUNT", "locked while others read", "failing-write-back", "reclaim"),
    # Loading.
    Fault("PUBLISHED_BEFORE_CONTENT", "unlocked before it is there", "reader", "bytes"),
    Fault("ENTRY_IS_NOT_LOCKED", "two load a page", "reader", "one_frame"),
    Fault("ENTERED_BLINDLY", "no second look behind the lock", "reader", "one_frame"),
    # Eviction, write-back, and the disk's errors.
    Fault("FREE_FRAME_NAMES", "a free frame keeps its page's name", "refused", "one_frame"),
    Fault("WRITTEN_WITHOUT_PIN", "evicted while it is written back", "write-back", "bytes"),
    Fault("CLEAN_BEHIND_UNPIN", "clean, whatever was stored since", "write-back", "update"),
    Fault("FAILED_READ_KEEPS_NAME", "free, and has a name", "writers", "one_frame"),
    Fault("FAILED_READ_LEAKS", "its frame is lost", "writers", "reclaim"),
    Fault("FAILED_WRITE_IS_CLEAN", "clean, and not on disk", "writers", "update"),
)
