# SPDX-License-Identifier: BSD-2-Clause
"""What a test is worth: passed, or which of six ways it went wrong.

Pure: bytes and facts in, reports and a verdict out.
"""
