// SPDX-License-Identifier: LGPL-2.1-or-later
#include "remote/server.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "arch/find_register.h"
#include "tests/support/fake_memory.h"

namespace xstack::remote {
namespace {

class ServerOf {
 public:
  explicit ServerOf(ArchId id) {
    target.arch = &arch_ops(id);
    for (std::uint32_t thread = 1; thread <= 2; ++thread) {
      Thread one{.id = thread, .name = "vCPU <" + std::to_string(thread) + ">", .regs = {}, .memory = &memory};
      one.regs.set(target.arch->pc, 0x11223344 + thread);
      target.threads.push_back(one);
    }
    memory.put<std::uint32_t>(GuestVirt(0x1ffc), 0xddccbbaa);
    server = std::make_unique<Server>(target);
  }
  std::string ask(std::string_view packet) const { return server->reply(packet).value_or("(none)"); }

  test::FakeVirt memory;
  Target target;
  std::unique_ptr<Server> server;
};

TEST(GdbServer, RegistersInTheDebuggersOrderWithUnknownOnesMarked) {
  ServerOf arm(ArchId::arm32);
  arm.target.threads[0].regs.set(*find_register(*arm.target.arch, "cpsr"), 0x60000013);
  const std::string all = arm.ask("g");
  EXPECT_EQ(all.substr(15 * 8, 8), "45332211") << "pc of thread 1, in memory's order";
  EXPECT_EQ(all.substr(0, 8), "xxxxxxxx") << "r0 is not known, which is not zero";
  EXPECT_EQ(arm.ask("pf"), "45332211");
  EXPECT_EQ(arm.ask("p19"), "13000060") << "25 is cpsr";
  EXPECT_EQ(all.substr(16 * 8, 8), "13000060") << "and follows pc";
  EXPECT_EQ(arm.ask("p10").front(), 'E') << "16 to 24 are gone";
  EXPECT_EQ(arm.ask("pffff").front(), 'E');
  EXPECT_EQ(ServerOf(ArchId::arm64).ask("p20"), "4533221100000000");
  EXPECT_EQ(ServerOf(ArchId::x86_64).ask("p10"), "4533221100000000");
  EXPECT_EQ(ServerOf(ArchId::x86_32).ask("p8"), "45332211");
}

TEST(GdbServer, DescriptionHasTheFeaturesThatGdbAsksFor) {
  const ServerOf x86(ArchId::x86_64);
  std::string xml;
  for (std::size_t at = 0;;) {
    const std::string part = x86.ask("qXfer:features:read:target.xml:" + fmt::format("{:x}", at) + ",400");
    ASSERT_FALSE(part.empty());
    xml += part.substr(1);
    at += part.size() - 1;
    if (part.front() == 'l') {
      break;
    }
    ASSERT_EQ(part.front(), 'm');
  }
  EXPECT_NE(xml.find("<architecture>i386:x86-64</architecture>"), std::string::npos);
  EXPECT_NE(xml.find("org.gnu.gdb.i386.core"), std::string::npos);
  EXPECT_NE(xml.find("org.gnu.gdb.i386.sse"), std::string::npos);
  EXPECT_NE(xml.find("name=\"cr3\""), std::string::npos);
  EXPECT_TRUE(xml.ends_with("</target>\n"));
  EXPECT_EQ(x86.ask("qXfer:features:read:target.xml:ffffffff,400").front(), 'E');
}

TEST(GdbServer, MemoryAsFarAsItGoes) {
  const ServerOf arm(ArchId::arm64);
  EXPECT_EQ(arm.ask("m1ffc,4"), "aabbccdd");
  EXPECT_EQ(arm.ask("m1ffc,100"), "aabbccdd") << "a short reply: there is no more";
  EXPECT_EQ(arm.ask("m2000,4"), "E0e");
  EXPECT_EQ(arm.ask("mffffffffffffffff,10"), "E0e");
  EXPECT_EQ(arm.ask("m1ffc"), "E16");
  EXPECT_EQ(arm.ask("mx,y"), "E16");
  EXPECT_EQ(arm.ask("m1ffc,ffffffffffffffff"), "aabbccdd");
}

TEST(GdbServer, ThreadsAreSelectedAndNamed) {
  const ServerOf arm(ArchId::arm64);
  EXPECT_EQ(arm.ask("qfThreadInfo"), "m1,2");
  EXPECT_EQ(arm.ask("qsThreadInfo"), "l");
  EXPECT_EQ(arm.ask("Hg2"), "OK");
  EXPECT_EQ(arm.ask("p20"), "4633221100000000");
  EXPECT_EQ(arm.ask("Hg7"), "E16");
  EXPECT_EQ(arm.ask("H"), "E16");
  EXPECT_EQ(arm.ask("T2"), "OK");
  EXPECT_EQ(arm.ask("T3"), "E16");
  EXPECT_NE(arm.ask("qXfer:threads:read::0,1000").find("name=\"vCPU &lt;2&gt;\""), std::string::npos);
}

TEST(GdbServer, NothingIsWrittenOrRun) {
  const ServerOf arm(ArchId::arm64);
  for (const char* packet : {"M1ffc,1:00", "X1ffc,1:a", "G00", "P0=0", "c", "s", "vCont;c", "Z0,1000,4", "C05"}) {
    EXPECT_TRUE(arm.ask(packet).starts_with("E.")) << packet;
  }
  EXPECT_EQ(arm.ask("m1ffc,4"), "aabbccdd");
  EXPECT_FALSE(arm.server->ended());
}

TEST(GdbServer, WhatItDoesNotKnowIsAnsweredWithNothing) {
  const ServerOf arm(ArchId::arm64);
  EXPECT_EQ(arm.ask("vMustReplyEmpty"), "");
  EXPECT_EQ(arm.ask("!"), "");
  EXPECT_EQ(arm.ask(""), "");
  EXPECT_EQ(arm.ask("qOffsets"), "");
}

TEST(GdbServer, SlideIsTold) {
  ServerOf arm(ArchId::arm64);
  arm.target.kaslr_offset = 0x1a200000;
  EXPECT_EQ(arm.ask("qOffsets"), "Text=1a200000;Data=1a200000;Bss=1a200000");
}

TEST(GdbServer, LeavesWhenToldTo) {
  const ServerOf detached(ArchId::arm64);
  EXPECT_EQ(detached.ask("D"), "OK");
  EXPECT_TRUE(detached.server->ended());
  const ServerOf killed(ArchId::arm64);
  EXPECT_FALSE(killed.server->reply("k"));
  EXPECT_TRUE(killed.server->ended());
}

}  // namespace
}  // namespace xstack::remote
