// SPDX-License-Identifier: LGPL-2.1-or-later
#include "vmcore/xl_core.h"

#include <elf.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/endian.h"
#include "guest/dump/elf_file.h"
#include "tests/support/fake_memory.h"
#include "tests/unit/guest/open_bytes.h"

namespace xstack {
namespace {

constexpr std::uint64_t kNone = ~std::uint64_t{0};

VcpuContext context_of(unsigned id, std::size_t bytes, std::size_t last_used) {
  VcpuContext vcpu;
  vcpu.id = id;
  vcpu.context.resize(bytes);
  vcpu.context[512] = std::byte{1U << 5};  // x86: VGCF_online
  vcpu.context[last_used] = std::byte{1};
  return vcpu;
}

struct Case {
  ArchId arch = ArchId::x86_64;
  GuestIdentity identity;
  std::vector<VcpuContext> vcpus{context_of(0, 5168, 5000)};
  std::map<std::string, std::string> facts;
  std::vector<FrameRange> numbered;
  std::vector<FrameRange> frames;

  [[nodiscard]] Result<XlCorePlan> plan() const {
    return plan_xl_core(
        {.arch = arch, .identity = identity, .vcpus = vcpus, .cpus = {}, .vmcoreinfo = {}, .facts = facts}, numbered,
        frames);
  }
};

std::vector<std::byte> written(const Case& given, PhysMemory& memory, const Progress& progress = {}) {
  const auto plan = given.plan();
  EXPECT_TRUE(plan) << plan.error().message;
  const test::ScratchDirectory scratch;
  const std::string path = scratch.file("core");
  auto out = OutputFile::create(path, std::nullopt);
  EXPECT_TRUE(out);
  const auto done = write_xl_core(memory, *plan, *out, progress);
  EXPECT_TRUE(done) << done.error().message;
  EXPECT_TRUE(out->commit());
  return test::read_file(path);
}

Case pv_guest() {
  Case given;
  given.identity.type = GuestType::pv;
  given.identity.xen_version = "4.17.5-pre";
  given.identity.capabilities = "xen-3.0-x86_64";
  given.numbered = {{GuestPhys(0), 2}, {GuestPhys(0x4000), 1}};
  given.frames = {{GuestPhys(0x101000), 1}, {GuestPhys(0x50000), 1}, {GuestPhys(0x80000), 1}};
  return given;
}

TEST(XlCore, PvGuestsMemoryByBothNumbers) {
  const Case given = pv_guest();
  test::FakePhys memory;
  memory.put<std::uint8_t>(GuestPhys(0x101000), 0xa1);
  memory.put<std::uint8_t>(GuestPhys(0x50000), 0xa2);
  memory.put<std::uint8_t>(GuestPhys(0x80000), 0xa3);
  std::vector<std::uint64_t> seen;
  const auto bytes = written(given, memory, [&](std::uint64_t done, std::uint64_t all) {
    EXPECT_EQ(all, 3 * kXenPageSize);
    seen.push_back(done);
    return true;
  });
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
  ASSERT_FALSE(seen.empty());
  EXPECT_EQ(seen.back(), 3 * kXenPageSize);
  const auto elf = parse_elf(bytes);
  ASSERT_TRUE(elf) << elf.error().message;
  const ElfSection* table = elf->section(".xen_p2m");
  ASSERT_NE(table, nullptr);
  const std::uint64_t expected[] = {0, 0x101, 1, 0x50, 2, kNone, 3, kNone, 4, 0x80};
  ASSERT_EQ(table->bytes.size(), sizeof expected);
  EXPECT_TRUE(std::ranges::equal(table->bytes, std::as_bytes(std::span(expected)))) << "entry N is page N: crash";
  const ElfSection* pages = elf->section(".xen_pages");
  ASSERT_NE(pages, nullptr);
  EXPECT_EQ(pages->bytes.size(), 5 * kXenPageSize);
  EXPECT_EQ(std::to_integer<int>(pages->bytes[4 * kXenPageSize]), 0xa3);

  const auto guest = test::open_bytes(bytes);
  ASSERT_TRUE(guest) << guest.error().message;
  EXPECT_EQ((*guest)->identity().type, GuestType::pv);
  EXPECT_EQ((*guest)->identity().xen_version, "4.17.5-pre");
  EXPECT_EQ((*guest)->identity().capabilities, "xen-3.0-x86_64");
  EXPECT_TRUE((*guest)->warnings().empty());
  EXPECT_EQ(test::byte_at(**guest, 0x101000), 0xa1U);
  EXPECT_EQ(test::byte_at(**guest, 0x50000), 0xa2U);
  EXPECT_EQ(test::byte_at(**guest, 0x80000), 0xa3U);
  EXPECT_EQ(test::byte_at(**guest, 0x2000), 0xfffU);
}

TEST(XlCore, OtherGuestsHaveOneNumber) {
  Case given;
  given.arch = ArchId::arm64;
  given.identity.type = GuestType::arm;
  given.vcpus = {VcpuContext{}};
  given.vcpus[0].context.resize(352);
  given.vcpus[0].context[0] = std::byte{1};  // VGCF_online
  given.numbered = given.frames = {{GuestPhys(0x40000000), 1}, {GuestPhys(0x40005000), 1}};
  test::FakePhys memory;
  memory.put<std::uint8_t>(GuestPhys(0x40000000), 0xb1);
  memory.put<std::uint8_t>(GuestPhys(0x40005000), 0xb2);
  const auto bytes = written(given, memory);
  const auto elf = parse_elf(bytes);
  ASSERT_TRUE(elf);
  EXPECT_EQ(elf->section(".xen_p2m"), nullptr);
  ASSERT_NE(elf->section(".xen_pfn"), nullptr);
  EXPECT_EQ(elf->section(".xen_pages")->bytes.size(), 2 * kXenPageSize) << "no holes where none are needed";
  const auto guest = test::open_bytes(bytes);
  ASSERT_TRUE(guest);
  EXPECT_EQ((*guest)->identity().type, GuestType::arm);
  EXPECT_EQ(test::byte_at(**guest, 0x40005000), 0xb2U);
}

TEST(XlCore, RegistersAreXensOwn) {
  Case given = pv_guest();
  given.vcpus.push_back(VcpuContext{.id = 1, .presence = VcpuPresence::never_up});
  given.vcpus.push_back(context_of(2, 2800, 2700));
  test::FakePhys memory;
  const auto guest = test::open_bytes(written(given, memory));
  ASSERT_TRUE(guest);
  const auto vcpus = (*guest)->vcpus();
  ASSERT_TRUE(vcpus);
  ASSERT_EQ(vcpus->size(), 2U) << "xl has no place for a vCPU without registers";
  EXPECT_EQ((*vcpus)[0].context, given.vcpus[0].context);
  EXPECT_EQ((*vcpus)[1].context, given.vcpus[2].context);
}

TEST(XlCore, RefusesWhatTheFormatCannotSay) {
  Case linux_registers = pv_guest();
  linux_registers.vcpus[0].form = ContextForm::prstatus;
  Case none = pv_guest();
  none.vcpus[0].context.clear();
  Case capture = pv_guest();
  capture.facts["kallsyms"] = "there";
  Case disorder = pv_guest();  // with holes enough for its last number
  disorder.numbered = {{GuestPhys(0x5000), 1}, {GuestPhys(0x2000), 1}, {GuestPhys(0x9000), 1}};
  Case twice = pv_guest();
  twice.numbered = {{GuestPhys(0), 2}, {GuestPhys(0x1000), 1}};
  for (const Case* given : {&linux_registers, &none, &capture, &disorder, &twice}) {
    const auto plan = given->plan();
    ASSERT_FALSE(plan);
    EXPECT_EQ(plan.error().code, Errc::unsupported);
  }
  Case far = pv_guest();
  far.numbered[1].first = GuestPhys((kMostHoles + 10) * kXenPageSize);
  const auto plan = far.plan();
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, Errc::too_large);
}

}  // namespace
}  // namespace xstack
