# SPDX-License-Identifier: LGPL-2.1-or-later
"""Xen's debug keys, typed on its serial console. `xl debug-keys d` finds dom0 on the CPU that runs xl; a key that is typed arrives by
interrupt, so that Xen shows whoever runs there: a guest that keeps its CPU busy, too."""
import time

from .util import say

SWITCH = b"\x01\x01\x01"  # Ctrl-A three times: what is typed goes to Xen in place of dom0, and back
TRIES = 30                # until the guest is seen on a CPU: dom0 wakes up to look for commands, and the lab's may still run


def text_since(dom0, start):
    return dom0.serial.read_bytes()[start:].decode(errors="replace")


def press(dom0, key, answer):
    """Types, waits for Xen's first words and until it says no more; returns where in the log they begin."""
    start = dom0.serial.stat().st_size
    dom0.type(key)
    dom0.wait(lambda: answer in text_since(dom0, start), 30, f"{answer!r} of Xen")
    end, size = time.monotonic() + 1, 0
    while time.monotonic() < end:
        time.sleep(0.1)
        if size != dom0.serial.stat().st_size:
            end, size = time.monotonic() + 1, dom0.serial.stat().st_size
    return start


def keep(dom0, guest, domid, folder, when):
    """keys-WHEN.log: what Xen prints for d, q and 0, as a pipeline has it. While a guest runs that is never idle, d is typed until
    Xen finds on a CPU the vCPU that is kept busy."""
    press(dom0, SWITCH, "Serial input to Xen")
    busy = when == "running" and guest.way != "idle"
    vcpu = "1" if guest.way in ("spin", "user", "read") else ""  # see target/domu-init.sh
    for left in reversed(range(TRIES if busy else 1)):
        start = press(dom0, b"d", "'d' pressed")
        if f"guest state (d{domid}v{vcpu}" in text_since(dom0, start):
            break
        if busy and not left:
            say(f"{guest.name}: Xen never found it on a CPU when d was typed")
    for key in "q0":
        press(dom0, key.encode(), f"'{key}' pressed")
    text = text_since(dom0, start)
    press(dom0, SWITCH, "Serial input to DOM0")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"keys-{when}.log").write_text(text)
