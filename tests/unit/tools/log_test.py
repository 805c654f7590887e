#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""`xstack log` as pipelines and terminals meet it: log_test.py XSTACK LOGS RECIPES.

A terminal gets no control characters from a log; JUnit files have the shape that CI systems read; the shell lines of
docs/ci-recipes.md, taken from there, do what stands beside them."""
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import unittest
import xml.etree.ElementTree as ET

XSTACK, LOGS, RECIPES = (os.path.abspath(a) for a in sys.argv[1:4])
ENVIRONMENT = dict(os.environ, PATH=os.path.dirname(XSTACK) + os.pathsep + os.environ["PATH"])


def log(name):
    return os.path.join(LOGS, name + ".log")


def blocks(heading):
    """The indented blocks of a section of the recipes, without what YAML has round shell lines."""
    with open(RECIPES, encoding="utf-8") as file:
        section = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", file.read(), re.M | re.S).group(1)
    return [textwrap.dedent(b) for b in re.findall(r"(?:^    .*\n(?:^\n(?=    ))?)+", section, re.M)]


class Folder(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def shell(self, script):
        return subprocess.run(["bash", "-c", script], cwd=self.folder, env=ENVIRONMENT, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False)

    def signature(self, name):
        out = subprocess.run([XSTACK, "log", "--json", log(name)], stdout=subprocess.PIPE, check=False).stdout
        return json.loads(out.splitlines()[0])["signature"]


class Pipe(Folder):
    """Long text without a report goes into a pipe straight from its file: what comes out is the same."""

    def setUp(self):
        super().setUp()
        with open(log("clean-arm64-xen-dom0"), "rb") as file:
            clean = file.read() * (600_000 // os.path.getsize(log("clean-arm64-xen-dom0")))
        with open(log("arm64-oops"), "rb") as file:
            oops = file.read()
        self.text = clean + oops + b"short\n" + oops + clean + clean[:200_000] + oops + clean[:150_001]
        with open(self.path("log"), "wb") as file:
            file.write(self.text)

    def out(self, stdin=None, files=()):
        return subprocess.run([XSTACK, "log", *files], stdin=stdin, stdout=subprocess.PIPE, check=False).stdout

    def test_a_file(self):
        self.assertEqual(self.out(files=[self.path("log")]), self.text)
        with open(self.path("out"), "wb") as out:
            subprocess.run([XSTACK, "log", self.path("log")], stdout=out, check=False)
        with open(self.path("out"), "rb") as out:
            self.assertEqual(out.read(), self.text)

    def test_several(self):
        self.assertEqual(self.out(files=[self.path("log"), log("arm64-oops"), self.path("log")]).count(self.text), 2)

    def test_standard_input_from_its_middle(self):
        for skip in (0, 1, 7, 4096, 300_000):
            with open(self.path("log"), "rb") as file:
                os.lseek(file.fileno(), skip, os.SEEK_SET)
                self.assertEqual(self.out(stdin=file), self.text[skip:])

    def test_from_pipe_to_pipe(self):
        with subprocess.Popen(["cat", self.path("log")], stdout=subprocess.PIPE) as cat:
            self.assertEqual(self.out(stdin=cat.stdout), self.text)

    def test_a_compressed_file(self):
        subprocess.run(["gzip", self.path("log")], check=True)
        self.assertEqual(self.out(files=[self.path("log.gz")]), self.text)

    def test_a_pipe_that_does_not_block(self):
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        with subprocess.Popen([XSTACK, "log", self.path("log")], stdout=writer, stderr=subprocess.PIPE) as run, open(reader, "rb") as file:
            os.close(writer)
            time.sleep(0.1)  # until it is full
            self.assertEqual(file.read(), self.text)
            self.assertEqual((run.wait(), run.stderr.read()), (10, b""))

    def test_a_reader_that_goes(self):
        run = self.shell(f"set -o pipefail; xstack log {self.path('log')} | head -c 100 >/dev/null; echo ${{PIPESTATUS[0]}}")
        self.assertEqual(run.stdout, b"10\n")


class Live(Folder):
    """What is still being written: a file that grows, a pipe."""

    def setUp(self):
        super().setUp()
        with open(log("arm64-oops"), "rb") as file:
            self.oops = file.read()
        self.oops = self.oops[:self.oops.index(b"Code:")]  # and so without an end
        self.oops = self.oops[:self.oops.rindex(b"\n") + 1]
        with open(log("clean-arm64-xen-dom0"), "rb") as file:
            self.clean = file.read()

    def append(self, data):
        with open(self.path("log"), "ab") as file:
            file.write(data)

    def start(self, *options, name="log", **how):
        run = subprocess.Popen([XSTACK, "log", *options, self.path(name) if name else "-"], stdout=subprocess.PIPE, **how)
        self.addCleanup(run.stdout.close)
        self.addCleanup(run.wait)
        self.addCleanup(run.kill)
        limit = threading.Timer(60, run.kill)  # so that what never comes is not waited for
        limit.start()
        self.addCleanup(limit.cancel)
        return run

    def read(self, run, size):
        """So many bytes of its output, as they come."""
        out = b""
        while len(out) < size and (piece := os.read(run.stdout.fileno(), size - len(out))):
            out += piece
        return out

    def test_a_signal_ends_it_like_an_end(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self.append(self.clean + self.oops)
            size = os.path.getsize(self.path("log"))
            run = self.start("--follow", "--junit", self.path("junit.xml"))
            self.assertEqual(len(self.read(run, size - len(self.oops))), size - len(self.oops))
            run.send_signal(number)
            self.assertEqual(self.read(run, len(self.oops) + 1), self.oops)
            self.assertEqual(run.wait(), 10)
            self.assertEqual(len(ET.parse(self.path("junit.xml")).getroot().findall("*/testcase/failure")), 1)
            os.unlink(self.path("log"))
            os.unlink(self.path("junit.xml"))

    def test_an_ignored_signal_stays_ignored(self):
        self.append(self.clean)
        run = self.start("--follow", preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        self.read(run, len(self.clean))
        run.send_signal(signal.SIGHUP)
        time.sleep(0.5)  # it would be gone by now
        self.append(b"more\n")
        self.assertEqual(self.read(run, 5), b"more\n")

    def test_rotated(self):
        self.append(self.clean)
        run = self.start("--follow", "--until-crash")
        self.assertEqual(self.read(run, len(self.clean)), self.clean)
        os.rename(self.path("log"), self.path("log.1"))
        with open(self.path("log.1"), "ab") as file:
            file.write(b"last\n")
        self.append(b"first\n")  # another file of that name
        self.assertEqual(self.read(run, 11), b"last\nfirst\n")
        os.truncate(self.path("log"), 0)
        self.append(b"new\n")
        self.assertEqual(self.read(run, 4), b"new\n")
        self.append(self.oops + b"[   30.000000] Kernel panic - not syncing: x\n[   30.000001] ---[ end Kernel panic - not syncing: x ]---\n")
        self.assertIn(b"end Kernel panic", run.stdout.read())
        self.assertEqual(run.wait(), 10)

    def test_a_pipe_is_not_waited_for(self):
        run = self.start(name=None, stdin=subprocess.PIPE)
        run.stdin.write(self.clean + self.oops)
        run.stdin.flush()
        self.assertEqual(self.read(run, len(self.clean)), self.clean)
        before = time.monotonic()
        self.assertEqual(self.read(run, len(self.oops)), self.oops)
        self.assertGreater(time.monotonic() - before, 1)  # it was held until it was clear that no more comes
        run.stdin.write(b"later\n")
        run.stdin.close()
        self.assertEqual(run.stdout.read(), b"later\n")
        self.assertEqual(run.wait(), 10)

    def test_until_the_first_crash_of_several_logs(self):
        run = subprocess.run([XSTACK, "log", "--json", "--until-crash", log("clean-amd64-xen"), log("arm64-warning"), log("kasan"), log("arm64-oops")],
                             stdout=subprocess.PIPE, check=False)
        self.assertEqual([json.loads(line)["kind"] for line in run.stdout.splitlines()], ["warning", "kasan"])
        self.assertEqual(run.returncode, 10)

    def test_nobody_reads_it(self):
        self.append(self.clean)
        run = self.start("--follow")
        self.read(run, len(self.clean))
        run.stdout.close()
        self.assertEqual(run.wait(timeout=30), 0)


class Terminal(Folder):
    def test_nothing_of_a_log_steers_it(self):
        hostile = b"".join(bytes([c]) for c in range(256) if c != 10)
        with open(self.path("log"), "wb") as file:
            file.write(b"plain \x1b[2J\x1b]0;title\x07\x9b31m\n" + hostile + b"\n[    1.000000] Kernel panic - not syncing: " +
                       hostile + b"\nCall trace:\n f\x1b[31m+0x10/0x20 [m\x07]\n(XEN) Domain 1 (vcpu#0) crashed on cpu#1: \x1b[5m\nend \xff\x1b")
        for options in ([], ["--only"], ["--json"], ["--summary"], ["--verbose"]):
            pid, terminal = pty.fork()
            if pid == 0:
                os.execv(XSTACK, [XSTACK, "log", *options, self.path("log")])
            said = b""
            try:
                while piece := os.read(terminal, 65536):
                    said += piece
            except OSError:
                pass  # Linux: the other side is closed
            os.close(terminal)
            os.waitpid(pid, 0)
            self.assertTrue(said, options)
            bad = sorted({c for c in said if not 0x20 <= c < 0x7f and c not in b"\r\n\t"})
            self.assertEqual(bad, [], options)
            self.assertNotIn(b"\r", said.replace(b"\r\n", b""), options)


class Junit(Folder):
    def test_shape(self):
        names = ["kasan", "arm64-warning", "clean-amd64-xen", "not-utf8", "warning-then-panic"]
        xml = self.path("junit.xml")
        run = subprocess.run([XSTACK, "log", "--junit", xml, *map(log, names)], stdout=subprocess.DEVNULL, check=False)
        self.assertEqual(run.returncode, 10)
        root = ET.parse(xml).getroot()
        self.assertEqual(root.tag, "testsuites")
        self.assertEqual([s.get("name") for s in root], ["xstack log " + log(n) for n in names])
        for suite in root:
            tags = [child.tag for child in suite]
            cases = suite.findall("testcase")
            self.assertEqual(tags, ["testcase"] * len(cases) + ["system-out"] * (len(tags) - len(cases)))
            self.assertEqual(int(suite.get("tests")), len(cases))
            self.assertGreater(len(cases), 0)
            self.assertEqual(int(suite.get("failures")), len(suite.findall("testcase/failure")))
            self.assertEqual(int(suite.get("errors")), 0)
            for case in cases:
                self.assertTrue(case.get("name") and case.get("classname"))
                for failure in case:
                    self.assertEqual(failure.tag, "failure")
                    self.assertTrue(failure.get("type") and failure.get("message") is not None and failure.text)
        self.assertEqual([int(s.get("failures")) for s in root], [1, 0, 0, 1, 1])
        self.assertIn("reached", root[2].findtext("system-out"))


class Recipes(Folder):
    def put(self, name, *parts):
        with open(self.path(name), "wb") as out:
            for part in parts:
                with open(log(part), "rb") as file:
                    out.write(file.read())

    def test_github(self):
        script = "set -e\n" + textwrap.dedent(blocks("GitHub Actions")[0].split("run: |\n")[1].split("- uses:")[0])
        for expected, name, status in (("", "kasan", 1), (self.signature("kasan") + "  so it is\n", "kasan", 0), ("", "clean-amd64-xen", 0)):
            with open(self.path("expected.txt"), "w", encoding="utf-8") as file:
                file.write(expected)
            self.put("console.log", name)
            self.assertEqual(self.shell(script).returncode, status, (expected, name))
            ET.parse(self.path("xstack.xml"))

    def test_gitlab(self):
        text = blocks("GitLab CI")[0]
        command = re.search(r"- (xstack log .*)", text).group(1)
        codes = int(re.search(r"exit_codes: (\d+)", text).group(1))
        with open(self.path("System.map"), "w", encoding="utf-8") as file:
            file.write("ffff800008000000 T _stext\nffff800009000000 T _etext\n")
        self.put("console.log", "arm64-oops")
        for expected, status in (("", 10), (self.signature("arm64-oops"), codes)):
            with open(self.path("expected.txt"), "w", encoding="utf-8") as file:
                file.write(expected + "\n")
            self.assertEqual(self.shell(command).returncode, status)
        self.assertGreater(os.path.getsize(self.path("annotated.log")), 0)

    def test_lava(self):
        self.put("lava-output.yaml", "prefix-lava")
        self.assertEqual(self.shell(blocks("KernelCI and LAVA")[0]).returncode, 10)
        with open(self.path("crashes.jsonl"), encoding="utf-8") as file:
            self.assertEqual([json.loads(line)["kind"] for line in file], ["panic"])

    def test_a_folder_of_logs(self):
        os.mkdir(self.path("logs"))
        for i in range(60):
            self.put(f"logs/{i}.log", ("kasan", "clean-amd64-xen", "x86-oops", "prefix-d3")[i % 4])
        run = self.shell(blocks("A folder of a thousand logs")[0])
        self.assertEqual((run.returncode, run.stdout), (0, b""))
        with open(self.path("crashes.jsonl"), encoding="utf-8") as file:
            reports = [json.loads(line) for line in file]
        # What the recipe's first query asks.
        counts = {}
        for report in reports:
            if not report["known"]:
                counts[report["signature"]] = counts.get(report["signature"], 0) + 1
        self.assertEqual(sorted(counts.values()), [15, 15, 15])
        # And its second.
        oops = [f["symbol"] for r in reports if r["kind"] == "oops" for f in r["frames"]]
        self.assertEqual(oops.count("lab_inner"), 15)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
