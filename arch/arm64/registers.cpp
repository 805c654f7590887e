// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/arm64/registers.h"

#include <array>

namespace xstack::arm64 {

namespace {

using enum RegisterGroup;

// DWARF numbers: DWARF for the Arm 64-bit Architecture, table "DWARF register numbers".
constexpr std::array<RegisterInfo, 42> kTable{{
    {"x0", 64, general, nullptr, 0},     {"x1", 64, general, nullptr, 1},       {"x2", 64, general, nullptr, 2},
    {"x3", 64, general, nullptr, 3},     {"x4", 64, general, nullptr, 4},       {"x5", 64, general, nullptr, 5},
    {"x6", 64, general, nullptr, 6},     {"x7", 64, general, nullptr, 7},       {"x8", 64, general, nullptr, 8},
    {"x9", 64, general, nullptr, 9},     {"x10", 64, general, nullptr, 10},     {"x11", 64, general, nullptr, 11},
    {"x12", 64, general, nullptr, 12},   {"x13", 64, general, nullptr, 13},     {"x14", 64, general, nullptr, 14},
    {"x15", 64, general, nullptr, 15},   {"x16", 64, general, nullptr, 16},     {"x17", 64, general, nullptr, 17},
    {"x18", 64, general, nullptr, 18},   {"x19", 64, general, nullptr, 19},     {"x20", 64, general, nullptr, 20},
    {"x21", 64, general, nullptr, 21},   {"x22", 64, general, nullptr, 22},     {"x23", 64, general, nullptr, 23},
    {"x24", 64, general, nullptr, 24},   {"x25", 64, general, nullptr, 25},     {"x26", 64, general, nullptr, 26},
    {"x27", 64, general, nullptr, 27},   {"x28", 64, general, nullptr, 28},     {"x29", 64, general, nullptr, 29},
    {"x30", 64, general, nullptr, 30},   {"sp", 64, general, nullptr, 31},      {"pc", 64, general, nullptr, 32},
    {"pstate", 64, status, nullptr, -1}, {"sp_el0", 64, banked, "EL0", -1},     {"sp_el1", 64, banked, "EL1", -1},
    {"elr_el1", 64, banked, "EL1", 33},  {"spsr_el1", 64, status, nullptr, -1}, {"sctlr", 64, system, nullptr, -1},
    {"tcr", 64, system, nullptr, -1},    {"ttbr0", 64, system, nullptr, -1},    {"ttbr1", 64, system, nullptr, -1},
}};

static_assert(kTable.size() == kTtbr1 + 1U);

}  // namespace

std::span<const RegisterInfo> register_table() {
  return kTable;
}

}  // namespace xstack::arm64
