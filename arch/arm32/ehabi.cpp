// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/arm32/ehabi.h"

#include <fmt/format.h>

#include "arch/arm32/ehabi_form.h"
#include "arch/arm32/registers.h"

namespace xstack::arm32 {
namespace {

constexpr std::uint64_t kLow32 = 0xffffffff;

tl::unexpected<EhabiFailure> bad(std::string detail) {
  return tl::unexpected(EhabiFailure{EhabiFailure::Kind::bad_table, std::move(detail)});
}

tl::unexpected<EhabiFailure> unreadable(GuestVirt at, const char* what) {
  return tl::unexpected(
      EhabiFailure{EhabiFailure::Kind::unreadable, fmt::format("{} at {:#x} cannot be read", what, at.value)});
}

/// The smallest table that covers `address`: a module's is inside no other, but tables are the guest's to lie about.
const EhabiTable* table_for(const UnwindTables& tables, GuestVirt address) {
  const EhabiTable* best = nullptr;
  for (const EhabiTable& table : tables.ehabi) {
    if (address >= table.text_begin && address < table.text_end &&
        (best == nullptr || table.text_end - table.text_begin < best->text_end - best->text_begin)) {
      best = &table;
    }
  }
  return best;
}

/// Where the opcodes are that the second word of an index entry names.
tl::expected<std::variant<CantUnwind, EhabiOpcodes>, EhabiFailure> opcodes_of(VirtMemory& memory, GuestVirt at) {
  const auto word = memory.read_value<std::uint32_t>(at);
  if (!word) {
    return unreadable(at, "an index entry");
  }
  if (*word == kExidxCantUnwind) {
    return CantUnwind{};
  }
  GuestVirt where = at;
  std::uint32_t head = *word;
  const bool in_index = (head >> 31) != 0;
  if (!in_index) {
    where = prel31_target(at, head);
    const auto first = memory.read_value<std::uint32_t>(where);
    if (!first) {
      return unreadable(where, "a table entry");
    }
    head = *first;
  }
  if ((head >> 28) != 8) {
    return bad(fmt::format("the entry at {:#x} has a personality routine of its own", where.value));
  }
  switch (head >> 24 & 0xf) {
    case 0:
      return EhabiOpcodes{where, 1, 3};
    case 1:
    case 2:
      if (in_index) {
        break;
      }
      return EhabiOpcodes{where, 2, 2 + 4 * (head >> 16 & 0xff)};
    default:
      break;
  }
  return bad(fmt::format("the entry at {:#x} starts with {:#x}, which means nothing", where.value, head));
}

/// The machine that runs the opcodes.
class Machine {
 public:
  Machine(VirtMemory& memory, const EhabiOpcodes& opcodes, const RegisterFile& callee)
      : memory_(memory), opcodes_(opcodes), vsp_(callee.get(kSp)) {
    for (RegisterIndex i = 0; i < kSp; ++i) {
      copy(callee, i);
    }
    copy(callee, kLr);
  }

  tl::expected<EhabiResult, EhabiFailure> run() {
    if (!vsp_) {
      return tl::unexpected(EhabiFailure{EhabiFailure::Kind::unknown_sp, "the stack pointer is not known"});
    }
    while (!finished_ && !failure_ && left() != 0) {
      step();
    }
    if (failure_) {
      return tl::unexpected(*failure_);
    }
    if (!result_.popped_pc) {
      const auto lr = result_.regs.get(kLr);
      if (!lr) {
        return bad("the return address is neither on the stack nor in a known register");
      }
      result_.regs.set(kPc, *lr);
      // What a call does not preserve is lost once it has returned.
      for (const RegisterIndex scratch : {RegisterIndex{0}, RegisterIndex{1}, RegisterIndex{2}, RegisterIndex{3},
                                          RegisterIndex{kIp}, RegisterIndex{kLr}}) {
        result_.regs.forget(scratch);
      }
    }
    result_.regs.set(kSp, *vsp_);
    return result_;
  }

 private:
  void copy(const RegisterFile& from, RegisterIndex i) {
    if (const auto value = from.get(i)) {
      result_.regs.set(i, *value & kLow32);
    }
  }

  unsigned left() const { return opcodes_.count - used_; }

  void fail_with(tl::unexpected<EhabiFailure> failure) { failure_ = std::move(failure.value()); }

  std::uint32_t next() {
    if (left() == 0) {
      fail_with(bad("the opcodes end in the middle of one"));
      return 0;
    }
    const unsigned position = opcodes_.skip + used_;
    ++used_;
    if (position / 4 != word_index_ || !have_word_) {
      const GuestVirt at = opcodes_.words + std::uint64_t{position / 4} * 4;
      const auto word = memory_.read_value<std::uint32_t>(at);
      if (!word) {
        fail_with(unreadable(at, "opcodes"));
        return 0;
      }
      word_ = *word;
      word_index_ = position / 4;
      have_word_ = true;
    }
    return word_ >> (24 - position % 4 * 8) & 0xff;
  }

  void add(std::uint64_t bytes) { vsp_ = (*vsp_ + bytes) & kLow32; }

  /// Pops the registers in `mask`, lowest first. A popped r13 is the new stack pointer.
  void pop(std::uint32_t mask) {
    std::optional<std::uint64_t> new_sp;
    for (RegisterIndex i = 0; i < 16; ++i) {
      if ((mask >> i & 1) == 0) {
        continue;
      }
      const auto value = memory_.read_value<std::uint32_t>(GuestVirt(*vsp_));
      if (!value) {
        fail_with(unreadable(GuestVirt(*vsp_), "the stack"));
        return;
      }
      add(4);
      if (i == kSp) {
        new_sp = *value;
      } else {
        result_.regs.set(i, *value);
        result_.popped_pc = result_.popped_pc || i == kPc;
      }
    }
    if (new_sp) {
      vsp_ = new_sp;
      result_.moved_sp = true;
    }
  }

