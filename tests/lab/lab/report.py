# SPDX-License-Identifier: LGPL-2.1-or-later
"""The tables at the end."""
import dataclasses
import json


def cell(value, form="{}"):
    return form.format(value) if value is not None else "-"


def traces(results):
    lines = ["| guest | vCPU | judged by | agree | missing | wrong | above | guesses | ended |", "|---|---|---|---|---|---|---|---|---|"]
    for r in results:
        if r.skipped:
            lines.append(f"| {r.guest} | | not run: {r.skipped} | | | | | | |")
        for v in r.verdicts:
            lines.append(f"| {r.guest} | {v.vcpu} | {v.judge} | {v.agree} | {len(v.missing)} | {len(v.wrong)} | {v.above} | {v.guesses} | {v.ended} |")
    return "\n".join(lines)


KNOWN = ("modules", "tasks", "stacks", "log", "info")


def knowledge(results):
    """found of what is there, and whatever is wrong with it."""
    lines = ["| guest | asked | modules | tasks | other state | stacks equal | moved on | lines of the log | facts | `tasks`: pause, ms | s | MiB |",
             "|---|---|---|---|---|---|---|---|---|---|---|---|"]

    def count(v):
        if v is None or not (v.agree or v.missing or v.wrong or v.above):
            return "-"
        text = f"{v.agree} of {v.agree + len(v.missing)}"
        return text + (f", {len(v.wrong)} WRONG" if v.wrong else "")

    for r in results:
        for where in dict.fromkeys(v.where for v in r.knowledge):
            v = {x.vcpu: x for x in r.knowledge if x.where == where}
            stacks = v.get("stacks")
            there = stacks and stacks.agree + stacks.above + len(stacks.wrong)
            f = r.figures.get(f"tasks, {where}", {})
            equal = "-" if not there else f"{stacks.agree} of {there}" + (f", {len(stacks.wrong)} WRONG" if stacks.wrong else "")
            lines.append(f"| {r.guest} | {where} | {count(v.get('modules'))} | {count(v.get('tasks'))} | {cell(v['tasks'].above if 'tasks' in v else None)} | "
                         f"{equal} | {cell(stacks.above if there else None)} | {count(v.get('log'))} | {count(v.get('info'))} | "
                         f"{cell(None if f.get('pause_us') is None else f['pause_us'] / 1000, '{:.1f}')} | {cell(f.get('seconds'), '{:.2f}')} | "
                         f"{cell(None if not f.get('kib') else f['kib'] / 1024, '{:.1f}')} |")
    return "\n".join(lines) if len(lines) > 2 else ""


def costs(results):
    lines = ["| guest | pages | of which for the stacks | xstack, s | peak, MiB | running: pause, ms | pages | s | capture, KiB | xenctx -C -a -s, s | peak, MiB |",
             "|---|---|---|---|---|---|---|---|---|---|---|"]
    for r in results:
        f = r.figures
        stopped, live, xenctx, text = (f.get(k, {}) for k in ("stopped", "live", "xenctx", "text"))

        def milliseconds(run):
            return cell(None if run.get("pause_us") is None else run["pause_us"] / 1000, "{:.1f}")

        def peak(run):
            return cell(None if run.get("kib") is None else run["kib"] / 1024, "{:.1f}")

        size = f.get("capture", {}).get("bytes")
        lines.append(f"| {r.guest} | {cell(stopped.get('pages'))} | {cell(stopped.get('walk_pages'))} | {cell(text.get('seconds'), '{:.2f}')} | {peak(text)} | "
                     f"{milliseconds(live)} | {cell(live.get('pages'))} | {cell(live.get('seconds'), '{:.2f}')} | "
                     f"{cell(None if size is None else size / 1024, '{:.0f}')} | {cell(xenctx.get('seconds'), '{:.2f}')} | {peak(xenctx)} |")
    return "\n".join(lines)


def details(results):
    lines = []
    for r in results:
        for v in r.knowledge:
            if not v.right:
                lines.append(f"{r.guest}, {v.vcpu}, {v.where}:")
                lines += [f"  missing  {m}" for m in v.missing] + [f"  wrong    {w}" for w in v.wrong]
        for v in r.verdicts:
            if v.right:
                continue
            lines.append(f"{r.guest}, vCPU {v.vcpu} ({v.judge}):")
            lines += [f"  missing  {m}" for m in v.missing]
            lines += [f"  wrong    {w}" for w in v.wrong]
            lines += ["  the guest says:"] + [f"    {e}" for e in v.expected]
            lines += ["  xstack says:"] + [f"    {g}" for g in v.got] + [f"    ended: {v.ended}"]
        lines += [f"{r.guest}: {fault}" for fault in r.faults]
    return "\n".join(lines)


def write(results, folder):
    (folder / "results.json").write_text(json.dumps([dataclasses.asdict(r) for r in results], indent=1))
    text = "\n\n".join(part for part in (traces(results), knowledge(results), costs(results)) if part) + "\n"
    wrong = details(results)
    if wrong:
        text += "\n" + wrong + "\n"
    notes = [f"{r.guest}: {n}" for r in results for n in r.notes]
    if notes:
        text += "\n" + "\n".join(notes) + "\n"
    (folder / "results.txt").write_text(text)
    return text
