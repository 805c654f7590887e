// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/arm64/function_state.h"

#include <algorithm>
#include <deque>
#include <unordered_map>
#include <utility>
#include <vector>

#include "arch/arm64/instructions.h"

namespace xstack::arm64 {

namespace {

using Where = FunctionState::ReturnAddress;

constexpr std::uint64_t kMostBytes = 64 * 1024;  // functions beyond that are not followed
constexpr unsigned kFpNumber = 29;
constexpr unsigned kLrNumber = 30;
constexpr unsigned kSpNumber = 31;

/// Code in blocks, each read once.
class Code {
 public:
  Code(VirtMemory& memory, GuestVirt start) : memory_(memory), start_(start) {}

  std::optional<std::uint32_t> at(std::uint64_t offset) {
    const std::uint64_t number = offset / kBlock;
    auto block = blocks_.find(number);
    if (block == blocks_.end()) {
      std::vector<std::byte> bytes(kBlock);
      std::size_t have = 0;
      while (have < bytes.size()) {  // a function may end where readable memory does
        const auto n = memory_.read_some(start_ + number * kBlock + have, std::span(bytes).subspan(have));
        if (!n) {
          break;
        }
        have += *n;
      }
      bytes.resize(have);
      block = blocks_.emplace(number, std::move(bytes)).first;
    }
    return load_le_at<std::uint32_t>(block->second, offset % kBlock);
  }

 private:
  static constexpr std::uint64_t kBlock = 256;
  VirtMemory& memory_;
  GuestVirt start_;
  std::unordered_map<std::uint64_t, std::vector<std::byte>> blocks_;
};

void store(FunctionState& state, const SpAccess& access) {
  if (state.where != Where::live || !state.depth) {
    return;
  }
  const std::int64_t depth = *state.depth - access.offset;
  if (access.rt == kFpNumber && access.rt2 == kLrNumber) {
    state.where = Where::saved;
    state.fp_saved = true;
    state.record_depth = depth;
  } else if (access.rt == kLrNumber || access.rt2 == kLrNumber) {
    state.where = Where::saved;
    state.fp_saved = false;
    state.record_depth = access.rt == kLrNumber ? depth : depth - 8;
  }
}

void load(FunctionState& state, const SpAccess& access) {
  if (access.rt == kLrNumber || access.rt2 == kLrNumber) {
    state.where = Where::live;
  }
  if (access.rt == kFpNumber || access.rt2 == kFpNumber) {
    state.fp_is_record = false;
    state.fp_saved = false;
  }
}

/// What one instruction does to the state. `before` is the instruction in front of it.
void apply(FunctionState& state, std::uint32_t insn, std::uint32_t before) {
  if (const auto access = sp_access(insn)) {
    if (access->load) {
      load(state, *access);
    } else {
      store(state, *access);
    }
    if (state.depth) {
      *state.depth -= access->writeback;
    }
  } else if (const auto add = add_immediate(insn)) {
    if (add->rd == kFpNumber && add->rn == kSpNumber) {
      state.fp_is_record = state.where == Where::saved && state.fp_saved && state.depth &&
                           *state.depth - add->amount == state.record_depth;
    } else if (add->rd == kSpNumber && add->rn == kSpNumber && state.depth) {
      *state.depth -= add->amount;
    } else if (add->rd == kSpNumber && add->rn == kFpNumber && state.fp_is_record) {
      state.depth = state.record_depth - add->amount;  // mov sp, x29 and the like
    } else if (add->rd == kSpNumber) {
      state.depth.reset();
    }
  } else if (is_call(insn)) {
    // Traced functions begin with "mov x9, x30; bl ftrace_caller", which comes back with x30 as it was.
    if (state.where == Where::live && before != kMovX9Lr) {
      state.where = Where::lost;
    }
  } else if ((insn & 0xffe0'001f) == 0x8b20'001f || (insn & 0xffe0'001f) == 0xcb20'001f) {
    state.depth.reset();  // add/sub sp, Xn, Xm
  }
}

}  // namespace

std::optional<FunctionState> state_at(VirtMemory& memory, GuestVirt start, std::uint64_t size, GuestVirt pc) {
  const std::uint64_t end = size == 0 ? kMostBytes : std::min(size, kMostBytes);
  if (pc < start || pc - start >= end || (pc - start) % 4 != 0) {
    return std::nullopt;
  }
  const std::uint64_t wanted = pc - start;
  Code code(memory, start);
  std::unordered_map<std::uint64_t, FunctionState> seen;
  // What follows a call or a BRK may not be reached from there (the callee may not return), and then belongs to another
  // path with another state: such steps wait until all surer ones are done.
  std::deque<std::pair<std::uint64_t, FunctionState>> sure{{0, {}}};
  std::deque<std::pair<std::uint64_t, FunctionState>> doubtful;
  while (!sure.empty() || !doubtful.empty()) {
    auto& queue = sure.empty() ? doubtful : sure;
    const std::uint64_t offset = queue.front().first;
    const FunctionState before = queue.front().second;
    queue.pop_front();
    if (!seen.emplace(offset, before).second) {
      continue;
    }
    if (offset == wanted) {
      return before;
    }
    const auto insn = code.at(offset);
    if (!insn) {
      continue;
    }
    FunctionState state = before;
    apply(state, *insn, offset >= 4 ? code.at(offset - 4).value_or(0) : 0);
    const auto go = [&](auto& to, std::int64_t distance) {
      const std::uint64_t target = offset + static_cast<std::uint64_t>(distance);
      if (target < end) {  // out of the function on either side is a tail call
        to.emplace_back(target, state);
      }
    };
    if (const auto distance = branch_distance(*insn)) {
      go(sure, *distance);
      continue;
    }
    if (leaves(*insn)) {
      continue;
    }
    if (const auto distance = conditional_distance(*insn)) {
      go(sure, *distance);
    }
    go(is_call(*insn) || is_brk(*insn) ? doubtful : sure, 4);
  }
  return std::nullopt;
}

}  // namespace xstack::arm64