  void step() {
    const std::uint32_t op = next();
    if (failure_) {
      return;
    }
    if (op < 0x40) {
      add(((op & 0x3f) << 2) + 4);
    } else if (op < 0x80) {
      add(~std::uint64_t{((op & 0x3f) << 2) + 4} + 1);
    } else if (op < 0x90) {
      const std::uint32_t mask = (op & 0xf) << 8 | next();
      if (mask == 0 && !failure_) {
        fail_with(bad("the entry refuses to be unwound"));
      } else if (!failure_) {
        pop(mask << 4);
      }
    } else if (op < 0xa0) {
      const auto n = static_cast<RegisterIndex>(op & 0xf);
      if (n == kSp || n == kPc || !result_.regs.known(n)) {
        fail_with(bad(fmt::format("the stack pointer is to come from r{}, which is not known", n)));
      } else {
        vsp_ = result_.regs.get(n);
        result_.moved_sp = true;
      }
    } else if (op < 0xb0) {
      const std::uint32_t mask = (0xffU >> (7 - (op & 7)) & 0xff) << 4;
      pop((op & 8) != 0 ? mask | 1U << kLr : mask);
    } else if (op < 0xc0) {
      step_b(op);
    } else {
      step_coprocessor(op);
    }
  }

  /// 1011xxxx
  void step_b(std::uint32_t op) {
    switch (op) {
      case 0xb0:
        finished_ = true;
        return;
      case 0xb1: {
        const std::uint32_t mask = next();
        if (!failure_ && (mask == 0 || mask > 0xf)) {
          fail_with(bad(fmt::format("opcode b1 {:02x} is a spare one", mask)));
        } else if (!failure_) {
          pop(mask);
        }
        return;
      }
      case 0xb2: {
        std::uint64_t value = 0;
        for (unsigned shift = 0; shift < 32; shift += 7) {
          const std::uint32_t byte = next();
          value |= std::uint64_t{byte & 0x7f} << shift;
          if (failure_ || (byte & 0x80) == 0) {
            add(0x204 + (value << 2));
            return;
          }
        }
        fail_with(bad("a stack adjustment is wider than the address space"));
        return;
      }
      case 0xb3:
        add(8 * ((next() & 0xf) + 1) + 4);  // FSTMFDX: doubles and a format word
        return;
      case 0xb4:  // a return address authentication code of the M profile; one word
        add(4);
        return;
      case 0xb5:  // the stack pointer is that code's modifier: nothing moves
        return;
      case 0xb6:
      case 0xb7:
        fail_with(bad(fmt::format("opcode {:02x} is a spare one", op)));
        return;
      default:
        add(8 * ((op & 7) + 1) + 4);
    }
  }

  /// 11xxxxxx: registers of coprocessors, which only take space
  void step_coprocessor(std::uint32_t op) {
    if (op < 0xc6) {
      add(8 * ((op & 7) + 1));
    } else if (op == 0xc6 || op == 0xc8 || op == 0xc9) {
      add(8 * ((next() & 0xf) + 1));
    } else if (op == 0xc7) {
      const std::uint32_t mask = next();
      if (!failure_ && (mask == 0 || mask > 0xf)) {
        fail_with(bad(fmt::format("opcode c7 {:02x} is a spare one", mask)));
        return;
      }
      for (unsigned i = 0; i < 4; ++i) {
        add((mask >> i & 1) * 4);
      }
    } else if (op >= 0xd0 && op < 0xd8) {
      add(8 * ((op & 7) + 1));
    } else {
      fail_with(bad(fmt::format("opcode {:02x} is a spare one", op)));
    }
  }

  VirtMemory& memory_;
  EhabiOpcodes opcodes_;
  EhabiResult result_;
  std::optional<std::uint64_t> vsp_;
  std::optional<EhabiFailure> failure_;
  bool finished_ = false;
  unsigned used_ = 0;
  unsigned word_index_ = 0;
  bool have_word_ = false;
  std::uint32_t word_ = 0;
};

}  // namespace

tl::expected<EhabiEntry, EhabiFailure> find_ehabi_entry(VirtMemory& memory, const UnwindTables& tables,
                                                        GuestVirt address) {
  const EhabiTable* table = table_for(tables, address);
  if (table == nullptr) {
    return tl::unexpected(EhabiFailure{EhabiFailure::Kind::not_covered, {}});
  }
  std::uint32_t low = 0;  // the greatest start that is not above `address` is in [low, high)
  std::uint32_t high = table->count;
  std::optional<GuestVirt> start;
  while (low < high) {
    const std::uint32_t middle = low + (high - low) / 2;
    const GuestVirt at = table->index + std::uint64_t{middle} * 8;
    const auto word = memory.read_value<std::uint32_t>(at);
    if (!word) {
      return unreadable(at, "the index");
    }
    const GuestVirt here = prel31_target(at, *word);
    if (here <= address) {
      start = here;
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (!start) {
    return tl::unexpected(EhabiFailure{EhabiFailure::Kind::not_covered, {}});
  }
  const auto what = opcodes_of(memory, table->index + (std::uint64_t{low} - 1) * 8 + 4);
  if (!what) {
    return tl::unexpected(what.error());
  }
  return EhabiEntry{*start, *what};
}

tl::expected<EhabiResult, EhabiFailure> execute_ehabi(VirtMemory& memory, const EhabiOpcodes& opcodes,
                                                      const RegisterFile& callee) {
  return Machine(memory, opcodes, callee).run();
}

}  // namespace xstack::arm32
