// SPDX-License-Identifier: LGPL-2.1-or-later
#include "guest/xen/live_guest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "guest/hypervisor_log.h"
#include "guest/xen/domain.h"
#include "guest/xen/foreign_memory.h"
#include "tests/unit/guest/fake_host.h"

namespace xstack::xen {
namespace {

using testing::HasSubstr;

class LiveGuest : public testing::Test {
 protected:
  Result<std::unique_ptr<Guest>> open(const std::string& domain) {
    auto host = Host::open(test::FakeHost::names());
    if (!host) {
      return tl::unexpected(host.error());
    }
    return open_live_guest(*host, domain);
  }
  std::unique_ptr<Guest> domu() {
    auto guest = open("domU");
    EXPECT_TRUE(guest) << guest.error().message;
    return guest ? std::move(*guest) : nullptr;
  }
  test::FakeHost xen_;
};

TEST_F(LiveGuest, IsFoundByNameDomidAndUuid) {
  for (const char* what :
       {"domU", "5", "ab000000-0000-0000-0000-000000000005", "AB000000-0000-0000-0000-000000000005"}) {
    const auto guest = open(what);
    ASSERT_TRUE(guest) << what << ": " << guest.error().message;
    EXPECT_EQ((*guest)->identity().domid, 5U);
    EXPECT_EQ((*guest)->identity().name, "domU");
    EXPECT_EQ((*guest)->identity().uuid, "ab000000-0000-0000-0000-000000000005");
    EXPECT_EQ((*guest)->identity().source, "live");
    EXPECT_EQ((*guest)->identity().type, GuestType::arm);
    EXPECT_EQ((*guest)->identity().xen_version, "4.17.5");
    EXPECT_EQ((*guest)->identity().capabilities, "xen-3.0-aarch64 xen-3.0-armv7l");
  }
}

TEST_F(LiveGuest, XensLogIsReadAndLeftAlone) {
  const auto guest = domu();
  auto* source = dynamic_cast<HypervisorLogSource*>(guest.get());
  ASSERT_NE(source, nullptr);
  std::strncpy(xen_->console, "(XEN) d5v0 Unhandled: vec 6\n(XEN) d6v0 another\n", sizeof xen_->console - 1);
  const auto log = source->hypervisor_log();
  ASSERT_TRUE(log);
  EXPECT_EQ(log->lines, std::vector<std::string>{"(XEN) d5v0 Unhandled: vec 6"});
  EXPECT_THAT(log->source, HasSubstr("domain 5"));
  EXPECT_FALSE(xen_->console_cleared);
  xen_->console_error = EPERM;
  EXPECT_EQ(source->hypervisor_log().error().code, Errc::no_access);
}

TEST_F(LiveGuest, DigitsAreADomidAndNeverAName) {
  xen_.add(9, "5", 0);
  const auto guest = open("5");
  ASSERT_TRUE(guest);
  EXPECT_EQ((*guest)->identity().domid, 5U);
}

TEST_F(LiveGuest, NoSuchDomain) {
  for (const char* what : {"", "other", "7", "99999999999999999999", "ab000000-0000-0000-0000-000000000006"}) {
    const auto guest = open(what);
    ASSERT_FALSE(guest) << what;
    EXPECT_EQ(guest.error().code, Errc::no_such_domain) << what;
  }
  xen_->no_store = true;
  EXPECT_THAT(open("domU").error().message, HasSubstr("xenstore"));
  EXPECT_TRUE(open("5"));
}

TEST_F(LiveGuest, Domain0IsRefusedByAnyName) {
  EXPECT_EQ(open("0").error().code, Errc::unsupported);
  EXPECT_EQ(open("Domain-0").error().code, Errc::unsupported);
}

TEST_F(LiveGuest, OneLineForEachWayToHaveNoAccess) {
  xen_->list_error = EACCES;
  EXPECT_EQ(open("domU").error().code, Errc::no_access);
  EXPECT_THAT(open("domU").error().message, HasSubstr("does not fit the Xen"));
  xen_->list_error = EPERM;
  EXPECT_EQ(open("domU").error().code, Errc::no_access);
  EXPECT_THAT(open("domU").error().message, HasSubstr("run xstack in dom0"));
  const auto missing = Host::open({{"/nowhere/libxenctrl.so"}, {}, {}});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Errc::no_access);
  EXPECT_THAT(missing.error().message, HasSubstr("libxenctrl cannot be loaded"));
  const auto wrong = Host::open({{"libm.so.6"}, {"libm.so.6"}, {}});
  ASSERT_FALSE(wrong);
  EXPECT_THAT(wrong.error().message, HasSubstr("lack"));
}

TEST_F(LiveGuest, DomainInfoOfEveryRelease) {
  // 4.14: 96 bytes to cpupool and 4 of x86's arch_config or 12 of ARM's; 4.16 on: 104 and more.
  for (const std::uint32_t size : {100U, 104U, 108U, 112U, 116U, 120U, 124U, 200U}) {
    xen_->info_size = size;
    xen_.domu().flags = (3U << 16) | 4U | 8U;
    const auto guest = open("domU");
    ASSERT_TRUE(guest) << size;
    const auto& state = (*guest)->identity().state;
    EXPECT_EQ(state->run, RunState::crashed);
    EXPECT_EQ(state->shutdown_code, 3U);
    EXPECT_TRUE(state->paused_by_toolstack);
  }
}

TEST_F(LiveGuest, StatesAreToldApart) {
  const std::pair<std::uint32_t, RunState> states[] = {{0, RunState::running},
                                                       {1U << 5, RunState::running},
                                                       {1U << 4, RunState::blocked},
                                                       {1U << 3, RunState::paused},
                                                       {1U << 2, RunState::shutdown},
                                                       {1U << 0 | 1U << 2, RunState::dying},
                                                       {4U | 3U << 16, RunState::crashed}};
  for (const auto& [flags, state] : states) {
    xen_.domu().flags = flags;
    EXPECT_EQ(domu()->identity().state->run, state) << flags;
  }
}

TEST_F(LiveGuest, VcpusInEveryCondition) {
  xen_.domu().vcpus = 5;
  xen_->never_up = 2;
  xen_->offline = 1;
  xen_->refused = 3;
  const auto guest = domu();
  const auto vcpus = guest->vcpus();
  ASSERT_TRUE(vcpus);
  ASSERT_EQ(vcpus->size(), 5U);
  EXPECT_EQ((*vcpus)[0].presence, VcpuPresence::online);
  EXPECT_EQ((*vcpus)[0].context.size(), 352U);
  EXPECT_EQ((*vcpus)[1].presence, VcpuPresence::offline);
  EXPECT_EQ((*vcpus)[1].context.size(), 352U);
  EXPECT_EQ((*vcpus)[2].presence, VcpuPresence::never_up);
  EXPECT_TRUE((*vcpus)[2].context.empty());
  EXPECT_EQ((*vcpus)[3].presence, VcpuPresence::unavailable);
  EXPECT_THAT((*vcpus)[3].why, HasSubstr("not permitted"));
  EXPECT_EQ((*vcpus)[4].id, 4U);
  EXPECT_EQ((*vcpus)[4].context[351], std::byte{5});
}

TEST_F(LiveGuest, ContextsAreToldBySize) {
  xen_->context_size = 344;
  EXPECT_EQ(domu()->vcpus()->front().context.size(), 344U);
  xen_->context_size = 368;
  EXPECT_EQ(domu()->vcpus()->front().presence, VcpuPresence::unavailable);

  std::strcpy(xen_->capabilities, "xen-3.0-x86_64 ");
  xen_->context_size = 5168;
  auto pv = domu();
  EXPECT_EQ(pv->identity().type, GuestType::pv);
  EXPECT_EQ(pv->vcpus()->front().context.size(), 5168U);
  EXPECT_TRUE(pv->vcpus()->front().hvm_record.empty());
  xen_->guest_width = 4;
  EXPECT_EQ(domu()->vcpus()->front().context.size(), 2800U);
  xen_.domu().flags = 2;
  const auto hvm = domu();
  EXPECT_EQ(hvm->identity().type, GuestType::hvm);
  EXPECT_EQ(hvm->vcpus()->front().context.size(), 5168U);
  EXPECT_EQ(hvm->vcpus()->front().hvm_record.size(), 1032U);
}

TEST_F(LiveGuest, MemoryIsMappedReadOnlyInBatchesAndKept) {
  const auto guest = domu();
  std::vector<GuestPhys> pages;
  for (std::uint64_t i = 0; i < 20; ++i) {
    pages.emplace_back(0x40000000 + i * kXenPageSize);
  }
  guest->memory().prefetch(pages);
  EXPECT_EQ(xen_->map_calls, 1U);
  EXPECT_EQ(guest->pages_mapped(), 20U);
  EXPECT_EQ(guest->memory().read_value<std::uint64_t>(GuestPhys(0x40003008)), 0x40003008U);
  EXPECT_EQ(guest->memory().read_value<std::uint64_t>(GuestPhys(0x40003ffc)), 0x4000400000000000U);
  guest->memory().prefetch(pages);
  EXPECT_EQ(xen_->map_calls, 1U);
  EXPECT_EQ(guest->memory().read_value<std::uint64_t>(GuestPhys(0x40100000)), 0x40100000U);
  EXPECT_EQ(xen_->map_calls, 2U);
  EXPECT_FALSE(xen_->written);
}

TEST_F(LiveGuest, HolesFaultAndAreNotAskedForAgain) {
  xen_->hole = 0x40002;
  const auto guest = domu();
  std::vector<std::byte> bytes(5 * kXenPageSize);
  const auto done = guest->memory().read(GuestPhys(0x40000000), bytes);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, FaultKind::absent);
  EXPECT_EQ(done.error().address, 0x40002000U);
  const auto calls = xen_->map_calls.load();
  EXPECT_FALSE(guest->memory().read_value<std::uint32_t>(GuestPhys(0x40002010)));
  EXPECT_EQ(xen_->map_calls, calls);
  EXPECT_FALSE(guest->lost());
}

