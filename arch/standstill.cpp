// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/standstill.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "arch/arm32/standstill.h"
#include "arch/arm64/standstill.h"
#include "arch/x86/standstill.h"

namespace xstack {
namespace {

using Kind = PlainInstruction::Kind;

constexpr std::size_t kMaxLoop = 8;  // instructions

struct Step {
  GuestVirt at;
  PlainInstruction instruction;
};

/// The steps from `pc` back to an address seen before, or nothing when there is another instruction on the way.
std::optional<std::vector<Step>> closed_loop(GuestVirt pc,
                                             const std::function<std::optional<PlainInstruction>(GuestVirt)>& at) {
  std::vector<Step> steps;
  GuestVirt here = pc;
  while (steps.size() <= kMaxLoop) {
    const auto again = std::find_if(steps.begin(), steps.end(), [&](const Step& step) { return step.at == here; });
    if (again != steps.end()) {
      steps.erase(steps.begin(), again);
      return steps;
    }
    const auto instruction = at(here);
    if (!instruction || instruction->kind == Kind::other) {
      return std::nullopt;
    }
    steps.push_back({here, *instruction});
    here = instruction->kind == Kind::jumps ? here + static_cast<std::uint64_t>(instruction->distance)
                                            : here + instruction->bytes;
  }
  return std::nullopt;
}

std::optional<Standstill> waiting(const PlainInstruction& instruction, std::string how) {
  if (instruction.kind == Kind::waits_for_interrupt) {
    return Standstill{Standstill::Kind::waits_for_interrupt, std::move(how), std::nullopt};
  }
  if (instruction.kind == Kind::waits_for_event) {
    return Standstill{Standstill::Kind::waits_for_event, std::move(how), std::nullopt};
  }
  return std::nullopt;
}

}  // namespace

std::optional<Standstill> find_standstill(GuestVirt pc,
                                          const std::function<std::optional<PlainInstruction>(GuestVirt)>& at,
                                          const std::function<std::optional<PlainInstruction>(GuestVirt)>& before) {
  if (const auto loop = closed_loop(pc, at)) {
    for (const Kind kind : {Kind::waits_for_interrupt, Kind::waits_for_event}) {
      for (const Step& step : *loop) {
        if (step.instruction.kind == kind) {
          return waiting(step.instruction, fmt::format("pc is in a loop of {} instructions round a {}", loop->size(),
                                                       step.instruction.name));
        }
      }
    }
    if (loop->size() == 1) {
      return Standstill{Standstill::Kind::branches_to_itself,
                        fmt::format("the instruction at {:#x} is a branch to itself", loop->front().at.value),
                        std::nullopt};
    }
    return Standstill{
        Standstill::Kind::empty_loop,
        fmt::format("the {} instructions from {:#x} do nothing but branch back", loop->size(), loop->front().at.value),
        std::nullopt};
  }
  if (const auto last = before(pc)) {
    if (auto found = waiting(*last, fmt::format("the instruction before pc is a {}", last->name))) {
      return found;
    }
  }
  if (const auto next = at(pc)) {
    return waiting(*next, fmt::format("the instruction at pc is a {}", next->name));
  }
  return std::nullopt;
}

std::optional<Standstill> standstill_of(const GuestIdentity& guest, const CpuState& cpu, VirtMemory& memory) {
  switch (cpu.arch->id) {
    case ArchId::arm32:
      return arm32::standstill(cpu, memory);
    case ArchId::arm64:
      return arm64::standstill(cpu, memory);
    case ArchId::x86_32:
    case ArchId::x86_64:
      return x86::standstill(guest.type, cpu, memory);
  }
  return std::nullopt;
}

std::optional<std::string> not_started(const GuestIdentity& guest, const CpuState& cpu, VirtMemory& memory) {
  switch (cpu.arch->id) {
    case ArchId::arm32:
      return arm32::not_started(cpu, memory);
    case ArchId::arm64:
      return arm64::not_started(cpu, memory);
    case ArchId::x86_32:
    case ArchId::x86_64:
      return x86::not_started(guest.type, cpu, memory);
  }
  return std::nullopt;
}

}  // namespace xstack
