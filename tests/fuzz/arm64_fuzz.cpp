// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "arch/arch.h"
#include "arch/translated_memory.h"
#include "guest/guest.h"
#include "unwind/walker.h"

namespace {

using namespace xstack;

/// Physical memory of some pages, repeated: whatever address a table or a record holds, there is something.
class Repeated final : public PhysMemory {
 public:
  explicit Repeated(std::span<const std::byte> bytes) : bytes_(bytes) {}
  [[nodiscard]] tl::expected<std::size_t, Fault> read_some(GuestPhys at, std::span<std::byte> out) override {
    if (bytes_.empty()) {
      return tl::unexpected(Fault{FaultKind::absent, at.value});
    }
    const std::size_t offset = at.value % bytes_.size();
    const std::size_t n = std::min(out.size(), bytes_.size() - offset);
    std::memcpy(out.data(), bytes_.data() + offset, n);
    return n;
  }

 private:
  std::span<const std::byte> bytes_;
};

class AllCode final : public CodeInfo {
 public:
  [[nodiscard]] std::optional<CodeSymbol> function_at(GuestVirt address) override {
    return CodeSymbol{(address.value & 0x100) != 0 ? "el1_irq" : "vectors", GuestVirt(address.value & ~0xffULL), 0, {}};
  }
  [[nodiscard]] std::optional<bool> is_code(GuestVirt address) override { return (address.value & 0x200) != 0; }
  [[nodiscard]] std::optional<GuestVirt> address_of(std::string_view) override { return std::nullopt; }
};

}  // namespace

// The first 352 bytes are a vCPU's context, the rest is its memory: decoding, page walks and the whole unwinder.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kContext = 352;
  if (size < kContext) {
    return 0;
  }
  const auto bytes = std::as_bytes(std::span(data, size));
  VcpuContext vcpu;
  vcpu.context.assign(bytes.begin(), bytes.begin() + kContext);
  const auto cpu = arch_ops(ArchId::arm64).decode(GuestIdentity{}, vcpu);
  if (!cpu) {
    return 0;
  }
  Repeated physical(bytes.subspan(kContext));
  TranslatedMemory memory(physical, cpu->translations);
  memory.add(arch_ops(ArchId::arm64).translation_with_root(*cpu, GuestPhys(0)));
  AllCode code;
  const UnwindTables tables;
  StepContext context{*cpu, memory, code, tables, (data[0] & 1) != 0};
  static_cast<void>(walk_stack(context));
  return 0;
}
