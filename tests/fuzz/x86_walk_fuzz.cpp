// SPDX-License-Identifier: LGPL-2.1-or-later
// x86 page walks over arbitrary physical memory, in every mode; and contexts of any content.
#include <algorithm>
#include <cstring>
#include <span>

#include "arch/x86/decode.h"
#include "arch/x86/paging.h"
#include "base/endian.h"

namespace {

using namespace xstack;

/// Physical memory that repeats the input.
class Repeating final : public PhysMemory {
 public:
  explicit Repeating(std::span<const std::byte> data) : data_(data) {}
  tl::expected<std::size_t, Fault> read_some(GuestPhys at, std::span<std::byte> out) override {
    if (data_.empty()) {
      return tl::unexpected(Fault{FaultKind::absent, at.value});
    }
    for (std::size_t i = 0; i < out.size(); ++i) {
      out[i] = data_[(at.value + i) % data_.size()];
    }
    return out.size();
  }

 private:
  std::span<const std::byte> data_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  Repeating memory(bytes);
  const GuestVirt va(load_le_at<std::uint64_t>(bytes, 0).value_or(0));
  const std::uint64_t cr3 = load_le_at<std::uint64_t>(bytes, 8).value_or(0);
  for (const auto mode : {x86::PagingMode::off, x86::PagingMode::two, x86::PagingMode::pae, x86::PagingMode::four,
                          x86::PagingMode::five}) {
    const GuestPhys root = x86::root_of_cr3(mode, cr3);
    const auto mapping = x86::PageTables({mode, root}).walk(memory, va);
    if (mapping && (mapping->left == 0 || mapping->left > mapping->page_size)) {
      __builtin_trap();
    }
    static_cast<void>(x86::IsolatedKernelTables(mode, root).walk(memory, va));
  }
  for (const auto type : {GuestType::pv, GuestType::hvm}) {
    for (const std::size_t length : {std::size_t{5168}, std::size_t{2800}, size}) {
      VcpuContext vcpu;
      vcpu.context.resize(length);
      const std::size_t n = std::min(length, size);
      if (n != 0) {
        std::memcpy(vcpu.context.data(), data, n);
      }
      vcpu.hvm_record.assign(bytes.begin(), bytes.end());
      GuestIdentity guest;
      guest.type = type;
      for (auto* decode : {x86::decode64, x86::decode32}) {
        if (const auto cpu = decode(guest, vcpu); cpu && cpu->translations.empty()) {
          __builtin_trap();
        }
      }
    }
  }
  return 0;
}
