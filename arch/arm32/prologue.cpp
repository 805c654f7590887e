// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/arm32/prologue.h"

#include <map>
#include <vector>

#include "arch/arm32/code_reader.h"
#include "arch/arm32/registers.h"

namespace xstack::arm32 {
namespace {

constexpr std::uint64_t kMaxCode = 16384;
/// More branch targets than any function has between its start and a pc within kMaxCode.
constexpr std::size_t kMaxTargets = kMaxCode / 4;

unsigned field(std::uint32_t insn, unsigned low, unsigned bits) {
  return insn >> low & ((1U << bits) - 1);
}

bool flag(std::uint32_t insn, unsigned n) {
  return (insn >> n & 1) != 0;
}

/// An A32 modified immediate: eight bits, rotated right by twice the upper four.
std::uint32_t immediate(std::uint32_t insn) {
  const unsigned turn = field(insn, 8, 4) * 2;
  const std::uint32_t value = insn & 0xff;
  return turn == 0 ? value : value >> turn | value << (32 - turn);
}

/// Saved by a function that uses them (AAPCS), and LR.
bool is_kept(unsigned reg) {
  return (reg >= 4 && reg <= 11) || reg == kLr;
}

/// The abstract machine: one FrameShape, moved on instruction by instruction.
class Tracker {
 public:
  explicit Tracker(GuestVirt start) : start_(static_cast<std::uint32_t>(start.value)) {
    FrameShape at_entry;
    at_entry.sp = 0;
    state_ = at_entry;
  }

  void execute(std::uint32_t at, std::uint32_t insn) {
    join(at);
    if (state_) {
      conditional_ = insn >> 28 != 0xe;
      if (insn >> 28 == 0xf) {
        if ((insn & 0xfe000000) == 0xfa000000) {
          call();
        }
      } else {
        dispatch(at, insn);
      }
    }
    before_ = insn;
  }

  std::optional<FrameShape> finish(std::uint32_t at) {
    join(at);
    return state_;
  }

 private:
  /// What comes from earlier branches to `at` meets what falls through to it. A branch is believed more than what seems
  /// to fall through, which may come out of a call that never returns.
  void join(std::uint32_t at) {
    if (const auto target = targets_.find(at); target != targets_.end()) {
      state_ = target->second;
      targets_.erase(target);
    }
  }

  void branch_to(std::uint32_t at, std::uint32_t target) {
    if (target <= at || target - start_ > kMaxCode || targets_.size() >= kMaxTargets) {
      return;
    }
    const auto [place, fresh] = targets_.emplace(target, state_);
    if (!fresh && place->second != state_) {
      place->second = std::nullopt;
    }
  }

  /// Control does not get past this instruction, if it is executed.
  void leaves() {
    if (!conditional_) {
      state_ = std::nullopt;
    }
  }

  void call() {
    if (!state_->saved[kLr]) {
      state_->lr_lost = true;
    }
  }

  void lose_sp() { state_->sp = std::nullopt; }

  void move_sp(std::int64_t down) {
    if (conditional_ || !state_->sp) {
      lose_sp();
    } else {
      state_->sp = *state_->sp + down;
    }
  }

  /// `reg` was written with something that is not followed.
  void written(unsigned reg) {
    if (reg == kSp) {
      lose_sp();
    } else if (reg == kFp) {
      state_->fp = std::nullopt;
    } else if (reg == kIp) {
      state_->ip = std::nullopt;
    } else if (reg == kLr && !state_->saved[kLr]) {
      state_->lr_lost = true;
    }
  }

  /// `reg` was stored `down` bytes below the entry SP.
  void stored(unsigned reg, std::int64_t down) {
    if (is_kept(reg) && !state_->saved[reg] && !(reg == kLr && state_->lr_lost) && !(reg == kFp && state_->fp)) {
      state_->saved[reg] = down;
    }
  }

  /// `reg` was loaded from `down` bytes below the entry SP.
  void loaded(unsigned reg, std::int64_t down) {
    if (conditional_) {
      written(reg);
      return;
    }
    if (is_kept(reg) && state_->saved[reg] == down) {
      state_->saved[reg] = std::nullopt;
      if (reg == kFp) {
        state_->fp = std::nullopt;
      }
      return;
    }
    written(reg);
  }

