# SPDX-License-Identifier: BSD-2-Clause
"""The documentation that is made from code: pages of the site, and the manual pages.

Nothing of it is committed. ``hook`` hands the pages to MkDocs while it builds; ``manual`` writes
the manual pages. What people write is in ``docs/``.
"""
