// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#include <cstring>

#include "arch/arm32/arm32.h"
#include "arch/arm32/detect.h"
#include "arch/arm32/registers.h"

namespace xstack {
namespace {

using namespace arm32;

constexpr std::uint64_t kJunk = 0xabcd000000000000;  // upper halves mean nothing for a 32-bit guest

class Context {
 public:
  explicit Context(std::size_t size) : bytes_(size) {
    for (unsigned i = 0; i < 31; ++i) {
      put<std::uint64_t>(8 + i * 8, kJunk + 0x100 + i);
    }
    put<std::uint64_t>(256, 0xc0101000);
  }
  template <class T>
  Context& put(std::size_t at, T value) {
    std::memcpy(bytes_.data() + at, &value, sizeof value);
    return *this;
  }
  VcpuContext vcpu() const {
    VcpuContext v;
    v.context = bytes_;
    return v;
  }

 private:
  std::vector<std::byte> bytes_;
};

GuestIdentity on(const char* capabilities) {
  GuestIdentity guest;
  guest.type = GuestType::arm;
  guest.capabilities = capabilities;
  return guest;
}

CpuState decoded(const Context& context, const char* capabilities = "xen-3.0-aarch64 xen-3.0-armv7l") {
  auto cpu = arm32_ops().decode(on(capabilities), context.vcpu());
  EXPECT_TRUE(cpu);
  return *cpu;
}

TEST(Arm32Decode, TheLayoutIsToldByTheSize) {
  const auto check = [](const CpuState& cpu) {
    EXPECT_EQ(cpu.mode, "SVC");
    EXPECT_EQ(cpu.regs.get(kCpsr), 0x600001d3U);
    EXPECT_EQ(cpu.regs.get(kSpsrSvc), 0x11U);
    EXPECT_EQ(cpu.regs.get(kSpsrFiq), 0x12U);
    EXPECT_EQ(cpu.regs.get(kSpsrIrq), 0x13U);
    EXPECT_EQ(cpu.regs.get(kSpsrUnd), 0x14U);
    EXPECT_EQ(cpu.regs.get(kSpsrAbt), 0x15U);
    EXPECT_EQ(cpu.regs.get(kSctlr), 0x30c5387dU);
    EXPECT_EQ(cpu.regs.get(kTtbcr), 0xb5023500U);
    EXPECT_EQ(cpu.regs.get(kTtbr0), 0x1000042538900U);
    EXPECT_EQ(cpu.regs.get(kTtbr1), 0x40207000U);
  };
  Context c352(352);
  c352.put<std::uint64_t>(264, 0x600001d3).put<std::uint64_t>(272, 0x11).put<std::uint32_t>(280, 0x12);
  c352.put<std::uint32_t>(284, 0x13).put<std::uint32_t>(288, 0x14).put<std::uint32_t>(292, 0x15);
  c352.put<std::uint64_t>(320, 0x30c5387d).put<std::uint64_t>(328, 0xb5023500);
  c352.put<std::uint64_t>(336, 0x1000042538900).put<std::uint64_t>(344, 0x40207000);
  check(decoded(c352));
  Context c344(344);
  c344.put<std::uint32_t>(264, 0x600001d3).put<std::uint32_t>(268, 0x11).put<std::uint32_t>(272, 0x12);
  c344.put<std::uint32_t>(276, 0x13).put<std::uint32_t>(280, 0x14).put<std::uint32_t>(284, 0x15);
  c344.put<std::uint32_t>(312, 0x30c5387d).put<std::uint64_t>(320, 0xb5023500);
  c344.put<std::uint64_t>(328, 0x1000042538900).put<std::uint64_t>(336, 0x40207000);
  check(decoded(c344));
  Context c336(336);
  c336.put<std::uint32_t>(264, 0x600001d3).put<std::uint32_t>(268, 0x11).put<std::uint32_t>(272, 0x12);
  c336.put<std::uint32_t>(276, 0x13).put<std::uint32_t>(280, 0x14).put<std::uint32_t>(284, 0x15);
  c336.put<std::uint32_t>(312, 0x30c5387d).put<std::uint32_t>(316, 0xb5023500);
  c336.put<std::uint64_t>(320, 0x1000042538900).put<std::uint64_t>(328, 0x40207000);
  check(decoded(c336));
  VcpuContext odd;
  odd.context.resize(348);
  EXPECT_EQ(arm32_ops().decode(on("xen-3.0-armv7l"), odd).error().code, Errc::bad_format);
}

TEST(Arm32Decode, TheModePicksItsBank) {
  struct Case {
    std::uint64_t psr;
    const char* mode;
    const char* bank;
    std::uint64_t sp, lr;
  };
  for (const Case& c : {Case{0x10, "USR", "USR", 0x10d, 0x10e}, Case{0x1f, "SYS", "USR", 0x10d, 0x10e},
                        Case{0x13, "SVC", "SVC", 0x113, 0x112}, Case{0x12, "IRQ", "IRQ", 0x111, 0x110},
                        Case{0x17, "ABT", "ABT", 0x115, 0x114}, Case{0x1b, "UND", "UND", 0x117, 0x116},
                        Case{0x11, "FIQ", "FIQ", 0x11d, 0x11e}}) {
    const auto cpu = decoded(Context(352).put<std::uint64_t>(264, c.psr));
    EXPECT_EQ(cpu.mode, c.mode);
    EXPECT_STREQ(cpu.current_bank, c.bank);
    EXPECT_EQ(cpu.regs.get(kSp), c.sp) << c.mode;
    EXPECT_EQ(cpu.regs.get(kLr), c.lr) << c.mode;
    EXPECT_EQ(cpu.user, c.psr == 0x10) << c.mode;
    EXPECT_EQ(cpu.regs.get(kR8), c.psr == 0x11 ? 0x118U : 0x108U) << c.mode;
    EXPECT_EQ(cpu.regs.get(kR8Usr), 0x108U);
    EXPECT_EQ(cpu.regs.get(kR8Fiq), 0x118U);
  }
  const auto hyp = decoded(Context(352).put<std::uint64_t>(264, 0x1a));
  EXPECT_FALSE(hyp.regs.known(kSp));
  EXPECT_EQ(hyp.current_bank, nullptr);
}

TEST(Arm32Decode, LrFiqIsUnknownOnA32BitXen) {
  const auto cpu = decoded(Context(352).put<std::uint64_t>(264, 0x11), "xen-3.0-armv7l");
  EXPECT_FALSE(cpu.regs.known(kLrFiq));
  EXPECT_FALSE(cpu.regs.known(kLr));
  ASSERT_EQ(cpu.notes.size(), 1U);
  EXPECT_NE(cpu.notes[0].find("lr_fiq"), std::string::npos);
  EXPECT_TRUE(decoded(Context(352).put<std::uint64_t>(264, 0x13)).notes.empty());
}

ArchId detected(const GuestIdentity& guest, std::initializer_list<VcpuContext> vcpus) {
  const std::vector<VcpuContext> list(vcpus);
  const auto guess = detect_arm(guest, list);
  EXPECT_TRUE(guess);
  EXPECT_FALSE(guess->why.empty());
  return guess->id;
}

TEST(Arm32Detect, AModeOtherThanUserSettlesIt) {
  const auto both = on("xen-3.0-aarch64 xen-3.0-armv7l");
  EXPECT_EQ(detected(both, {Context(352).put<std::uint64_t>(264, 0x1d3).vcpu()}), ArchId::arm32);
  EXPECT_EQ(detected(both, {Context(352).put<std::uint64_t>(264, 0x3c5).vcpu()}), ArchId::arm64);
  // One vCPU in a 32-bit program, the other in the 64-bit kernel under it.
  EXPECT_EQ(detected(both, {Context(352).put<std::uint64_t>(264, 0x10).put<std::uint64_t>(328, 0xb5023500).vcpu(),
                            Context(352).put<std::uint64_t>(264, 0x3c5).vcpu()}),
            ArchId::arm64);
}

TEST(Arm32Detect, A32BitProgramOnA64BitKernel) {
  const auto both = on("xen-3.0-aarch64 xen-3.0-armv7l");
  const auto user = [](std::uint64_t tcr, std::uint64_t sp_el1) {
    return Context(352)
        .put<std::uint64_t>(264, 0x10)
        .put<std::uint64_t>(304, sp_el1)
        .put<std::uint64_t>(328, tcr)
        .vcpu();
  };
  EXPECT_EQ(detected(both, {user(0x500074b5503510, 0)}), ArchId::arm64) << "TCR wider than 32 bits";
  EXPECT_EQ(detected(both, {user(0xb5503510, 0)}), ArchId::arm64) << "T0SZ 16";
  EXPECT_EQ(detected(both, {user(0xb5023500, 0xffff800008003e00)}), ArchId::arm64) << "SP_EL1";
  EXPECT_EQ(detected(both, {user(0xb5023500, 0)}), ArchId::arm32);
  EXPECT_EQ(detected(on("xen-3.0-armv7l"), {user(0, 0)}), ArchId::arm32);
  EXPECT_FALSE(detect_arm(both, {}));
}

}  // namespace
}  // namespace xstack