  void dispatch(std::uint32_t at, std::uint32_t insn) {
    switch (field(insn, 25, 3)) {
      case 0:
        if ((insn & 0x90) == 0x90) {
          doubles(insn);
        } else {
          data_register(insn);
        }
        return;
      case 1:
        data_immediate(insn);
        return;
      case 2:
        single(insn);
        return;
      case 3:
        if (flag(insn, 4)) {  // media instructions: where the result goes differs, so r11 counts as written by each
          state_->fp = std::nullopt;
        } else if (flag(insn, 20)) {  // a load with a register offset
          if (field(insn, 12, 4) == kPc) {
            leaves();
          } else {
            written(field(insn, 12, 4));
          }
        }
        return;
      case 4:
        multiple(insn);
        return;
      case 5:
        if (flag(insn, 24)) {
          if (before_ == 0xe52de004) {  // `push {lr}; bl __gnu_mcount_nc`: the tracer pops it again
            state_->sp = state_->sp ? std::optional(*state_->sp - 4) : std::nullopt;
            state_->saved[kLr] = std::nullopt;
          } else {
            call();
          }
        } else {
          branch_to(at, branch_target(at, insn));
          leaves();
        }
        return;
      case 6:
        vector_block(insn);
        return;
      default:
        return;
    }
  }

  /// LDRD and STRD; other instructions of this group leave the stack alone.
  void doubles(std::uint32_t insn) {
    const bool store = (insn & 0xf0) == 0xf0;
    if (flag(insn, 20) || (insn & 0xd0) != 0xd0 || field(insn, 16, 4) != kSp) {
      return;
    }
    if (!flag(insn, 22)) {  // a register offset
      return;
    }
    const auto offset = static_cast<std::int64_t>(field(insn, 8, 4) << 4 | (insn & 0xf));
    transfer(insn, flag(insn, 23) ? offset : -offset, 2, !store);
  }

  /// LDR and STR with an immediate offset.
  void single(std::uint32_t insn) {
    const bool load = flag(insn, 20);
    if (field(insn, 16, 4) == kSp && !flag(insn, 22)) {
      const std::int64_t offset = insn & 0xfff;
      transfer(insn, flag(insn, 23) ? offset : -offset, 1, load);
    } else if (load) {
      if (field(insn, 12, 4) == kPc) {
        if (before_ != 0xe1a0e00f) {  // `mov lr, pc; ldr pc, [..]` is a call
          leaves();
        }
      } else {
        written(field(insn, 12, 4));
      }
    }
  }

  /// `count` registers from bits 15:12 on, to or from [sp, #offset].
  void transfer(std::uint32_t insn, std::int64_t offset, unsigned count, bool load) {
    const unsigned first = field(insn, 12, 4);
    const bool before = flag(insn, 24);
    const bool moves = !before || flag(insn, 21);
    if (load && first == kPc) {
      leaves();
      return;
    }
    const auto sp = state_->sp;
    for (unsigned i = 0; i < count && first + i < 16; ++i) {
      const auto down = sp ? std::optional(*sp - (before ? offset : 0) - 4 * static_cast<std::int64_t>(i)) : sp;
      if (load && down) {
        loaded(first + i, *down);
      } else if (load) {
        written(first + i);
      } else if (down && !conditional_) {
        stored(first + i, *down);
      }
    }
    if (moves) {
      move_sp(-offset);
    }
  }

  /// LDM and STM.
  void multiple(std::uint32_t insn) {
    const bool load = flag(insn, 20);
    const unsigned base = field(insn, 16, 4);
    const std::uint32_t list = insn & 0xffff;
    if (load && flag(list, kPc)) {
      leaves();
      return;
    }
    if (base != kSp) {
      for (unsigned reg = 0; load && reg < 15; ++reg) {
        if (flag(list, reg)) {
          written(reg);
        }
      }
      return;
    }
    const auto bytes = static_cast<std::int64_t>(__builtin_popcount(list)) * 4;
    const bool up = flag(insn, 23);
    const bool before = flag(insn, 24);
    const auto sp = state_->sp;
    // Lowest address used, relative to SP.
    const std::int64_t lowest = up ? (before ? 4 : 0) : (before ? -bytes : 4 - bytes);
    std::int64_t at = lowest;
    for (unsigned reg = 0; reg < 15; ++reg) {
      if (!flag(list, reg)) {
        continue;
      }
      if (load && sp) {
        loaded(reg, *sp - at);
      } else if (load) {
        written(reg);
      } else if (sp && !conditional_) {
        stored(reg, *sp - at);
      }
      at += 4;
    }
    if (flag(insn, 21) && !(load && flag(list, kSp))) {
      move_sp(up ? -bytes : bytes);
    }
  }

  /// VPUSH and VPOP, which move SP by whole words.
  void vector_block(std::uint32_t insn) {
    const auto bytes = static_cast<std::int64_t>(insn & 0xff) * 4;
    if ((insn & 0x0fbf0e00) == 0x0d2d0a00) {
      move_sp(bytes);
    } else if ((insn & 0x0fbf0e00) == 0x0cbd0a00) {
      move_sp(-bytes);
    }
  }

  /// Entry SP minus `reg`, when that is known.
  std::optional<std::int64_t> known(unsigned reg) const {
    switch (reg) {
      case kSp:
        return state_->sp;
      case kFp:
        return state_->fp;
      case kIp:
        return state_->ip;
      default:
        return std::nullopt;
    }
  }