TEST_F(LiveGuest, LargeReadsComeInBatchesAndStayBounded) {
  xen_->frames = 6000;
  xen_->hole = 0x40000 + 700;
  const auto guest = domu();
  std::vector<std::byte> bytes(6000 * kXenPageSize);
  const auto n = guest->memory().read(GuestPhys(0x40000000), std::span(bytes).first(700 * kXenPageSize));
  ASSERT_TRUE(n);
  for (std::uint64_t i = 0; i < 700 * kXenPageSize; i += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, &bytes[i], sizeof word);
    ASSERT_EQ(word, 0x40000000 + i);
  }
  EXPECT_LE(xen_->map_calls, 3U);
  EXPECT_EQ(xen_->mapped_now, 0U);
  EXPECT_EQ(guest->memory().read(GuestPhys(0x40000000), bytes).error().address, 0x40000000U + 700 * kXenPageSize);
  for (std::uint64_t i = 0; i < 6000; ++i) {
    if (i != 700) {
      ASSERT_EQ(guest->memory().read_value<std::uint64_t>(GuestPhys(0x40000000 + i * kXenPageSize)),
                0x40000000 + i * kXenPageSize);
    }
  }
  EXPECT_LE(xen_->mapped_most, ForeignMemory::kMaxMapped);
}

