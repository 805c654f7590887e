# SPDX-License-Identifier: LGPL-2.1-or-later
"""`xstack log --until-crash` in dom0 while a guest lives and dies: on its console as it comes, and on the log that xenconsoled writes of
it. Both must end by themselves, with exit status 10 and the report of the panic."""
import json
import time

SECONDS = 60  # from the end of the panic on, before patience


class Watchers:
    def __init__(self, dom0, guest):
        self.dom0, self.guest = dom0, guest
        log = f"/r/console/guest-{guest.name}.log"
        # A named pipe is what a shell makes of <(xl console NAME): nobody waits for xl, which ends with the domain.
        dom0.run(f"rm -f /tmp/watch.*; mkfifo /tmp/watch.fifo; (xl console {guest.name} >/tmp/watch.fifo & echo $! >/tmp/watch.xl; wait) >/dev/null 2>&1 &\n"
                 f"(xstack log --json --until-crash /tmp/watch.fifo >/tmp/watch.console 2>&1; echo $? >/tmp/watch.console.rc) >/dev/null 2>&1 &\n"
                 f"(until [ -e {log} ]; do sleep 1; done; xstack log --json --follow --until-crash {log} >/tmp/watch.log 2>&1; "
                 f"echo $? >/tmp/watch.log.rc) >/dev/null 2>&1 &", check=True)

    def judge(self, result):
        end = time.monotonic() + SECONDS * self.dom0.patience
        while self.dom0.run("[ -e /tmp/watch.console.rc ] && [ -e /tmp/watch.log.rc ]").status and time.monotonic() < end:
            time.sleep(1)
        for what, name in (("xl console", "console"), ("xenconsoled's log", "log")):
            run = self.dom0.run(f"cat /tmp/watch.{name}.rc; cat /tmp/watch.{name}")
            status, _, text = run.out.partition("\n")
            kinds = []
            try:
                kinds = [json.loads(line)["kind"] for line in text.splitlines()]
            except ValueError:
                pass
            result.notes.append(f"watched by {what}: exit status {status or 'none'}, reports: {', '.join(kinds) or text.strip()[-200:] or 'none'}")
            if run.status or status != "10" or "panic" not in kinds:
                result.faults.append(f"xstack log --until-crash of {what}: exit status {status or 'none'}, {kinds or text.strip()[-200:]}")
        self.dom0.run("kill $(cat /tmp/watch.xl)")
