# SPDX-License-Identifier: BSD-2-Clause
"""Models of protocols in Promela: their sizes, the faults that are put into them, the searches."""