TEST_F(LiveGuest, VanishesInTheMiddle) {
  xen_->vanish_after_maps = 1;
  const auto guest = domu();
  EXPECT_FALSE(guest->memory().read_value<std::uint64_t>(GuestPhys(0x40000000)));
  const auto again = guest->memory().read_value<std::uint64_t>(GuestPhys(0x40001000));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().kind, FaultKind::io);
  ASSERT_TRUE(guest->lost());
  EXPECT_EQ(guest->lost()->code, Errc::vanished);
  EXPECT_EQ(guest->vcpus().error().code, Errc::vanished);
  EXPECT_EQ(guest->pause().error().code, Errc::vanished);
  EXPECT_EQ(xen_->map_calls, 1U) << "nothing is asked of a domain that is gone";
}

TEST_F(LiveGuest, DestroyedInTheMiddleItGivesUpItsMemoryFirst) {
  constexpr GuestPhys kHole(0x30000000);
  const auto guest = domu();
  EXPECT_FALSE(guest->memory().read_value<std::uint64_t>(kHole));
  EXPECT_FALSE(guest->lost()) << "a hole is no end";
  xen_.domu().flags |= 1;  // dying
  EXPECT_FALSE(guest->memory().read_value<std::uint64_t>(kHole + kXenPageSize));
  ASSERT_TRUE(guest->lost());
  EXPECT_EQ(guest->lost()->code, Errc::vanished);
}

TEST_F(LiveGuest, IsLostAlsoWhenItsMemoryCouldStillBeRead) {
  const auto guest = domu();
  EXPECT_TRUE(guest->memory().read_value<std::uint64_t>(GuestPhys(0x40000000)));
  EXPECT_FALSE(guest->lost());
  xen_.domu().flags |= 1;  // dying
  ASSERT_TRUE(guest->lost());
  EXPECT_EQ(guest->lost()->code, Errc::vanished);
}

TEST_F(LiveGuest, WhatIsLeftOfOneThatWasDyingMayBeRead) {
  xen_.domu().flags |= 1;  // dying
  const auto guest = domu();
  EXPECT_FALSE(guest->memory().read_value<std::uint64_t>(GuestPhys(0x30000000)));
  EXPECT_FALSE(guest->lost());
  EXPECT_TRUE(guest->memory().read_value<std::uint64_t>(GuestPhys(0x40000000)));
}

TEST_F(LiveGuest, AnotherDomainWithTheSameDomidIsNotTaken) {
  const auto guest = domu();
  xen_.domu().handle[3] = 1;
  EXPECT_EQ(guest->vcpus().error().code, Errc::vanished);
}

TEST_F(LiveGuest, RamOfArmIsItsBank) {
  const auto ram = domu()->ram();
  ASSERT_EQ(ram.size(), 1U);
  EXPECT_EQ(ram[0].first, GuestPhys(0x40000000));
  EXPECT_EQ(ram[0].count, 1024U);
}

}  // namespace
}  // namespace xstack::xen
