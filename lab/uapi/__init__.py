# SPDX-License-Identifier: BSD-2-Clause
"""Turns ``kern/uapi/dune.h`` into the tables of ``docs/uapi.md`` and the assertions of its layout.

``python -m lab.uapi`` writes both anew. The header is the source; nothing here is known of it but
the style it is written in.
"""
