# SPDX-License-Identifier: BSD-2-Clause
"""Settings of all unit tests."""

from hypothesis import settings

# Its limit of 200 ms for an example measures the host, which may be busy with machines.
settings.register_profile("lab", deadline=None)
settings.load_profile("lab")
