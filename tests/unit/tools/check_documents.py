#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Holds --help, the man page and both completions against each other: check_documents.py XSTACK TOOLS_FOLDER.

Every option and subcommand that --help shows must stand in each of the others, and nothing else may."""
import os
import re
import subprocess
import sys


def read(*parts):
    with open(os.path.join(*parts), encoding="utf-8") as file:
        return file.read()


def from_help(text):
    options, commands = {}, set()
    for line in text.splitlines():
        found = re.match(r"  (?:-(\w), |    )--([\w-]+)( [A-Z]+)?(?: |$)", line)
        if found:
            options[found[2]] = (found[1], found[3] is not None)
        found = re.match(r"  ([a-z][a-z-]*) {3,}\S", line)
        if found:
            commands.add(found[1])
    return options, commands


def from_man(text):
    """Options are tagged paragraphs of OPTIONS, subcommands those of SUBCOMMANDS."""
    options, commands = {}, set()
    section = ""
    lines = text.replace("\\-", "-").splitlines()
    for number, line in enumerate(lines):
        if line.startswith(".SH"):
            section = line[4:].strip('"')
        if number == 0 or lines[number - 1] != ".TP":
            continue
        plain = re.sub(r"\\f[BIR]|^\.[BIR]+ ", "", line)
        if section == "OPTIONS":
            found = re.match(r"(?:-(\w), )?--([\w-]+)( \w+)?$", plain.strip())
            if not found:
                sys.exit(f"man page, OPTIONS: not understood: {line}")
            options[found[2]] = (found[1], found[3] is not None)
        elif section == "SUBCOMMANDS":
            commands.add(plain.split()[0])
    return options, commands


def words_of(text, name):
    """The words of the shell variable `name`: name='a b' or name="a b", over several lines."""
    found = re.search(name + r"=(['\"])(.*?)\1", text, re.S)
    if not found:
        sys.exit(f"bash completion: no {name}")
    return set(found[2].split())


def from_bash(text):
    plain, valued = words_of(text, "flags"), words_of(text, "valued")
    shorts = {w[1:] for w in plain | valued if re.fullmatch(r"-\w", w)}
    options = {w[2:]: w in valued for w in plain | valued if w.startswith("--")}
    return options, shorts, words_of(text, "commands")


def from_zsh(text):
    options, shorts = {}, set()
    for spec in re.findall(r"^    (?:'\*')?(?:\{(-[^}]*)\}'|'(--[\w-]+=?))\[", text, re.M):
        for name in (spec[0] or spec[1]).split(","):
            if name.startswith("--"):
                options[name[2:].rstrip("=")] = name.endswith("=")
            else:
                shorts.add(name[1:].rstrip("+"))
    commands = set(re.findall(r"^\s+'([a-z][a-z-]*):", text, re.M))
    return options, shorts, commands


def main():
    xstack, tools = sys.argv[1:]
    help_text = subprocess.run([xstack, "--help"], stdout=subprocess.PIPE, check=True, text=True).stdout
    options, commands = from_help(help_text)
    if len(options) < 20 or len(commands) < 5:
        sys.exit(f"--help: only {len(options)} options and {len(commands)} subcommands understood")
    bad = []

    def same(where, what, expected, got):
        if expected != got:
            expected, got = (set(e.items()) if isinstance(e, dict) else e for e in (expected, got))
            bad.append(f"{where}: {what}: missing {sorted(expected - got, key=str)}, extra "
                       f"{sorted(got - expected, key=str)}")

    man_options, man_commands = from_man(read(tools, "man", "xstack.1"))
    same("man page", "options", options, man_options)
    same("man page", "subcommands", commands, man_commands)
    valued = {name: has_value for name, (_, has_value) in options.items()}
    shorts = {short for short, _ in options.values() if short}
    for where, found in (("bash", from_bash(read(tools, "completions", "xstack.bash"))),
                         ("zsh", from_zsh(read(tools, "completions", "_xstack")))):
        same(where, "long options", valued, found[0])
        same(where, "short options", shorts, found[1])
        same(where, "subcommands", commands, found[2])
    print("\n".join(bad) if bad else f"{len(options)} options and {len(commands)} subcommands agree everywhere")
    return 1 if bad else 0


sys.exit(main())