  void assign(unsigned reg, std::optional<std::int64_t> value) {
    if (conditional_) {
      value = std::nullopt;
    }
    switch (reg) {
      case kSp:
        state_->sp = value;
        return;
      case kFp:
        // r11 counts as a frame pointer only once the caller's is saved.
        state_->fp = state_->saved[kFp] ? value : std::nullopt;
        return;
      case kIp:
        state_->ip = value;
        return;
      case kPc:
        leaves();
        return;
      default:
        written(reg);
    }
  }

  void data_immediate(std::uint32_t insn) {
    const unsigned opcode = field(insn, 21, 4);
    if (opcode >= 8 && opcode <= 11) {  // comparisons; without S: MOVW, MOVT, MSR
      if (!flag(insn, 20) && (opcode == 8 || opcode == 10)) {
        assign(field(insn, 12, 4), std::nullopt);
      }
      return;
    }
    const auto from = known(field(insn, 16, 4));
    const auto value = static_cast<std::int64_t>(immediate(insn));
    if (from && opcode == 4) {
      assign(field(insn, 12, 4), *from - value);
    } else if (from && opcode == 2) {
      assign(field(insn, 12, 4), *from + value);
    } else {
      assign(field(insn, 12, 4), std::nullopt);
    }
  }

  void data_register(std::uint32_t insn) {
    if ((insn & 0x0ffffff0) == 0x012fff30) {  // blx
      call();
      return;
    }
    if ((insn & 0x0ffffff0) == 0x012fff10) {  // bx
      if (before_ == 0xe1a0e00f) {            // `mov lr, pc; bx` is a call
        return;
      }
      leaves();
      return;
    }
    const unsigned opcode = field(insn, 21, 4);
    if (opcode >= 8 && opcode <= 11) {
      if (!flag(insn, 20) && (insn & 0x0fbf0fff) == 0x010f0000) {  // mrs
        assign(field(insn, 12, 4), std::nullopt);
      }
      return;
    }
    const bool plain_move = opcode == 13 && (insn & 0xff0) == 0;
    if (field(insn, 12, 4) == kPc && before_ == 0xe1a0e00f) {  // `mov lr, pc; mov pc, reg` is a call
      return;
    }
    assign(field(insn, 12, 4), plain_move ? known(insn & 0xf) : std::nullopt);
  }

  std::uint32_t start_;
  std::optional<FrameShape> state_;
  std::map<std::uint32_t, std::optional<FrameShape>> targets_;
  std::uint32_t before_ = 0;
  bool conditional_ = false;
};

}  // namespace

std::optional<FrameShape> shape_at(VirtMemory& memory, GuestVirt start, GuestVirt pc) {
  if (pc < start || pc - start > kMaxCode || (start.value & 3) != 0 || (pc.value & 3) != 0) {
    return std::nullopt;
  }
  std::vector<std::byte> code(static_cast<std::size_t>(pc - start));
  if (!code.empty() && !memory.read(start, code)) {
    return std::nullopt;
  }
  Tracker tracker(start);
  for (std::size_t i = 0; i < code.size(); i += 4) {
    tracker.execute(static_cast<std::uint32_t>(start.value + i), load_le<std::uint32_t>(code.data() + i));
  }
  return tracker.finish(static_cast<std::uint32_t>(pc.value));
}

std::optional<RegisterFile> caller_by_shape(VirtMemory& memory, const FrameShape& shape, const RegisterFile& callee) {
  std::optional<std::uint64_t> entry_sp;
  if (const auto sp = callee.get(kSp); sp && shape.sp) {
    entry_sp = *sp + static_cast<std::uint64_t>(*shape.sp);
  } else if (const auto fp = callee.get(kFp); fp && shape.fp) {
    entry_sp = *fp + static_cast<std::uint64_t>(*shape.fp);
  }
  if (!entry_sp || *entry_sp >> 32 != 0) {
    return std::nullopt;
  }
  RegisterFile regs;
  regs.set(kSp, *entry_sp);
  for (RegisterIndex reg = kR4; reg <= kLr; ++reg) {
    if (!is_kept(reg)) {
      continue;
    }
    std::optional<std::uint64_t> value;
    if (shape.saved[reg]) {
      const auto word =
          memory.read_value<std::uint32_t>(GuestVirt(*entry_sp - static_cast<std::uint64_t>(*shape.saved[reg])));
      if (!word) {
        return std::nullopt;
      }
      value = *word;
    } else if (reg != kLr || !shape.lr_lost) {
      value = callee.get(reg);
    }
    if (!value) {
      if (reg == kLr) {
        return std::nullopt;
      }
      continue;
    }
    regs.set(reg == kLr ? RegisterIndex{kPc} : reg, *value);
  }
  return regs;
}

}  // namespace xstack::arm32
