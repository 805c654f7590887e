#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The network is used with --debuginfod and never without: network_test.py CAPTURE -- XSTACK...

A server of our own counts what it is asked. Without the option nothing may come, whatever the environment says; with it,
one request for the guest's build-id (where libdebuginfod is installed)."""
import http.server
import os
import re
import subprocess
import sys
import tempfile
import threading


class Server(http.server.BaseHTTPRequestHandler):
    asked = []

    def do_GET(self):
        Server.asked.append(self.path)
        self.send_error(404)

    def log_message(self, *_):
        pass


def main():
    split = sys.argv.index("--")
    capture, xstack = sys.argv[1], sys.argv[split + 1:]
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "DEBUGINFOD_URLS": f"http://127.0.0.1:{server.server_port}/", "HOME": folder,
                       "DEBUGINFOD_CACHE_PATH": folder, "XDG_CACHE_HOME": folder, "no_proxy": "127.0.0.1",
                       # A report of what the client library leaks would be symbolized by a program that asks as well.
                       "ASAN_OPTIONS": "detect_leaks=0"}
        command = [*xstack, "--debug-dir", folder, "--core", capture]

        def run(*options):
            return subprocess.run([*command, *options], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  check=False, text=True, errors="replace")

        run()
        if Server.asked:
            sys.exit(f"asked without --debuginfod: {Server.asked}")
        done = run("--debuginfod")
        if "debuginfod: " not in done.stdout:
            sys.exit("a server that has nothing is not mentioned:\n" + done.stdout[-2000:])
        if "not installed" in done.stdout:
            print("libdebuginfod is not installed here")
            sys.exit(77)
        if len(Server.asked) != 1 or not re.fullmatch(r"/buildid/[0-9a-f]{40}/debuginfo", Server.asked[0]):
            sys.exit(f"not one request for the guest's build-id: {Server.asked}")


main()
