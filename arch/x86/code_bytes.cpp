// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/x86/code_bytes.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include "base/endian.h"

namespace xstack::x86 {
namespace {

/// Kernel image and modules live in the top 2 GiB of a 64-bit kernel (Documentation/arch/x86/x86_64/mm.rst).
constexpr std::uint64_t kKernelCodeBegin64 = 0xffff'ffff'8000'0000;

unsigned at(std::span<const std::byte> bytes, std::size_t i) {
  return std::to_integer<unsigned>(bytes[i]);
}

/// As many bytes as there are at `begin`, up to out.size().
std::span<const std::byte> read_prefix(VirtMemory& memory, GuestVirt begin, std::span<std::byte> out) {
  std::size_t done = 0;
  while (done < out.size() && begin.value + done >= begin.value) {
    const auto n = memory.read_some(begin + done, out.subspan(done));
    if (!n) {
      break;
    }
    done += *n;
  }
  return out.first(done);
}

/// The length of the no-op at the beginning of `bytes`, 0 when there is none. Where tracing is off the kernel puts one
/// of 5 bytes in place of the call to __fentry__; which, depends on width and processor (asm/nops.h).
std::size_t nop_length(std::span<const std::byte> bytes) {
  using namespace std::string_view_literals;
  static constexpr std::array kNops = {
      "\x90"sv,
      "\x66\x90"sv,
      "\x0f\x1f\x44\x00\x00"sv,
      "\x3e\x8d\x74\x26\x00"sv,  // lea ds:0(esi), esi: 32-bit
      "\x66\x66\x66\x66\x90"sv,
      "\x66\x66\x90\x66\x90"sv,
  };
  for (const std::string_view nop : kNops) {
    if (nop.size() <= bytes.size() && std::memcmp(bytes.data(), nop.data(), nop.size()) == 0) {
      return nop.size();
    }
  }
  return 0;
}

/// Whether FF /2 with the given ModRM (and SIB) has exactly `length` bytes counted from the FF.
bool is_indirect_call(std::span<const std::byte> insn) {
  if (insn.size() < 2 || at(insn, 0) != 0xff) {
    return false;
  }
  const unsigned modrm = at(insn, 1);
  if (((modrm >> 3) & 7) != 2) {
    return false;
  }
  const unsigned mod = modrm >> 6;
  const unsigned rm = modrm & 7;
  if (mod == 3) {
    return insn.size() == 2;
  }
  std::size_t length = 2;
  unsigned base = rm;
  if (rm == 4) {
    if (insn.size() < 3) {
      return false;
    }
    base = at(insn, 2) & 7;
    length = 3;
  }
  if (mod == 1) {
    length += 1;
  } else if (mod == 2 || base == 5) {
    length += 4;
  }
  return insn.size() == length;
}

}  // namespace

std::optional<CallSite> call_before(VirtMemory& memory, GuestVirt address, unsigned word_size) {
  std::array<std::byte, 7> before{};
  std::size_t have = before.size();
  // The bytes may begin on an unreadable page: then a shorter form may still be there.
  while (have >= 2 && !memory.read(address - have, std::span(before).last(have))) {
    --have;
  }
  if (have < 2) {
    return std::nullopt;
  }
  const std::span<const std::byte> bytes = std::span(before).last(have);
  if (have >= 5 && at(bytes, have - 5) == 0xe8) {
    const auto offset = load_le<std::uint32_t>(&bytes[have - 4]);
    GuestVirt target = address + static_cast<std::uint64_t>(sign_extend(offset, 32));
    if (word_size == 4) {
      target = GuestVirt(target.value & 0xffff'ffff);
    }
    return CallSite{target};
  }
  for (std::size_t length = 2; length <= have; ++length) {
    if (is_indirect_call(bytes.last(length))) {
      return CallSite{};
    }
  }
  return std::nullopt;
}

std::optional<CallSite> return_address(VirtMemory& memory, CodeInfo& code, GuestVirt address, unsigned word_size) {
  const GuestVirt call = address - 1;
  const auto known = code.is_code(call);
  if (word_size == 8 ? call.value < kKernelCodeBegin64 : call.value >> 32 != 0) {
    if (known != true) {
      return std::nullopt;
    }
  }
  if (known == false && word_size == 4) {
    return std::nullopt;
  }
  if (known == false && code.function_at(call)) {
    return std::nullopt;  // a data symbol
  }
  return call_before(memory, address, word_size);
}

bool is_thunk(std::string_view function) {
  static constexpr std::array<std::string_view, 8> kPrefixes = {
      "__x86_indirect_",  "__x86_return_thunk",      "srso_",           "retbleed_",
      "its_return_thunk", "call_depth_return_thunk", "zen_untrain_ret", "__pi___x86_return_thunk"};
  return std::any_of(kPrefixes.begin(), kPrefixes.end(), [&](auto p) { return function.starts_with(p); });
}

FrameState frame_state(VirtMemory& memory, GuestVirt begin, GuestVirt pc, unsigned word_size) {
  if (pc < begin) {
    return FrameState::none;
  }
  std::array<std::byte, 48> buffer{};
  const auto bytes = read_prefix(memory, begin, buffer);
  // Skip what precedes the prologue: endbr, the call to (or nop in place of) __fentry__, padding nops.
  std::size_t i = 0;
  const auto matches = [&](std::string_view pattern) {
    return i + pattern.size() <= bytes.size() && std::memcmp(&bytes[i], pattern.data(), pattern.size()) == 0;
  };
  using namespace std::string_view_literals;
  for (unsigned skipped = 0; skipped < 8 && i < bytes.size(); ++skipped) {
    if (matches("\xf3\x0f\x1e\xfa"sv) || matches("\xf3\x0f\x1e\xfb"sv)) {
      i += 4;
    } else if (matches("\xe8"sv)) {
      i += 5;
    } else if (const std::size_t nop = nop_length(bytes.subspan(i))) {
      i += nop;
    } else {
      break;
    }
  }
  if (i >= bytes.size() || at(bytes, i) != 0x55) {
    return FrameState::none;
  }
  const std::size_t push = i;
  // The compiler may put a few instructions between the push and the move.
  const std::string_view move_a = word_size == 8 ? "\x48\x89\xe5"sv : "\x89\xe5"sv;
  const std::string_view move_b = word_size == 8 ? "\x48\x8b\xec"sv : "\x8b\xec"sv;
  for (i = push + 1; i < std::min<std::size_t>(push + 16, bytes.size()); ++i) {
    if (matches(move_a) || matches(move_b)) {
      break;
    }
  }
  if (i >= std::min<std::size_t>(push + 16, bytes.size())) {
    return FrameState::none;
  }
  const std::uint64_t offset = pc - begin;
  if (offset <= push) {
    return FrameState::before;
  }
  if (offset < i + move_a.size()) {
    return FrameState::pushed;
  }
  // An epilogue that has popped bp already: at `ret`, or at a jump to a return thunk or a tail call.
  std::array<std::byte, 2> here{};
  if (memory.read(pc - 1, here)) {
    const unsigned last = at(here, 0);
    const unsigned next = at(here, 1);
    if ((last == 0x5d || last == 0xc9) && (next == 0xc3 || next == 0xe9 || next == 0xeb || next == 0xcc)) {
      return FrameState::before;
    }
  }
  return FrameState::built;
}

bool is_return(VirtMemory& memory, GuestVirt pc) {
  std::array<std::byte, 2> buffer{};
  const auto bytes = read_prefix(memory, pc, buffer);
  if (bytes.empty()) {
    return false;
  }
  const bool repeated = bytes.size() == 2 && at(bytes, 0) == 0xf3 && at(bytes, 1) == 0xc3;
  return at(bytes, 0) == 0xc3 || at(bytes, 0) == 0xc2 || repeated;
}

std::optional<unsigned> stub_words_pushed(std::span<const std::byte> code_to_pc) {
  unsigned words = 0;
  std::size_t i = 0;
  const auto is = [&](std::size_t n, unsigned byte) {
    return i + n < code_to_pc.size() && at(code_to_pc, i + n) == byte;
  };
  while (i < code_to_pc.size()) {
    const unsigned op = at(code_to_pc, i);
    if (op >= 0x50 && op <= 0x57) {
      ++words;
      i += 1;
    } else if (op == 0x41 && i + 1 < code_to_pc.size() && (at(code_to_pc, i + 1) & 0xf8) == 0x50) {
      ++words;
      i += 2;
    } else if (op >= 0x58 && op <= 0x5f && words > 0) {
      --words;
      i += 1;
    } else if (op == 0x41 && i + 1 < code_to_pc.size() && (at(code_to_pc, i + 1) & 0xf8) == 0x58 && words > 0) {
      --words;
      i += 2;
    } else if (op == 0xb8) {
      i += 5;
    } else if (op == 0x0f && is(1, 0x05)) {
      i += 2;  // syscall
    } else if (op == 0xcd && is(1, 0x82)) {
      i += 2;  // int $0x82: 32-bit PV
    } else if (op == 0x0f && is(1, 0x01) && (is(2, 0xc1) || is(2, 0xd9))) {
      i += 3;  // vmcall, vmmcall
    } else if (op == 0xf3 && is(1, 0x0f) && is(2, 0x1e)) {
      i += 4;  // endbr
    } else {
      return std::nullopt;
    }
  }
  return i == code_to_pc.size() ? std::optional(words) : std::nullopt;
}

}  // namespace xstack::x86
