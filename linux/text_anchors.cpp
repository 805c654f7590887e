// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/text_anchors.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include "base/checked.h"
#include "base/endian.h"

namespace xstack {
namespace {

constexpr std::uint64_t kClusterGap = 32U << 20;
constexpr std::size_t kMaxClusters = 6;
constexpr std::size_t kStackWords = 512;

struct Vote {
  std::uint64_t address;
  unsigned weight;
};

std::optional<std::uint64_t> register_named(const CpuState& cpu, std::string_view name) {
  for (std::size_t i = 0; i < cpu.arch->registers.size(); ++i) {
    if (name == cpu.arch->registers[i].name) {
      return cpu.regs.get(static_cast<RegisterIndex>(i));
    }
  }
  return std::nullopt;
}

/// Could a kernel's image be there at all? 32-bit kernels can be split anywhere from 1 GiB up.
bool in_kernel_half(ArchId arch, std::uint64_t value) {
  switch (arch) {
    case ArchId::arm32:
    case ArchId::x86_32:
      return value >= 0x40000000 && value < 0xffff0000;
    case ArchId::arm64:
      return value >= 0xff00000000000000;
    case ArchId::x86_64:
      break;
  }
  // The image and the modules of a 64-bit x86 Linux are in the topmost 2 GiB.
  return value >= 0xffffffff80000000 && value < 0xffffffffff000000;
}

unsigned arm64_va_bits(const CpuState& cpu) {
  const auto tcr = register_named(cpu, "tcr");
  const std::uint64_t t1sz = tcr ? (*tcr >> 16) & 0x3f : 16;
  return t1sz >= 12 && t1sz <= 39 ? static_cast<unsigned>(64 - t1sz) : 48;
}

/// One vCPU's votes: its registers, and the words on the stacks that its stack pointers point to.
class Ballot {
 public:
  Ballot(const ArchOps& arch, VirtMemory& memory, PageProbe& probe) : arch_(arch), memory_(memory), probe_(probe) {}

  void vote(const CpuState& cpu, std::uint64_t value, unsigned weight) {
    if (arch_.id == ArchId::arm64) {
      value = strip_arm64_address(value, arm64_va_bits(cpu));
    }
    if (in_kernel_half(arch_.id, value)) {
      votes_.push_back({value, weight});
    }
  }

  void vote_stack(const CpuState& cpu, std::uint64_t sp) {
    sp &= ~std::uint64_t{arch_.word_size - 1};
    // What lies below the stack pointer is stale, but stale return addresses point to code as well as live ones: this
    // is all there is of a vCPU in user mode, whose kernel stack is empty.
    const std::uint64_t page = sp & ~(kXenPageSize - 1);
    const std::uint64_t begin = cpu.user ? (page == sp ? page - kXenPageSize : page) : sp;
    std::array<std::byte, 8 * kStackWords> bytes{};
    const std::size_t want = at_most(bytes.size(), 2 * kXenPageSize - (begin - (begin & ~(kXenPageSize - 1))));
    std::size_t have = 0;
    while (have < want) {
      const auto n = memory_.read_some(GuestVirt(begin + have), std::span(bytes).subspan(have, want - have));
      if (!n || *n == 0) {
        break;
      }
      have += *n;
    }
    for (std::size_t at = 0; at + arch_.word_size <= have; at += arch_.word_size) {
      const std::uint64_t word =
          arch_.word_size == 4 ? load_le<std::uint32_t>(bytes.data() + at) : load_le<std::uint64_t>(bytes.data() + at);
      const std::uint64_t distance = word > sp ? word - sp : sp - word;
      if (distance > 4 * arch_.stack_size) {
        vote(cpu, word, 1);
      }
    }
  }

