# SPDX-License-Identifier: BSD-2-Clause
"""Whole Debian systems, installed and configured: what a user has, where guests are bare.

A guest of ``lab.image`` is a kernel and an initramfs, up in two seconds, with nothing in it that is
not under test. Packages, DKMS, boot loaders and Ansible need the real thing.
"""
