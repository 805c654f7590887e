// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/doing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/sample_report.h"

namespace xstack {
namespace {

using testing::HasSubstr;

NamedFrame frame(const char* symbol, FoundBy found_by = FoundBy::frame) {
  NamedFrame named;
  named.symbol = symbol;
  named.found_by = found_by;
  named.offset = 0x14;
  named.pc = GuestVirt(0xc0300014);
  return named;
}

VcpuReport vcpu(std::initializer_list<const char*> functions, unsigned id = 0) {
  VcpuReport report;
  report.id = id;
  CpuState cpu;
  cpu.arch = &test::small_arm32();
  cpu.mode = "SVC";
  report.cpu = cpu;
  for (const char* function : functions) {
    report.frames.push_back(frame(function, report.frames.empty() ? FoundBy::registers : FoundBy::ehabi));
  }
  return report;
}

Report of(std::vector<VcpuReport> vcpus) {
  Report report;
  report.guest.arch = ArchId::arm32;
  report.vcpus = std::move(vcpus);
  tell_doing(report);
  return report;
}

std::string what(const Report& report, std::size_t i = 0) {
  return report.vcpus[i].doing ? report.vcpus[i].doing->what : "";
}

Standstill wfi(bool masked) {
  return {Standstill::Kind::waits_for_interrupt, "the instruction before pc is a WFI", masked};
}

TEST(Doing, PanicWithItsMessageAndTheCpuThatItStopped) {
  Report report;
  report.guest.arch = ArchId::arm32;
  report.vcpus = {vcpu({"__timer_delay", "panic", "sysrq_handle_crash"}), vcpu({"do_handle_IPI", "ipi_handler"}, 1)};
  report.vcpus[1].standstill = Standstill{Standstill::Kind::waits_for_event, "a loop", true};
  CrashReport crash;
  crash.kind = "panic";
  crash.message = "Kernel panic - not syncing: sysrq triggered crash";
  crash.vcpu = 0;
  report.guest.crash = crash;
  tell_doing(report);
  EXPECT_EQ(what(report), "in panic()");  // whether it still runs is not known
  report.guest.identity.state = DomainState{RunState::running, std::nullopt, false};
  tell_doing(report);
  EXPECT_EQ(what(report), "spinning in panic()");
  EXPECT_EQ(report.vcpus[0].doing->detail, "sysrq triggered crash");
  EXPECT_EQ(what(report, 1), "stopped by panic() on another CPU");
  ASSERT_TRUE(report.guest.doing);
  EXPECT_EQ(report.guest.doing->what, "spinning in panic()");
  report.guest.identity.state = DomainState{RunState::crashed, 3U, false};
  report.guest.crash->vcpu = 1;  // another's message is not this one's
  tell_doing(report);
  EXPECT_EQ(what(report), "stopped in panic()");
  EXPECT_EQ(report.vcpus[0].doing->detail, std::nullopt);
}

TEST(Doing, IdleUnlessAnInterruptCame) {
  EXPECT_EQ(what(of({vcpu({"cpu_v7_do_idle", "arch_cpu_idle", "do_idle"})})), "idle");
  auto interrupted = vcpu({"handle_irq", "__irq_svc", "cpu_v7_do_idle", "do_idle"});
  interrupted.frames[2].found_by = FoundBy::exception;
  EXPECT_EQ(what(of({interrupted})), "");
  auto guessed = vcpu({"something", "do_idle"});
  guessed.frames[1].found_by = FoundBy::scan;
  EXPECT_EQ(what(of({guessed})), "");
  EXPECT_FALSE(told_by_frames(guessed));
  EXPECT_TRUE(told_by_frames(vcpu({"do_idle"})));
}

TEST(Doing, ByInstructionsAloneWhereThereAreNoNames) {
  auto waits = vcpu({});
  waits.standstill = wfi(true);
  EXPECT_EQ(what(of({waits})), "waiting in WFI with interrupts masked");
  waits.standstill = wfi(false);
  EXPECT_EQ(what(of({waits})), "waiting in WFI with interrupts on");
  waits.standstill->masked.reset();
  EXPECT_EQ(what(of({waits})), "waiting in WFI");
  auto spins = vcpu({"machine_halt"});
  spins.standstill = Standstill{Standstill::Kind::branches_to_itself, "b .", true};
  const Report report = of({spins});
  EXPECT_EQ(what(report), "spinning at one instruction, a branch to itself, with interrupts masked");
  EXPECT_EQ(report.vcpus[0].doing->detail, "in machine_halt+0x14");
  spins.standstill->masked.reset();
  EXPECT_EQ(what(of({spins})), "spinning at one instruction, a branch to itself");
}

TEST(Doing, EarlyStates) {
  VcpuReport absent;
  absent.id = 1;
  absent.presence = VcpuPresence::never_up;
  auto fresh = vcpu({});
  fresh.not_started = "registers";
  const Report report = of({fresh, absent});
  EXPECT_EQ(what(report), "not started yet: at the entry point given by the domain builder");
  EXPECT_EQ(what(report, 1), "secondary CPU never started");
  ASSERT_TRUE(report.guest.doing);  // the only one that there is
  EXPECT_EQ(report.guest.doing->what, what(report));
  EXPECT_THAT(report.guest.doing->how, HasSubstr("vCPU 0"));

  auto unpacks = vcpu({});
  unpacks.decompressor = "its bytes";
  EXPECT_EQ(what(of({unpacks})), "in the decompressor");
  unpacks.standstill = Standstill{Standstill::Kind::branches_to_itself, "b .", true};  // it gave up
  EXPECT_EQ(of({unpacks}).vcpus[0].doing->detail, "in the decompressor");

  auto user = vcpu({});
  user.cpu->user = true;
  EXPECT_EQ(what(of({user})), "in user mode");
  user.id = 1;
  user.presence = VcpuPresence::offline;
  user.cpu->regs.set(4, 0);
  EXPECT_EQ(what(of({user})), "secondary CPU never started");  // as dumps have it
  user.cpu->regs.set(4, 0xb6f00000);
  EXPECT_EQ(what(of({user})), "in user mode");
}

TEST(Doing, TheKernelWithItsMmuOff) {
  Report report;
  report.guest.arch = ArchId::arm32;
  report.guest.image = ImageReport{"kernel", GuestPhys(0xc0208000), GuestVirt(0xc0208000), "calls"};
  report.vcpus = {vcpu({"stext"}), vcpu({"__create_page_tables"}, 1)};
  report.vcpus[0].cpu->mmu_on = report.vcpus[1].cpu->mmu_on = false;
  tell_doing(report);
  EXPECT_EQ(what(report), "MMU off at the kernel entry");
  EXPECT_EQ(what(report, 1), "in the kernel with its MMU off");
  EXPECT_FALSE(report.guest.doing);  // they differ
}

TEST(Doing, TheCpuThatStopsOthersIsNotStopped) {
  EXPECT_EQ(what(of({vcpu({"crash_smp_send_stop", "machine_crash_shutdown", "__crash_kexec", "die"})})), "");
  EXPECT_EQ(what(of({vcpu({"cpu_park_loop", "cpu_die_early"})})), "");
  EXPECT_EQ(what(of({vcpu({"stop_this_cpu", "smp_reboot_interrupt"})})), "stopped by another CPU");
}

TEST(Doing, NothingWhenItCannotBeTold) {
  const Report report = of({vcpu({"vfs_read", "ksys_read"}), vcpu({})});
  EXPECT_FALSE(report.vcpus[0].doing);
  EXPECT_FALSE(report.vcpus[1].doing);
  EXPECT_FALSE(report.guest.doing);
}

}  // namespace
}  // namespace xstack
