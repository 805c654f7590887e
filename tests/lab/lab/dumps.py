# SPDX-License-Identifier: LGPL-2.1-or-later
"""`xstack dump` and `xstack gdb` of a guest in dom0: the dump must give the trace that the domain gives, and a debugger the same registers."""
import json
import os
import re
import subprocess

SECRETS = {"a process": "LAB-SECRET-IN-PROCESS.", "a file": "LAB-SECRET-IN-FILE"}  # what the guest's init leaves in a process and in a tmpfs
FORMS = {"elf": "", "redacted": "--redact", "kdump": "--format kdump", "xl": "--format xl"}
REGISTERS = {"arm32": ("pc", "sp", 4, 15, 13), "arm64": ("pc", "sp", 8, 32, 31), "x86_64": ("rip", "rsp", 8, 16, 7)}


def comparable(report):
    """Without where the memory came from, and how it was read."""
    report["guest"].pop("source", None)
    report.pop("capture", None)
    return report


def traces(report):
    return [(vcpu["id"], vcpu.get("frames"), vcpu.get("ended")) for vcpu in report.get("vcpus", [])]


def occurrences(path, text):
    """How often `text` is in the file."""
    count, tail = 0, b""
    wanted = text.encode()
    with open(path, "rb") as file:
        while block := file.read(1 << 22):
            data = tail + block
            count += data.count(wanted)
            tail = data[-(len(wanted) - 1):]
    return count


