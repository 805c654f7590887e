// SPDX-License-Identifier: LGPL-2.1-or-later
#include "logs/boot_progress.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/unit/logs/collector.h"

namespace xstack {
namespace {

std::string reached(const std::string& log) {
  test::Collector found;
  logs::Scanner scanner(found);
  scanner.feed(log);
  scanner.finish();
  return scanner.progress().text();
}

TEST(BootProgress, OneStepAfterTheOther) {
  const std::vector<std::pair<std::string, std::string>> steps = {
      {"U-Boot SPL 2023.01+dfsg-2 (Jan 01 2023 - 00:00:00 +0000)\n", "U-Boot SPL"},
      {"U-Boot 2023.01+dfsg-2 (Jan 01 2023 - 00:00:00 +0000) Allwinner Technology\n", "U-Boot"},
      {"Starting kernel ...\n", "U-Boot, which started the kernel"},
      {"(XEN) Xen version 4.17.5 (Debian 4.17.5+23-ga4e5191dc0-1) debug=n\n", "Xen"},
      {"(XEN) *** LOADING DOMAIN 0 ***\n", "Xen, which loads domain 0"},
      {"[    0.000000] Linux version 6.1.0-50-armmp-lpae (gcc)\n", "domain 0: Linux"},
      {"[    3.100000] Freeing unused kernel image (initmem) memory: 2048K\n", "domain 0: Linux is up"},
      {"[    3.200000] Run /init as init process\n", "domain 0: init"},
      {"Debian GNU/Linux 12 lab hvc0\n\nlab login: \n", "domain 0: login"},
      {"(d1) [    0.000000] Linux version 6.1.0 (gcc)\n", "domain 0: login; d1: Linux"},
      {"(d2) [    3.200000] Run /init as init process\n", "domain 0: login; d1: Linux; d2: init"},
      // and again: guests are gone
      {"\nU-Boot SPL 2023.01\n", "U-Boot SPL"},
      {"(XEN) Xen version 4.17.5\n", "Xen"}};
  std::string log;
  for (const auto& [text, expected] : steps) {
    log += text;
    EXPECT_EQ(reached(log), expected);
  }
}

TEST(BootProgress, WithoutXenItIsTheMachinesOwnKernel) {
  EXPECT_EQ(reached("[    0.000000] Linux version 6.1.0 (gcc)\n[    3.200000] Run /sbin/init as init process\n"),
            "init");
  EXPECT_EQ(reached("nothing of the kind\n"), "");
}

TEST(BootProgress, APromptWithoutALineEndIsSeen) {
  EXPECT_EQ(reached("[    0.000000] Linux version 6.1.0 (gcc)\nlab login: "), "login");
}

TEST(BootProgress, AReportHasTheStageOfItsWriter) {
  test::Collector found;
  test::scan_into(found,
                  "(XEN) Xen version 4.17.5\n[    0.000000] Linux version 6.1.0 (gcc)\nlab login: \n"
                  "(d1) [    0.000000] Linux version 6.1.0 (gcc)\n(d1) Kernel panic - not syncing: VFS\n"
                  "(d1) ---[ end Kernel panic - not syncing: VFS\n"
                  "(XEN) Domain 1 (vcpu#0) crashed on cpu#1:\n(XEN) RIP:    e033:[<ffffffff8102c160>]\n",
                  1000);
  ASSERT_EQ(found.reports.size(), 2U);
  EXPECT_EQ(found.reports[0].stage, "Linux");
  EXPECT_EQ(found.reports[1].stage, "Linux");
}

}  // namespace
}  // namespace xstack
