// SPDX-License-Identifier: LGPL-2.1-or-later
// A .BTF section of arbitrary bytes: every look-up must end, and soon.
#include <algorithm>
#include <span>

#include "linux/btf.h"
#include "linux/task_layout.h"

namespace {

using namespace xstack;

class Bytes final : public VirtMemory {
 public:
  explicit Bytes(std::span<const std::byte> data) : data_(data) {}
  tl::expected<std::size_t, Fault> read_some(GuestVirt at, std::span<std::byte> out) override {
    if (at.value >= data_.size()) {
      return tl::unexpected(Fault{FaultKind::absent, at.value});
    }
    const auto part = data_.subspan(at.value);
    const std::size_t n = std::min(part.size(), out.size());
    std::copy_n(part.begin(), n, out.begin());
    return n;
  }

 private:
  std::span<const std::byte> data_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Bytes memory(std::as_bytes(std::span(data, size)));
  for (const ArchId arch : {ArchId::arm32, ArchId::arm64, ArchId::x86_64}) {
    const auto btf = Btf::open(memory, GuestVirt(0), arch_ops(arch).word_size, task_structures());
    if (!btf) {
      continue;
    }
    const auto layout = task_layout_of_btf(*btf, arch_ops(arch));
    if (layout && (layout->comm > kMaxTaskOffset || layout->saved > kMaxTaskOffset)) {
      __builtin_trap();
    }
    static_cast<void>(btf->size_of("task_struct"));
    static_cast<void>(btf->member("thread_info", "cpu_context.sp"));
  }
  return 0;
}
