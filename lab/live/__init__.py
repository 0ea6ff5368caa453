# SPDX-License-Identifier: BSD-2-Clause
"""Commands on machines that run, whoever started them."""
