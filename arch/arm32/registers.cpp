// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/arm32/registers.h"

#include <array>

namespace xstack::arm32 {
namespace {

constexpr auto kGeneral = RegisterGroup::general;
constexpr auto kBanked = RegisterGroup::banked;
constexpr auto kStatus = RegisterGroup::status;
constexpr auto kSystem = RegisterGroup::system;

constexpr std::array<RegisterInfo, kRegisterCount> kTable{{
    {"r0", 32, kGeneral, nullptr, 0},     {"r1", 32, kGeneral, nullptr, 1},      {"r2", 32, kGeneral, nullptr, 2},
    {"r3", 32, kGeneral, nullptr, 3},     {"r4", 32, kGeneral, nullptr, 4},      {"r5", 32, kGeneral, nullptr, 5},
    {"r6", 32, kGeneral, nullptr, 6},     {"r7", 32, kGeneral, nullptr, 7},      {"r8", 32, kGeneral, nullptr, 8},
    {"r9", 32, kGeneral, nullptr, 9},     {"r10", 32, kGeneral, nullptr, 10},    {"r11", 32, kGeneral, nullptr, 11},
    {"r12", 32, kGeneral, nullptr, 12},   {"sp", 32, kGeneral, nullptr, 13},     {"lr", 32, kGeneral, nullptr, 14},
    {"pc", 32, kGeneral, nullptr, 15},    {"cpsr", 32, kStatus, nullptr, -1},    {"r8_usr", 32, kBanked, "USR", 144},
    {"r9_usr", 32, kBanked, "USR", 145},  {"r10_usr", 32, kBanked, "USR", 146},  {"r11_usr", 32, kBanked, "USR", 147},
    {"r12_usr", 32, kBanked, "USR", 148}, {"sp_usr", 32, kBanked, "USR", 149},   {"lr_usr", 32, kBanked, "USR", 150},
    {"sp_svc", 32, kBanked, "SVC", 165},  {"lr_svc", 32, kBanked, "SVC", 164},   {"spsr_svc", 32, kBanked, "SVC", 133},
    {"r8_fiq", 32, kBanked, "FIQ", 151},  {"r9_fiq", 32, kBanked, "FIQ", 152},   {"r10_fiq", 32, kBanked, "FIQ", 153},
    {"r11_fiq", 32, kBanked, "FIQ", 154}, {"r12_fiq", 32, kBanked, "FIQ", 155},  {"sp_fiq", 32, kBanked, "FIQ", 156},
    {"lr_fiq", 32, kBanked, "FIQ", 157},  {"spsr_fiq", 32, kBanked, "FIQ", 129}, {"sp_irq", 32, kBanked, "IRQ", 158},
    {"lr_irq", 32, kBanked, "IRQ", 159},  {"spsr_irq", 32, kBanked, "IRQ", 130}, {"sp_abt", 32, kBanked, "ABT", 160},
    {"lr_abt", 32, kBanked, "ABT", 161},  {"spsr_abt", 32, kBanked, "ABT", 131}, {"sp_und", 32, kBanked, "UND", 162},
    {"lr_und", 32, kBanked, "UND", 163},  {"spsr_und", 32, kBanked, "UND", 132}, {"sctlr", 32, kSystem, nullptr, -1},
    {"ttbcr", 32, kSystem, nullptr, -1},  {"ttbr0", 64, kSystem, nullptr, -1},   {"ttbr1", 64, kSystem, nullptr, -1},
}};

}  // namespace

std::span<const RegisterInfo> registers() {
  return kTable;
}

std::optional<Bank> bank_of(std::uint64_t psr) {
  switch (psr & kModeMask) {
    case kModeUsr:
      return Bank{"USR", "USR", kSpUsr, kLrUsr, std::nullopt};
    case kModeSys:
      return Bank{"SYS", "USR", kSpUsr, kLrUsr, std::nullopt};
    case kModeSvc:
      return Bank{"SVC", "SVC", kSpSvc, kLrSvc, kSpsrSvc};
    case kModeFiq:
      return Bank{"FIQ", "FIQ", kSpFiq, kLrFiq, kSpsrFiq};
    case kModeIrq:
      return Bank{"IRQ", "IRQ", kSpIrq, kLrIrq, kSpsrIrq};
    case kModeAbt:
      return Bank{"ABT", "ABT", kSpAbt, kLrAbt, kSpsrAbt};
    case kModeUnd:
      return Bank{"UND", "UND", kSpUnd, kLrUnd, kSpsrUnd};
    default:
      return std::nullopt;
  }
}

}  // namespace xstack::arm32