def take(look, host_xstack, keep=None):
    """Every form of dump of a stopped guest, written in dom0; read here."""
    dom0, guest, result = look.dom0, look.guest, look.result
    live = comparable(json.loads((look.folder / "stopped.json").read_text()))
    if guest.kind == "pv":
        # The peer, in the same run, to the same file system.
        status, _, error = look.timed("xl dump-core", f"xl dump-core {guest.name} /tmp/xl.core", "xl-dump-core.txt", 900)
        size = dom0.run("stat -c %s /tmp/xl.core; rm -f /tmp/xl.core").out.strip()
        result.notes.append(f"xl dump-core: exit status {status}, {size} bytes {error.strip()[-200:]}")
    for form, option in FORMS.items():
        name = f"{guest.name}-{form}"
        before = look.paused()
        status, text, error = look.timed(f"dump, {form}", f"xstack dump {option} {guest.name} -o /tmp/{name}", f"dump-{form}.txt", 900)
        if look.paused() != before:
            result.faults.append(f"dump, {form}: the domain was {'paused' if before else 'running'} and is not any more")
        if form == "kdump" and guest.kind == "pv":
            if status == 0:
                result.faults.append("dump, kdump: a PV guest was not refused")
            continue
        if status not in (0, 1):
            result.faults.append(f"dump, {form}: exit status {status}: {error.strip()[-300:]}")
            continue
        result.notes.append(f"dump, {form}: {text.strip()} {error.strip()[-200:]}")
        # Copied with its holes: cp knows them, the shared folder does not.
        dom0.run(f"cp /tmp/{name} /r/out/{name}; rm /tmp/{name}", 900, check=True)
        file = dom0.share / "out" / name
        result.figures[f"dump, {form}"]["bytes"] = file.stat().st_size
        if form == "redacted":
            for where, secret in SECRETS.items():
                found = occurrences(file, secret)
                if found:
                    whole = result.figures["dump, elf"].get("secrets", {}).get(where)
                    result.faults.append(f"dump, redacted: what was in {where} is in the dump {found} times, of {whole}")
        elif form == "elf":
            result.figures["dump, elf"]["secrets"] = {where: occurrences(file, secret) for where, secret in SECRETS.items()}
        if host_xstack:
            done = subprocess.run([host_xstack, "--json", "--core", file], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            (look.folder / f"dump-{form}.json").write_text(done.stdout)
            try:
                again = comparable(json.loads(done.stdout))
            except ValueError:
                result.faults.append(f"dump, {form}: is not read: {done.stderr.strip()[-300:]}")
                again = None
            # xl's form has no place for the domain's state, nor for what Xen saves of HVM guests beside their contexts.
            part = traces if form == "xl" else lambda report: report.get("vcpus")
            if again is not None and part(again) != part(live):
                result.faults.append(f"dump, {form}: another trace than the domain's")
        if keep:
            keep.mkdir(parents=True, exist_ok=True)
            subprocess.run(["cp", "--sparse=always", file, keep / name], check=True)
        file.unlink()


def save(look, host_xstack):
    """`xl save` of a guest that lives, the last thing that is done to it: (the file here, or None). The guest suspends itself for that, so
    that its vCPUs are elsewhere than in any trace before: each must be traced to its end, in code that stops machines."""
    dom0, guest, result = look.dom0, look.guest, look.result
    run = dom0.run(f"xl unpause {guest.name}; xl save {guest.name} /tmp/save && cp /tmp/save /r/out/save; s=$?; rm -f /tmp/save; exit $s", 600)
    if run.status:
        result.notes.append(f"xl save: exit status {run.status}: {run.err.strip()[-200:]}")
        return None
    file = look.folder / "xl.save"
    os.replace(dom0.share / "out/save", file)
    done = subprocess.run([host_xstack, "--json", "--core", file], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    (look.folder / "save.json").write_text(done.stdout)
    try:
        vcpus = json.loads(done.stdout)["vcpus"]
    except ValueError:
        result.faults.append(f"xl save: is not read: exit status {done.returncode}: {done.stderr.strip()[-300:]}")
        return None
    for vcpu in vcpus:
        symbols = [frame.get("symbol") for frame in vcpu.get("frames", [])]
        whole = vcpu.get("ended") in ("end of stack", "user mode") and not any(f["found_by"] == "scan" for f in vcpu["frames"])
        result.notes.append(f"xl save: vCPU {vcpu['id']}: {len(symbols)} frames, {vcpu.get('ended')}: {' '.join(map(str, symbols[:4]))}")
        if not whole or not any("stop" in str(s) or "suspend" in str(s) for s in symbols):
            result.faults.append(f"xl save: vCPU {vcpu['id']}: not the trace of a suspended guest: {symbols}, {vcpu.get('ended')}")
    return file


def packet(text):
    return f"${text}#{sum(text.encode()) & 255:02x}".encode()


def debug(look):
    """A debugger's session, all packets at once: registers and memory of each vCPU, what must be refused, detach."""
    dom0, guest, result = look.dom0, look.guest, look.result
    live = json.loads((look.folder / "stopped.json").read_text())
    pc, sp, width, pc_at, sp_at = REGISTERS[live["guest"]["arch"]]
    vcpus = [v for v in live["vcpus"] if "registers" in v]
    questions = ["qSupported:swbreak+", "QStartNoAckMode", "?", "qfThreadInfo"]
    for vcpu in vcpus:
        questions += [f"Hg{vcpu['id'] + 1:x}", "g", f"m{int(vcpu['registers'][sp], 16):x},{width:x}"]
    questions += ["M0,1:00", "P0=00", "c", "s", "D"]
    (dom0.share / "out/packets").write_bytes(b"".join(map(packet, questions)))
    before = look.paused()
    run = dom0.run(f"xstack gdb --port - {guest.name} </r/out/packets >/r/out/replies", 300)
    replies = (dom0.share / "out/replies").read_text(errors="replace")
    answers = [re.sub(r"\*(.)", "", text) for text in re.findall(r"\$([^#]*)#", replies)]
    if look.paused() != before:
        result.faults.append("gdb: the domain's state changed")
    if run.status or len(answers) != len(questions):
        result.faults.append(f"gdb: exit status {run.status}, {len(answers)} answers to {len(questions)} packets: {run.err.strip()[-200:]}")
        return
    for i, vcpu in enumerate(vcpus):
        registers = answers[4 + 3 * i + 1]
        def value(index):
            return int.from_bytes(bytes.fromhex(registers[index * width * 2:(index + 1) * width * 2]), "little")
        for name, index in ((pc, pc_at), (sp, sp_at)):
            if value(index) != int(vcpu["registers"][name], 16):
                result.faults.append(f"gdb: {name} of vCPU {vcpu['id']} is {value(index):#x}, not {vcpu['registers'][name]}")
        if len(answers[4 + 3 * i + 2]) != 2 * width and vcpu.get("ended") != "user mode":
            result.faults.append(f"gdb: no memory at the stack pointer of vCPU {vcpu['id']}: {answers[4 + 3 * i + 2]}")
    refused = answers[-5:-1]
    if any(not text.startswith("E") for text in refused) or answers[-1] != "OK":
        result.faults.append(f"gdb: writes and steps got {refused}, detach {answers[-1]}")
    result.notes.append(f"gdb: {len(answers)} packets answered, registers and stacks of {len(vcpus)} vCPUs as in the trace, 4 writes and steps refused")
