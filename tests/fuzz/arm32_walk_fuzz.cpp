// SPDX-License-Identifier: LGPL-2.1-or-later
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "arch/arm32/registers.h"
#include "arch/arm32/translations.h"

namespace {

/// The input, over and over.
class Repeated final : public xstack::PhysMemory {
 public:
  explicit Repeated(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}
  tl::expected<std::size_t, xstack::Fault> read_some(xstack::GuestPhys at, std::span<std::byte> out) override {
    for (std::size_t i = 0; i < out.size(); ++i) {
      out[i] = std::byte{bytes_[(at.value + i) % bytes_.size()]};
    }
    return out.size();
  }

 private:
  std::span<const std::uint8_t> bytes_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kHead = 32;
  if (size <= kHead) {
    return 0;
  }
  std::uint64_t head[4];
  std::memcpy(head, data, kHead);
  xstack::RegisterFile regs;
  regs.set(xstack::arm32::kSctlr, 1);
  regs.set(xstack::arm32::kTtbcr, head[0]);
  regs.set(xstack::arm32::kTtbr0, head[1]);
  regs.set(xstack::arm32::kTtbr1, head[2]);
  Repeated memory(std::span(data, size).subspan(kHead));
  auto list = xstack::arm32::translations_of(regs);
  list.push_back(xstack::arm32::with_root(regs, xstack::GuestPhys(head[1])));
  for (const auto& translation : list) {
    const auto mapping = translation->walk(memory, xstack::GuestVirt(head[3] & 0xffffffff));
    if (mapping && (mapping->left == 0 || mapping->left > mapping->page_size)) {
      __builtin_trap();
    }
  }
  return 0;
}
