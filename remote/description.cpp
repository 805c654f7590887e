// SPDX-License-Identifier: LGPL-2.1-or-later
#include "remote/description.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <set>
#include <span>
#include <string_view>

#include "arch/find_register.h"
#include "remote/packet.h"

namespace xstack::remote {
namespace {

/// A register of a feature: GDB's name of it, its width there, its type, and ours where that differs.
struct Entry {
  const char* name;
  unsigned bits;
  const char* type = "";
  const char* ours = nullptr;
};

// The order is GDB's (gdb/features/arm/arm-core.xml, aarch64-core.xml, i386/64bit-core.xml, 32bit-core.xml and their
// sse and segments files): it is part of the protocol.
constexpr Entry kArm[] = {
    {"r0", 32},   {"r1", 32},
    {"r2", 32},   {"r3", 32},
    {"r4", 32},   {"r5", 32},
    {"r6", 32},   {"r7", 32},
    {"r8", 32},   {"r9", 32},
    {"r10", 32},  {"r11", 32},
    {"r12", 32},  {"sp", 32, "data_ptr"},
    {"lr", 32},   {"pc", 32, "code_ptr"},
    {"cpsr", 32},
};
constexpr Entry kAarch64[] = {
    {"x0", 64},
    {"x1", 64},
    {"x2", 64},
    {"x3", 64},
    {"x4", 64},
    {"x5", 64},
    {"x6", 64},
    {"x7", 64},
    {"x8", 64},
    {"x9", 64},
    {"x10", 64},
    {"x11", 64},
    {"x12", 64},
    {"x13", 64},
    {"x14", 64},
    {"x15", 64},
    {"x16", 64},
    {"x17", 64},
    {"x18", 64},
    {"x19", 64},
    {"x20", 64},
    {"x21", 64},
    {"x22", 64},
    {"x23", 64},
    {"x24", 64},
    {"x25", 64},
    {"x26", 64},
    {"x27", 64},
    {"x28", 64},
    {"x29", 64},
    {"x30", 64},
    {"sp", 64, "data_ptr"},
    {"pc", 64, "code_ptr"},
    {"cpsr", 32, "", "pstate"},
};
constexpr Entry kX87[] = {
    {"st0", 80, "i387_ext"},
    {"st1", 80, "i387_ext"},
    {"st2", 80, "i387_ext"},
    {"st3", 80, "i387_ext"},
    {"st4", 80, "i387_ext"},
    {"st5", 80, "i387_ext"},
    {"st6", 80, "i387_ext"},
    {"st7", 80, "i387_ext"},
    {"fctrl", 32},
    {"fstat", 32},
    {"ftag", 32},
    {"fiseg", 32},
    {"fioff", 32},
    {"foseg", 32},
    {"fooff", 32},
    {"fop", 32},
};
constexpr Entry kAmd64[] = {
    {"rax", 64},
    {"rbx", 64},
    {"rcx", 64},
    {"rdx", 64},
    {"rsi", 64},
    {"rdi", 64},
    {"rbp", 64, "data_ptr"},
    {"rsp", 64, "data_ptr"},
    {"r8", 64},
    {"r9", 64},
    {"r10", 64},
    {"r11", 64},
    {"r12", 64},
    {"r13", 64},
    {"r14", 64},
    {"r15", 64},
    {"rip", 64, "code_ptr"},
    {"eflags", 32, "", "rflags"},
    {"cs", 32},
    {"ss", 32},
    {"ds", 32},
    {"es", 32},
    {"fs", 32},
    {"gs", 32},
};
constexpr Entry kI386[] = {
    {"eax", 32},
    {"ecx", 32},
    {"edx", 32},
    {"ebx", 32},
    {"esp", 32, "data_ptr"},
    {"ebp", 32, "data_ptr"},
    {"esi", 32},
    {"edi", 32},
    {"eip", 32, "code_ptr"},
    {"eflags", 32},
    {"cs", 32},
    {"ss", 32},
    {"ds", 32},
    {"es", 32},
    {"fs", 32},
    {"gs", 32},
};
constexpr Entry kSse[] = {
    {"xmm0", 128, "uint128"},  {"xmm1", 128, "uint128"},  {"xmm2", 128, "uint128"},  {"xmm3", 128, "uint128"},
    {"xmm4", 128, "uint128"},  {"xmm5", 128, "uint128"},  {"xmm6", 128, "uint128"},  {"xmm7", 128, "uint128"},
    {"xmm8", 128, "uint128"},  {"xmm9", 128, "uint128"},  {"xmm10", 128, "uint128"}, {"xmm11", 128, "uint128"},
    {"xmm12", 128, "uint128"}, {"xmm13", 128, "uint128"}, {"xmm14", 128, "uint128"}, {"xmm15", 128, "uint128"},
};
constexpr Entry kMxcsr[] = {{"mxcsr", 32}};
constexpr Entry kSegments[] = {{"fs_base", 64}, {"gs_base", 64, "", "gs_base_kernel"}};

}  // namespace

struct Description::Feature {
  const char* name;
  std::vector<Entry> entries;
};

namespace {

template <std::size_t... N>
std::vector<Entry> join(const Entry (&... lists)[N]) {
  std::vector<Entry> all;
  (all.insert(all.end(), std::begin(lists), std::end(lists)), ...);
  return all;
}

const char* architecture_name(ArchId id) {
  switch (id) {
    case ArchId::arm32:
      return "arm";
    case ArchId::arm64:
      return "aarch64";
    case ArchId::x86_32:
      return "i386";
    case ArchId::x86_64:
      break;
  }
  return "i386:x86-64";
}

}  // namespace

Description::Description(const ArchOps& arch) : arch_(arch.id) {
  std::vector<Feature> features;
  switch (arch.id) {
    case ArchId::arm32:
      features.push_back({"org.gnu.gdb.arm.core", join(kArm)});
      break;
    case ArchId::arm64:
      features.push_back({"org.gnu.gdb.aarch64.core", join(kAarch64)});
      break;
    case ArchId::x86_32: {
      std::vector<Entry> sse(std::begin(kSse), std::begin(kSse) + 8);
      sse.push_back(kMxcsr[0]);
      features.push_back({"org.gnu.gdb.i386.core", join(kI386, kX87)});
      features.push_back({"org.gnu.gdb.i386.sse", std::move(sse)});
      break;
    }
    case ArchId::x86_64:
      features.push_back({"org.gnu.gdb.i386.core", join(kAmd64, kX87)});
      features.push_back({"org.gnu.gdb.i386.sse", join(kSse, kMxcsr)});
      features.push_back({"org.gnu.gdb.i386.segments", join(kSegments)});
      break;
  }
  std::set<std::string_view> taken;
  for (const Feature& feature : features) {
    for (const Entry& entry : feature.entries) {
      taken.insert(entry.ours != nullptr ? entry.ours : entry.name);
    }
  }
  Feature rest{"org.xstack.registers", {}};
  for (const RegisterInfo& info : arch.registers) {
    if (!taken.contains(info.name)) {
      rest.entries.push_back({info.name, info.bits <= 32 ? 32U : 64U});
    }
  }
  xml_ = fmt::format(
      "<?xml version=\"1.0\"?>\n<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n<target version=\"1.0\">\n"
      "<architecture>{}</architecture>\n",
      architecture_name(arch.id));
  for (const Feature& feature : features) {
    add(feature, arch);
  }
  if (!rest.entries.empty()) {
    add(rest, arch);
  }
  xml_ += "</target>\n";
}

std::optional<std::size_t> Description::position(std::uint64_t number) const {
  constexpr std::uint64_t kCpsr = 25;
  constexpr std::uint64_t kGone = 9;
  if (arch_ == ArchId::arm32 && number >= 16) {
    if (number < kCpsr) {
      return std::nullopt;
    }
    number -= kGone;
  }
  return number < registers_.size() ? std::optional(static_cast<std::size_t>(number)) : std::nullopt;
}

void Description::add(const Feature& feature, const ArchOps& arch) {
  xml_ += fmt::format("<feature name=\"{}\">\n", feature.name);
  for (const Entry& entry : feature.entries) {
    const bool arm_status = arch.id == ArchId::arm32 && std::string_view(entry.name) == "cpsr";
    xml_ += fmt::format("<reg name=\"{}\" bitsize=\"{}\"{}{}/>\n", entry.name, entry.bits,
                        *entry.type == '\0' ? std::string() : fmt::format(" type=\"{}\"", entry.type),
                        arm_status ? " regnum=\"25\"" : "");  // 16 to 24 were the FPA's
    registers_.push_back(
        {entry.name, entry.bits, entry.type, find_register(arch, entry.ours != nullptr ? entry.ours : entry.name)});
  }
  xml_ += "</feature>\n";
}

std::string Description::value(const RegisterFile& file, std::size_t number) const {
  const RemoteRegister& reg = registers_.at(number);
  const auto value = reg.source ? file.get(*reg.source) : std::nullopt;
  const std::size_t bytes = reg.bits / 8;
  if (!value) {
    std::string unknown(bytes * 2, 'x');
    return unknown;
  }
  const auto all = std::as_bytes(std::span(&*value, 1));  // little-endian, and so is every guest
  return to_hex(all.first(std::min(bytes, all.size())));
}

std::string Description::values(const RegisterFile& file) const {
  std::string out;
  for (std::size_t i = 0; i < registers_.size(); ++i) {
    out += value(file, i);
  }
  return out;
}

}  // namespace xstack::remote
