# SPDX-License-Identifier: LGPL-2.1-or-later
"""The lab: real Xen under QEMU. See ../README.md."""
