// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/x86/registers.h"

#include <array>

namespace xstack::x86 {
namespace {

// DWARF numbers: System V psABI for x86-64, figure 3.36, and for i386, table 2.14.
constexpr std::array<RegisterInfo, kR64Count> kRegisters64 = {{
    {"rax", 64, RegisterGroup::general, nullptr, 0},
    {"rbx", 64, RegisterGroup::general, nullptr, 3},
    {"rcx", 64, RegisterGroup::general, nullptr, 2},
    {"rdx", 64, RegisterGroup::general, nullptr, 1},
    {"rsi", 64, RegisterGroup::general, nullptr, 4},
    {"rdi", 64, RegisterGroup::general, nullptr, 5},
    {"rbp", 64, RegisterGroup::general, nullptr, 6},
    {"rsp", 64, RegisterGroup::general, nullptr, 7},
    {"r8", 64, RegisterGroup::general, nullptr, 8},
    {"r9", 64, RegisterGroup::general, nullptr, 9},
    {"r10", 64, RegisterGroup::general, nullptr, 10},
    {"r11", 64, RegisterGroup::general, nullptr, 11},
    {"r12", 64, RegisterGroup::general, nullptr, 12},
    {"r13", 64, RegisterGroup::general, nullptr, 13},
    {"r14", 64, RegisterGroup::general, nullptr, 14},
    {"r15", 64, RegisterGroup::general, nullptr, 15},
    {"rip", 64, RegisterGroup::general, nullptr, 16},
    {"rflags", 64, RegisterGroup::status, nullptr, 49},
    {"cs", 16, RegisterGroup::status, nullptr, 51},
    {"ss", 16, RegisterGroup::status, nullptr, 52},
    {"ds", 16, RegisterGroup::status, nullptr, 53},
    {"es", 16, RegisterGroup::status, nullptr, 50},
    {"fs", 16, RegisterGroup::status, nullptr, 54},
    {"gs", 16, RegisterGroup::status, nullptr, 55},
    {"fs_base", 64, RegisterGroup::system, nullptr, 58},
    {"gs_base_kernel", 64, RegisterGroup::system, nullptr, -1},
    {"gs_base_user", 64, RegisterGroup::system, nullptr, -1},
    {"cr0", 64, RegisterGroup::system, nullptr, -1},
    {"cr2", 64, RegisterGroup::system, nullptr, -1},
    {"cr3", 64, RegisterGroup::system, nullptr, -1},
    {"cr4", 64, RegisterGroup::system, nullptr, -1},
    {"cr3_user", 64, RegisterGroup::system, nullptr, -1},
    {"efer", 64, RegisterGroup::system, nullptr, -1},
    {"dr0", 64, RegisterGroup::system, nullptr, -1},
    {"dr1", 64, RegisterGroup::system, nullptr, -1},
    {"dr2", 64, RegisterGroup::system, nullptr, -1},
    {"dr3", 64, RegisterGroup::system, nullptr, -1},
    {"dr6", 64, RegisterGroup::system, nullptr, -1},
    {"dr7", 64, RegisterGroup::system, nullptr, -1},
    {"lstar", 64, RegisterGroup::system, nullptr, -1},
    {"idtr_base", 64, RegisterGroup::system, nullptr, -1},
    {"gdtr_base", 64, RegisterGroup::system, nullptr, -1},
    {"tr_base", 64, RegisterGroup::system, nullptr, -1},
}};

constexpr std::array<RegisterInfo, kR32Count> kRegisters32 = {{
    {"eax", 32, RegisterGroup::general, nullptr, 0},       {"ebx", 32, RegisterGroup::general, nullptr, 3},
    {"ecx", 32, RegisterGroup::general, nullptr, 1},       {"edx", 32, RegisterGroup::general, nullptr, 2},
    {"esi", 32, RegisterGroup::general, nullptr, 6},       {"edi", 32, RegisterGroup::general, nullptr, 7},
    {"ebp", 32, RegisterGroup::general, nullptr, 5},       {"esp", 32, RegisterGroup::general, nullptr, 4},
    {"eip", 32, RegisterGroup::general, nullptr, 8},       {"eflags", 32, RegisterGroup::status, nullptr, 9},
    {"cs", 16, RegisterGroup::status, nullptr, 41},        {"ss", 16, RegisterGroup::status, nullptr, 42},
    {"ds", 16, RegisterGroup::status, nullptr, 43},        {"es", 16, RegisterGroup::status, nullptr, 40},
    {"fs", 16, RegisterGroup::status, nullptr, 44},        {"gs", 16, RegisterGroup::status, nullptr, 45},
    {"cr0", 32, RegisterGroup::system, nullptr, -1},       {"cr2", 32, RegisterGroup::system, nullptr, -1},
    {"cr3", 32, RegisterGroup::system, nullptr, -1},       {"cr4", 32, RegisterGroup::system, nullptr, -1},
    {"efer", 32, RegisterGroup::system, nullptr, -1},      {"dr0", 32, RegisterGroup::system, nullptr, -1},
    {"dr1", 32, RegisterGroup::system, nullptr, -1},       {"dr2", 32, RegisterGroup::system, nullptr, -1},
    {"dr3", 32, RegisterGroup::system, nullptr, -1},       {"dr6", 32, RegisterGroup::system, nullptr, -1},
    {"dr7", 32, RegisterGroup::system, nullptr, -1},       {"idtr_base", 32, RegisterGroup::system, nullptr, -1},
    {"gdtr_base", 32, RegisterGroup::system, nullptr, -1}, {"tr_base", 32, RegisterGroup::system, nullptr, -1},
}};

}  // namespace

std::span<const RegisterInfo> registers64() {
  return kRegisters64;
}

std::span<const RegisterInfo> registers32() {
  return kRegisters32;
}

}  // namespace xstack::x86
