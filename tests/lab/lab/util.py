# SPDX-License-Identifier: LGPL-2.1-or-later
"""What every part of the lab needs: where scratch data lies, how commands run, how progress is told."""
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
TARGET = HERE / "target"
SCRATCH = Path(os.environ.get("XSTACK_LAB") or Path.home() / ".cache" / "xstack-lab")
START = time.monotonic()


class LabError(Exception):
    """The lab itself could not do its work; says nothing about xstack."""


def say(text):
    print(f"[{time.monotonic() - START:5.0f}s] {text}", file=sys.stderr, flush=True)


def sh(argv, **kwargs):
    """Run a command; its output is kept and shown only when it fails."""
    done = subprocess.run([str(a) for a in argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **kwargs)
    if done.returncode:
        raise LabError(f"{' '.join(str(a) for a in argv)}: exit status {done.returncode}\n{done.stdout[-2000:]}")
    return done.stdout


def need(*tools):
    """tools: (command or file, Debian package). Installs what is missing when it can, says so when it cannot."""
    missing = sorted({package for command, package in tools if not (Path(command).exists() if "/" in command else shutil.which(command))})
    if not missing:
        return
    if os.geteuid() == 0:
        say("installing " + " ".join(missing))
        sh(["apt-get", "install", "-y", "--no-install-recommends", "-qq", *missing])
        return
    raise LabError("missing on this machine; run: apt-get install " + " ".join(missing))
