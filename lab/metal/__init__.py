# SPDX-License-Identifier: BSD-2-Clause
"""``make metal``: everything at full speed on real VT-x or SVM, or a refusal."""
