// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/code_data.h"

#include <array>
#include <optional>
#include <set>

#include "base/endian.h"

namespace xstack {
namespace {

/// Arm Architecture Reference Manual, ADRP: a page relative to the instruction's own.
std::optional<std::uint64_t> adrp_target(std::uint64_t pc, std::uint32_t instruction) {
  if ((instruction & 0x9f000000) != 0x90000000) {
    return std::nullopt;
  }
  const std::uint64_t immediate = (instruction >> 29 & 3) | (instruction >> 5 & 0x7ffff) << 2;
  return (pc & ~(kXenPageSize - 1)) + (static_cast<std::uint64_t>(sign_extend(immediate, 21)) << 12);
}

template <class Take>
void arm64_addresses(const CodePiece& code, const Take& take) {
  for (std::size_t at = 0; at + 4 <= code.bytes.size(); at += 4) {
    if (const auto page = adrp_target(code.at.value + at, load_le<std::uint32_t>(code.bytes.data() + at))) {
      take(*page);
    }
  }
}

/// MOVW and MOVT (A32 encodings A2 and A1) set the halves of a register; older code loads words that stand beside it.
template <class Take>
void arm32_addresses(const CodePiece& code, const Take& take) {
  std::array<std::uint32_t, 16> low{};
  for (std::size_t at = 0; at + 4 <= code.bytes.size(); at += 4) {
    const auto word = load_le<std::uint32_t>(code.bytes.data() + at);
    take(word);
    const std::uint32_t immediate = (word >> 4 & 0xf000) | (word & 0xfff);
    const std::size_t target = word >> 12 & 15;
    if ((word & 0x0ff00000) == 0x03000000) {
      low[target] = immediate;
    } else if ((word & 0x0ff00000) == 0x03400000) {
      take(immediate << 16 | low[target]);
    }
  }
}

template <class Take>
void x86_addresses(const CodePiece& code, bool wide, const Take& take) {
  for (std::size_t at = 0; at + 4 <= code.bytes.size(); ++at) {
    const auto field = load_le<std::uint32_t>(code.bytes.data() + at);
    if (!wide) {
      take(field);
      continue;
    }
    const auto extended = static_cast<std::uint64_t>(sign_extend(field, 32));
    take(extended);
    take(code.at.value + at + 4 + extended);
  }
}

}  // namespace

std::vector<GuestVirt> pages_named_by_code(ArchId arch, const CodePiece& code, GuestVirt begin, GuestVirt end) {
  std::set<GuestVirt> pages;
  const auto take = [&](std::uint64_t address) {
    const GuestVirt page(address & ~(kXenPageSize - 1));
    for (const GuestVirt one : {page, page + kXenPageSize}) {
      if (one >= GuestVirt(begin.value & ~(kXenPageSize - 1)) && one < end) {
        pages.insert(one);
      }
    }
  };
  switch (arch) {
    case ArchId::arm64:
      arm64_addresses(code, take);
      break;
    case ArchId::arm32:
      arm32_addresses(code, take);
      break;
    case ArchId::x86_32:
    case ArchId::x86_64:
      x86_addresses(code, arch == ArchId::x86_64, take);
      break;
  }
  return {pages.begin(), pages.end()};
}

}  // namespace xstack
