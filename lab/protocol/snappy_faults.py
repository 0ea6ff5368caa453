# SPDX-License-Identifier: BSD-2-Clause
"""The faults that are put into the model of Snappy's protocol, and what each must violate.

``cycle`` is a run in which memory is never reclaimed.
"""

from __future__ import annotations

from lab.protocol.model import Fault

FAULTS = (
    # What the published prototype, and the published algorithm, do.
    Fault("WRITTEN_IS_NOT_OWN", "host writes bypass copy-on-write", "calls", "isolation", True),
    Fault("FIRST_PAGE_ONLY", "a batch of flushes flushes one page", "batch", "isolation", True),
    Fault("NO_FLUSH_AT_ENTRY", "back from the host without a flush", "calls", "isolation", True),
    Fault("NO_STOP", "vCPUs are switched one by one", "calls", "isolation", True),
    Fault("ENTRY_NOT_LOCKED", "the entry's lock is not one", "calls", "coherence", True),
    Fault("NOT_STAGED", "a snapshot's call gets main's page", "visiting-calls", "coherence", True),
    Fault("ALONE_BY_REFERENCES", "linked once, so not shared", "calls", "isolation", True),
    Fault("LIMBO_IS_FORGOTTEN", "nothing is ever freed", "calls", "reclaim", True),
    Fault("OLD_SNAPSHOT_PINS", "freed when older than all snapshots", "kept", "reclaim", True),
    # The cut.
    Fault("CUT_WITHOUT_FLUSH", "the cut does not flush", "calls", "isolation"),
    Fault("LOOKS_BEFORE_IT_SAYS", "an entry's barrier is missing", "calls", "isolation"),
    Fault("PARK_ENDS_WITHOUT_FLUSH", "the last flush before the start", "calls", "isolation"),
    Fault("PARK_FLUSHES_TOO_EARLY", "it counts as parked after it", "cuts", "isolation"),
    Fault("PARKED_DOES_NOT_FLUSH", "parked vCPUs hold up flushers", "cuts", "deadlock"),
    Fault("WAITS_FOR_THE_HOST", "the cut waits for calls under way", "calls-in-cuts", "deadlock"),
    Fault("ATTEMPT_PARKS", "a fault is interrupted by a cut", "cuts", "isolation"),
    # The write fault.
    Fault("COPY_KEEPS_W", "the copied table keeps W", "calls", "isolation"),
    Fault("TABLE_WITHOUT_CAS", "the second copy replaces the first", "calls", "isolation"),
    Fault("COPY_AFTER_LINK", "linked before it is copied", "calls", "coherence"),
    Fault("W_BEFORE_FLUSH", "linked with W before all have flushed", "main", "coherence"),
    Fault("PAGE_WITHOUT_FLUSH", "no flush for a moved page", "calls", "reuse"),
    Fault("PAGE_FLUSHES_LAZILY", "nobody waits for that flush", "calls", "coherence"),
    Fault("WAITS_WITHOUT_FLUSHING", "waits for a lock, flushes nothing", "calls", "deadlock"),
    # Lives and limbo.
    Fault("BIRTH_TOO_LATE", "births are one epoch late", "cuts", "reuse"),
    Fault("HOLDS_TOO_LITTLE", "lives end one epoch early", "calls", "reuse"),
    Fault("RELEASE_FREES_ALL", "an older snapshot's frames are freed", "places", "reuse"),
    Fault("HOLDER_IS_CHOSEN_EARLY", "given to a snapshot that is gone", "calls", "reclaim"),
    Fault("NO_LIMBO", "free before all TLBs have left it", "main", "reuse"),
    Fault("RELEASED_IN_USE", "released while somebody looks", "visitors", "reuse"),
    Fault("VIEW_WITHOUT_FLUSH", "another CR3, the same TLB", "calls", "reuse"),
    Fault("NO_INTERRUPTS", "only entries flush", "for-ever", "cycle"),
    # Calls of the host's.
    Fault("WALKS_OUTSIDE", "nobody waits for a look-up", "calls", "isolation"),
    Fault("WRITE_IS_NOT_NOTED", "a cut does not know of a write", "calls", "isolation"),
    Fault("WRITTEN_IS_SHARED", "a cut shares what is written", "calls", "isolation"),
    Fault("SNAPSHOT_KEEPS_WRITTEN", "main gets the copy", "calls", "coherence"),
    Fault("READ_IS_NOT_NOTED", "handed out while the host reads", "calls", "reuse"),
    Fault("WAITING_IS_FORGOTTEN", "not freed when the call ends", "calls", "reclaim"),
)