  [[nodiscard]] std::vector<AnchorCluster> count() {
    std::sort(votes_.begin(), votes_.end(), [](const Vote& a, const Vote& b) { return a.address < b.address; });
    std::erase_if(votes_, [&](const Vote& vote) { return !probe_.at(GuestVirt(vote.address)); });
    std::vector<GuestVirt> pages;
    for (const Vote& vote : votes_) {
      pages.emplace_back(vote.address);
    }
    memory_.prefetch(pages);
    std::vector<AnchorCluster> clusters;
    for (const Vote& vote : votes_) {
      std::byte any{};
      if (!memory_.read_some(GuestVirt(vote.address), std::span(&any, 1))) {
        continue;  // mapped, but nothing is there
      }
      if (clusters.empty() || vote.address - clusters.back().highest.value > kClusterGap) {
        clusters.push_back({GuestVirt(vote.address), GuestVirt(vote.address), 0});
      }
      clusters.back().highest = GuestVirt(vote.address);
      clusters.back().weight += vote.weight;
    }
    std::stable_sort(clusters.begin(), clusters.end(),
                     [](const AnchorCluster& a, const AnchorCluster& b) { return a.weight > b.weight; });
    clusters.resize(std::min(clusters.size(), kMaxClusters));
    return clusters;
  }

 private:
  const ArchOps& arch_;
  VirtMemory& memory_;
  PageProbe& probe_;
  std::vector<Vote> votes_;
};

/// Entry points that a 64-bit PV kernel registered with Xen: struct vcpu_guest_context of public/arch-x86/xen.h,
/// trap_ctxt[256] at 720 with the address at +8 of each 16 bytes, event, failsafe and syscall callbacks at 5112..5135.
void vote_pv_callbacks(Ballot& ballot, const CpuState& cpu, std::span<const std::byte> context) {
  constexpr std::size_t kContextSize = 5168;
  if (context.size() != kContextSize) {
    return;
  }
  for (std::size_t trap = 0; trap < 32; ++trap) {
    ballot.vote(cpu, load_le<std::uint64_t>(context.data() + 720 + 16 * trap + 8), 2);
  }
  for (const std::size_t at : {5112U, 5120U, 5128U}) {
    ballot.vote(cpu, load_le<std::uint64_t>(context.data() + at), 2);
  }
  ballot.vote_stack(cpu, load_le<std::uint64_t>(context.data() + 4976) - 2 * kXenPageSize);
}

}  // namespace

std::uint64_t strip_arm64_address(std::uint64_t value, unsigned va_bits) {
  const bool upper = ((value >> 55) & 1) != 0;
  return upper && va_bits < 64 ? value | (~std::uint64_t{0} << va_bits) : value;
}

std::vector<AnchorCluster> find_text_anchors(Guest& guest, const ArchOps& arch, std::span<const CpuState> cpus,
                                             VirtMemory& memory, PageProbe& probe) {
  Ballot ballot(arch, memory, probe);
  for (const CpuState& cpu : cpus) {
    for (std::size_t i = 0; i < arch.registers.size(); ++i) {
      const auto index = static_cast<RegisterIndex>(i);
      const auto value = cpu.regs.get(index);
      const RegisterInfo& info = arch.registers[i];
      if (!value || info.group == RegisterGroup::status) {
        continue;
      }
      const std::string_view name = info.name;
      if (name.starts_with("sp") || index == arch.sp) {
        if (!(cpu.user && index == arch.sp)) {
          ballot.vote_stack(cpu, *value);
        }
      } else if (index == arch.pc) {
        if (!cpu.user) {
          ballot.vote(cpu, *value, 64);
        }
      } else if (name == "lstar" || (name.starts_with("lr") && info.group == RegisterGroup::banked)) {
        ballot.vote(cpu, *value, 4);
      } else if (!cpu.user && info.group == RegisterGroup::general) {
        ballot.vote(cpu, *value, arch.lr == index ? 16 : 1);
      }
    }
  }
  if (guest.identity().type == GuestType::pv && arch.id == ArchId::x86_64 && !cpus.empty()) {
    if (const auto contexts = guest.vcpus()) {
      for (const VcpuContext& vcpu : *contexts) {
        vote_pv_callbacks(ballot, cpus.front(), vcpu.context);
      }
    }
  }
  if (arch.id == ArchId::arm32 && !cpus.empty()) {
    // PAGE_OFFSET of the usual splits, for when no vCPU shows more; the image starts within the first megabytes.
    for (const std::uint64_t page_offset : {0xc0000000U, 0x80000000U, 0xb0000000U, 0x40000000U}) {
      ballot.vote(cpus.front(), page_offset + 0x8000, 1);
      ballot.vote(cpus.front(), page_offset + 0x208000, 1);
    }
  }
  return ballot.count();
}

}  // namespace xstack
