// SPDX-License-Identifier: LGPL-2.1-or-later
// The searches for a kernel in memory of any content: image, VMCOREINFO, page table roots, module list, unwind tables.
// Whatever is there, each ends soon, and what is found lies where it was looked for.
#include <algorithm>
#include <array>
#include <memory>
#include <span>

#include "base/endian.h"
#include "linux/arm32_unwind_tables.h"
#include "linux/kernel.h"
#include "linux/kernel_image.h"
#include "linux/kernel_root.h"
#include "linux/module_list.h"
#include "linux/module_use.h"
#include "linux/vmcoreinfo_pointer.h"
#include "linux/x86_orc_tables.h"
#include "tests/support/identity_translation.h"
#include "tests/support/repeated_memory.h"

namespace {

using namespace xstack;

constexpr std::uint64_t kSize = 128U << 10;

class IslandGuest final : public Guest {
 public:
  IslandGuest(std::span<const std::byte> data, std::uint64_t begin)
      : memory_(data, begin, kSize), ranges_{{GuestPhys(begin), kSize / kXenPageSize}} {
    who_.source = "dump-core";
  }
  [[nodiscard]] const GuestIdentity& identity() const override { return who_; }
  [[nodiscard]] Result<std::vector<VcpuContext>> vcpus() override { return std::vector<VcpuContext>{}; }
  [[nodiscard]] PhysMemory& memory() override { return memory_; }
  [[nodiscard]] std::vector<FrameRange> ram() override { return ranges_; }
  [[nodiscard]] Result<std::unique_ptr<PauseGuard>> pause() override { return fail(Errc::unsupported, ""); }
  [[nodiscard]] const std::map<std::string, std::string>& facts() const override { return facts_; }
  [[nodiscard]] const std::vector<std::string>& warnings() const override { return warnings_; }

 private:
  test::RepeatedMemory<GuestPhys> memory_;
  std::vector<FrameRange> ranges_;
  GuestIdentity who_;
  std::map<std::string, std::string> facts_;
  std::vector<std::string> warnings_;
};

class Code final : public CodeInfo {
 public:
  explicit Code(GuestVirt begin) : begin_(begin) {}
  [[nodiscard]] std::optional<CodeSymbol> function_at(GuestVirt at) override {
    return CodeSymbol{"f", GuestVirt(at.value & ~std::uint64_t{63}), 64, {}};
  }
  [[nodiscard]] std::optional<bool> is_code(GuestVirt at) override { return at >= begin_ && at < begin_ + kSize / 2; }
  [[nodiscard]] std::optional<GuestVirt> address_of(std::string_view) override { return std::nullopt; }

 private:
  GuestVirt begin_;
};

void check(bool good) {
  if (!good) {
    __builtin_trap();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  struct Place {
    ArchId arch;
    std::uint64_t begin;
  };
  static constexpr std::array<Place, 4> kPlaces = {{{ArchId::arm32, 0xc0300000},
                                                    {ArchId::arm64, 0xffff800008010000},
                                                    {ArchId::x86_32, 0xc1000000},
                                                    {ArchId::x86_64, 0xffffffff81000000}}};
  const Place& place = kPlaces.at(size % kPlaces.size());
  const ArchOps& arch = arch_ops(place.arch);
  const GuestVirt begin(place.begin);
  const GuestVirt end = begin + kSize;
  IslandGuest guest(bytes, place.begin);
  test::RepeatedMemory<GuestVirt> memory(bytes, place.begin, kSize);
  Code code(begin);

  CpuState cpu;
  cpu.arch = &arch;
  cpu.mmu_on = true;
  cpu.translations.push_back(std::make_shared<test::IdentityTranslation>(
      [&](std::uint64_t va) { return va >= place.begin && va - place.begin < kSize; }));
  for (RegisterIndex i = 0; i < arch.registers.size(); ++i) {
    const auto value = load_le_at<std::uint64_t>(bytes, std::uint64_t{i} * 8).value_or(i);
    cpu.regs.set(i, i % 2 == 0 ? place.begin + value % kSize : value);
  }
  const std::span<const CpuState> cpus(&cpu, 1);

  PageProbe probe(guest.memory(), cpus);
  const AnchorCluster anchor{begin + kSize / 4, begin + kSize / 4, 1};
  if (const auto image = search_image(probe, memory, std::span(&anchor, 1), arch.word_size); image.kallsyms) {
    check(image.kallsyms->names >= begin && image.kallsyms->names_end <= end);
  }
  static_cast<void>(search_banner(probe, memory, begin, end));
  static_cast<void>(find_vmcoreinfo(guest));
  static_cast<void>(find_vmcoreinfo_by_pointer(probe, memory, {begin, begin + kSize / 2, arch.word_size, {}}));
  static_cast<void>(find_root_beside(guest.memory(), arch, cpus));
  if (const auto info = Vmcoreinfo::parse(std::string_view(reinterpret_cast<const char*>(data), size))) {
    static_cast<void>(find_root_by_vmcoreinfo(guest, arch, cpus, *info));
  }
  const auto head = find_module_head(probe, memory, {arch, begin, begin + kSize / 2, {}});
  check(!head || (*head >= begin && *head < end));
  KernelModule module;
  module.structure = begin + kSize / 2;
  module.text_begin = begin + kSize / 4;
  module.text_end = begin + kSize / 2;
  static_cast<void>(read_module_use(memory, std::span(&module, 1), arch.word_size, 64));
  if (place.arch == ArchId::arm32) {
    for (const EhabiTable& table : find_kernel_ehabi(memory, begin, end, code)) {
      check(table.index >= begin && table.index + std::uint64_t{table.count} * 8 <= end);
    }
    static_cast<void>(find_module_ehabi(memory, module));
  } else if (place.arch == ArchId::x86_64) {
    for (const OrcTable& table : find_kernel_orc(memory, begin, end, code).tables) {
      check(table.ip >= begin && table.ip + std::uint64_t{table.count} * 4 <= end);
    }
    static_cast<void>(find_module_orc(memory, module, begin));
  }
  // All of it in the order in which a session asks.
  static_cast<void>(Kernel::look_round({.guest = guest,
                                        .arch = arch,
                                        .cpus = cpus,
                                        .memory = memory,
                                        .search = memory,
                                        .symbol_files = {},
                                        .kernel_start = std::nullopt,
                                        .force = false}));
  return 0;
}
