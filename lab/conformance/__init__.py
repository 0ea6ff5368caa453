# SPDX-License-Identifier: BSD-2-Clause
"""Conformance of the hypervisor: what each engine cannot show, and one matrix of all of them."""
