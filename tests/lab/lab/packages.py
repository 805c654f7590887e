# SPDX-License-Identifier: LGPL-2.1-or-later
"""Debian packages of any release and architecture, unpacked into folders; the machine's own packages are not touched."""
import re
from pathlib import Path

from .util import SCRATCH, LabError, say, sh

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def mirror():
    """The archive that this machine uses itself."""
    files = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]
    for file in files:
        if not file.is_file():
            continue
        for line in file.read_text(errors="replace").splitlines():
            found = re.match(r"(?:URIs:|deb(?:\s+\[[^]]*\])?)\s+(\S+/debian)/?(?:\s|$)", line)
            if found and "security" not in found.group(1):
                return found.group(1)
    raise LabError("no Debian archive is named in /etc/apt: the lab takes its packages from the one this machine uses")


class Archive:
    """One release for one architecture, with an apt state of its own."""

    def __init__(self, suite, arch):
        self.suite, self.arch = suite, arch
        self.state = SCRATCH / "apt" / f"{suite}-{arch}"

    def options(self):
        etc = self.state / "etc"
        pairs = {
            "Dir::State": self.state, "Dir::State::Lists": self.state / "lists", "Dir::State::status": self.state / "status",
            "Dir::Cache": self.state / "cache", "Dir::Etc::SourceList": etc / "sources.list", "Dir::Etc::SourceParts": "/dev/null",
            "Dir::Etc::Preferences": "/dev/null", "Dir::Etc::PreferencesParts": "/dev/null", "APT::Architecture": self.arch,
            "APT::Architectures": self.arch, "APT::Install-Recommends": "0", "Debug::NoLocking": "1", "APT::Sandbox::User": "root",
        }
        return [word for key, value in pairs.items() for word in ("-o", f"{key}={value}")]

    def prepare(self):
        for folder in ("lists/partial", "cache/archives/partial", "etc"):
            (self.state / folder).mkdir(parents=True, exist_ok=True)
        (self.state / "status").write_text("")
        (self.state / "etc/sources.list").write_text(f"deb [signed-by={KEYRING}] {mirror()} {self.suite} main\n")
        if not list((self.state / "lists").glob("*Packages*")):
            sh(["apt-get", *self.options(), "update", "-qq"])

    def files(self, packages, depends):
        """Downloads the packages (with all they depend on) and returns the .deb files."""
        self.prepare()
        cache = self.state / "cache/archives"
        if not depends:
            # The packages alone, but through any metapackage that names the real ones (linux-image-arm64 -> its newest version).
            packages = [real for name in packages for real in self.real(name)]
            sh(["apt-get", *self.options(), "download", "-qq", *packages], cwd=cache)
            found = [max(cache.glob(f"{name}_*.deb"), key=lambda p: p.stat().st_mtime) for name in packages]
            return found
        sh(["apt-get", *self.options(), "install", "-y", "-qq", "--download-only", *packages])
        uris = sh(["apt-get", *self.options(), "-o", "Dir::Cache::archives=/nonexistent", "install", "-y", "-qq", "--print-uris", *packages])
        return [cache / line.split()[1] for line in uris.splitlines() if ".deb" in line]

    def real(self, name):
        shown = sh(["apt-cache", *self.options(), "show", "--no-all-versions", name])
        if re.search(r"^Section: .*metapackages", shown, re.M) or re.search(r"\(meta-?package\)", shown):
            depends = re.search(r"^Depends: (.*)$", shown, re.M)
            return [re.match(r"\s*(\S+)", part).group(1) for part in depends.group(1).split(",")
                    if re.match(r"\s*linux-(image|headers)-", part)]
        return [name]


def root(tag, suite, arch, packages, depends=True):
    """The folder into which the packages are unpacked; done once."""
    folder = SCRATCH / "roots" / f"{suite}-{arch}-{tag}"
    stamp = folder.with_name(folder.name + ".ok")
    if stamp.exists():
        return folder
    say(f"packages: {suite} {arch} {' '.join(packages)}")
    folder.mkdir(parents=True, exist_ok=True)
    for file in Archive(suite, arch).files(packages, depends):
        sh(["dpkg", "-x", file, folder])
    stamp.touch()
    return folder


def kernel(folder, flavour):
    """(version, image file, module folder) of the kernel in an unpacked root whose name ends in the flavour."""
    found = []
    for base in (folder / "lib/modules", folder / "usr/lib/modules"):
        for modules in base.glob(f"*-{flavour}"):
            image = folder / "boot" / f"vmlinuz-{modules.name}"
            if not image.exists():
                image = modules / "vmlinuz"
            if image.exists():
                found.append((modules.name, image, modules))
    if not found:
        raise LabError(f"no kernel *-{flavour} in {folder}")
    return max(found, key=lambda k: [int(n) for n in re.findall(r"\d+", k[0])])
