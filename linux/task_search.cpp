// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/task_search.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include "base/endian.h"

namespace xstack {
namespace {

constexpr std::uint64_t kDataBytes = 64U << 20;
constexpr std::uint64_t kDataHole = 32U << 20;
constexpr std::size_t kMaxComms = 64;
constexpr std::size_t kMaxHeaders = 16;
constexpr std::uint64_t kLargeTypes = 512U << 10;  // the kernels' that were seen have 2 to 4 MiB
constexpr std::uint32_t kMaxBefore = 8U << 10;  // from the start of a task to its comm; those seen have up to 3.4 KiB
constexpr std::uint32_t kMaxAfter = 8U << 10;   // from comm to the end
constexpr std::size_t kSampled = 48;
constexpr std::uint64_t kStackEndMagic = 0x57ac6e9d;  // include/uapi/linux/magic.h
constexpr std::uint32_t kPfKthread = 0x00200000;
constexpr std::uint32_t kSigchld = 17;

/// The bytes of one task, from its start.
class TaskBytes {
 public:
  TaskBytes(VirtMemory& search, GuestVirt at, std::size_t size, unsigned word_size)
      : at_(at), bytes_(size), word_size_(word_size) {
    read_tolerant(search, at, bytes_);
  }
  [[nodiscard]] GuestVirt at() const { return at_; }
  [[nodiscard]] std::uint64_t word(std::uint64_t offset) const {
    return word_size_ == 4 ? half(offset) : load_le_at<std::uint64_t>(bytes_, offset).value_or(0);
  }
  [[nodiscard]] std::uint32_t half(std::uint64_t offset) const {
    return load_le_at<std::uint32_t>(bytes_, offset).value_or(0);
  }
  [[nodiscard]] bool holds(std::uint64_t address) const { return address - at_.value < bytes_.size(); }

 private:
  GuestVirt at_;
  std::vector<std::byte> bytes_;
  unsigned word_size_;
};

/// What the search is after, with what it found so far.
class Search {
 public:
  Search(VirtMemory& search, const ArchOps& arch, CodeInfo& code)
      : search_(search), arch_(arch), code_(code), w_(arch.word_size) {
    layout_.stack_size = arch.stack_size;
  }

  std::optional<TaskLayout> run(GuestVirt comm) {
    if (!find_family(comm) || !find_stack() || !find_tasks()) {
      return std::nullopt;
    }
    sample();
    find_state();
    find_exit_state();
    find_threads();
    find_saved();
    return layout_;
  }

 private:
  [[nodiscard]] TaskBytes read(GuestVirt task) const {
    return TaskBytes(search_, task, layout_.comm + kMaxAfter, arch_.word_size);
  }

  /// init_task by its parents, and its two children.
  bool find_family(GuestVirt comm) {
    const GuestVirt begin(comm.value / 8 * 8 - kMaxBefore);
    const TaskBytes before(search_, begin, kMaxBefore, arch_.word_size);
    for (std::uint32_t at = 0; at + 7 * w_ <= kMaxBefore; at += w_) {
      const std::uint64_t self = before.word(at);
      const bool parents = self != 0 && before.word(at + w_) == self && before.word(at + 6 * w_) == self;
      const GuestVirt here = before.at() + at;
      if (!parents || self % w_ != 0 || self >= here.value || !before.holds(self)) {
        continue;
      }
      layout_.init_task = GuestVirt(self);
      layout_.comm = static_cast<std::uint32_t>(comm.value - self);
      parent_ = static_cast<std::uint32_t>(here.value - self);
      layout_.real_parent = parent_;
      if (find_children()) {
        return true;
      }
    }
    return false;
  }

  bool find_children() {
    const TaskBytes init = read(layout_.init_task);
    const std::uint32_t children = parent_ + 2 * w_;
    const std::uint32_t sibling = parent_ + 4 * w_;
    const std::uint64_t first = init.word(children);
    const auto second = search_.read_word(GuestVirt(first), arch_.word_size);
    if (first == init.at().value + children || !second || *second == init.at().value + children) {
      return false;
    }
    family_ = {layout_.init_task, GuestVirt(first) - sibling, GuestVirt(*second) - sibling};
    for (const std::uint32_t canary : {0U, w_}) {
      if (parent_ < 8 + canary) {
        continue;
      }
      const std::uint32_t pid = parent_ - canary - 8;
      const auto ids = [&](GuestVirt task) {
        const auto both = search_.read_value<std::uint64_t>(task + pid);
        return both && (*both & 0xffffffff) == *both >> 32 ? std::optional(*both & 0xffffffff) : std::nullopt;
      };
      const auto one = ids(family_[1]);
      const auto two = ids(family_[2]);
      if (ids(family_[0]) == 0U && one && two && *one + *two == 3 && *one != 0 && *two != 0) {
        layout_.pid = pid;
        layout_.tgid = pid + 4;
        kthreadd_ = family_[*one == 2 ? 1 : 2];
        return true;
      }
    }
    return false;
  }

  /// Does a task's stack begin at `stack`?
  [[nodiscard]] bool is_stack(std::uint64_t stack, GuestVirt task) {
    if (stack == 0 || stack % kXenPageSize != 0) {
      return false;
    }
    std::array<std::byte, 128> low{};
    if (!search_.read(GuestVirt(stack), low)) {
      return false;
    }
    const auto word = [&](std::size_t i) {
      return w_ == 4 ? load_le<std::uint32_t>(low.data() + i * w_) : load_le<std::uint64_t>(low.data() + i * w_);
    };
    if (word(0) == kStackEndMagic) {
      return true;
    }
    for (std::size_t i = 0; i < low.size() / w_; ++i) {
      if (word(i) == task.value) {
        return true;
      }
    }
    return false;
  }

  bool find_stack() {
    const TaskBytes init = read(family_[0]);
    for (std::uint32_t at = 0; at < parent_; at += w_) {
      if (!is_stack(init.word(at), family_[0])) {
        continue;
      }
      const bool all = std::all_of(family_.begin() + 1, family_.end(), [&](GuestVirt task) {
        const auto stack = search_.read_word(task + at, arch_.word_size);
        return stack && is_stack(*stack, task);
      });
      if (all) {
        layout_.stack = at;
        return true;
      }
    }
    return false;
  }

  bool find_tasks() {
    const TaskBytes init = read(family_[0]);
    for (std::uint32_t at = layout_.stack + w_; at < layout_.comm; at += w_) {
      for (const std::size_t first : {1U, 2U}) {
        const GuestVirt one = family_[first];
        const GuestVirt two = family_[3 - first];
        const auto next = search_.read_word(one + at, arch_.word_size);
        const auto back = search_.read_word(one + (at + w_), arch_.word_size);
        if (init.word(at) == one.value + at && next && GuestVirt(*next) == two + at && back &&
            GuestVirt(*back) == init.at() + at) {
          layout_.tasks = at;
          return true;
        }
      }
    }
    return false;
  }

  void sample() {
    GuestVirt node = family_[0] + layout_.tasks;
    for (std::size_t i = 0; i < kSampled; ++i) {
      const auto next = search_.read_word(node, arch_.word_size);
      if (!next || GuestVirt(*next) == family_[0] + layout_.tasks) {
        break;
      }
      node = GuestVirt(*next);
      sample_.push_back(read(node - layout_.tasks));
    }
  }

  /// How many of the sampled tasks this is true of.
  template <class Test>
  [[nodiscard]] std::size_t count(Test test) const {
    return static_cast<std::size_t>(std::count_if(sample_.begin(), sample_.end(), test));
  }

  /// The state stands before the stack's address: as a long before 5.14, then as an int, which an int for the state
  /// that a lock took away follows in newer kernels. What most sleeping tasks have something in is the state.
  void find_state() {
    std::size_t best = 0;
    for (const std::uint32_t back : {8U, 4U}) {
      if (layout_.stack < back || (w_ == 8 && back == 4)) {
        continue;
      }
      const std::uint32_t at = layout_.stack - back;
      const auto states = count([&](const TaskBytes& t) { return t.half(at) != 0 && t.half(at) < 0x10000; });
      if (states > best) {
        best = states;
        layout_.state = at;
      }
    }
    // stack, a reference count, flags.
    const std::uint32_t flags = layout_.stack + w_ + 4;
    const auto kthreadd = search_.read_value<std::uint32_t>(kthreadd_ + flags);
    const auto init = search_.read_value<std::uint32_t>(family_[family_[1] == kthreadd_ ? 2 : 1] + flags);
    if (kthreadd && init && (*kthreadd & kPfKthread) != 0 && (*init & kPfKthread) == 0) {
      layout_.flags = flags;
    }
  }

  /// exit_state, exit_code, exit_signal (SIGCHLD in most), pdeath_signal, between tasks and pid.
  void find_exit_state() {
    std::size_t best = sample_.size() / 3;
    for (std::uint32_t at = layout_.tasks + 2 * w_; at + 16 <= layout_.pid; at += 4) {
      const auto fits = count([&](const TaskBytes& t) {
        return (t.half(at) & ~0x30U) == 0 && t.half(at + 8) == kSigchld && t.half(at + 12) == 0;
      });
      if (fits > best) {
        best = fits;
        layout_.exit_state = at;
      }
    }
  }

  /// The head of the list whose one element is `node`.
  [[nodiscard]] std::optional<GuestVirt> lone_head(GuestVirt task, std::uint32_t node) {
    const auto next = search_.read_word(task + node, arch_.word_size);
    const auto prev = search_.read_word(task + (node + w_), arch_.word_size);
    if (!next || !prev || *next != *prev || *next % w_ != 0 || GuestVirt(*next) == task + node) {
      return std::nullopt;
    }
    const GuestVirt head(*next);
    const auto first = search_.read_word(head, arch_.word_size);
    const auto last = search_.read_word(head + w_, arch_.word_size);
    return first && last && GuestVirt(*first) == task + node && GuestVirt(*last) == task + node ? std::optional(head)
                                                                                                : std::nullopt;
  }

  void find_threads() {
    constexpr std::uint32_t kSignalAfter = 0x200;
    constexpr std::uint64_t kHeadIn = 64;
    for (std::uint32_t node = parent_ + 7 * w_; node < layout_.comm; node += w_) {
      const auto mine = lone_head(family_[0], node);
      const auto theirs = mine ? lone_head(kthreadd_, node) : std::nullopt;
      if (!theirs) {
        continue;
      }
      for (std::uint32_t at = layout_.comm + kCommBytes; at < layout_.comm + kSignalAfter; at += w_) {
        const auto one = search_.read_word(family_[0] + at, arch_.word_size);
        const auto two = search_.read_word(kthreadd_ + at, arch_.word_size);
        if (!one || !two || *one == 0) {
          continue;
        }
        const std::uint64_t head = mine->value - *one;
        if (head > 0 && head <= kHeadIn && theirs->value - *two == head) {
          layout_.thread_node = node;
          layout_.signal = at;
          layout_.thread_head = static_cast<std::uint32_t>(head);
          return;
        }
      }
    }
  }

  [[nodiscard]] bool in_stack(const TaskBytes& task, std::uint64_t address) const {
    return address % 4 == 0 && address - task.word(layout_.stack) < layout_.stack_size;
  }
  [[nodiscard]] bool is_code(std::uint64_t address) {
    return code_.is_code(GuestVirt(address & ~std::uint64_t{1})).value_or(false);
  }

  /// Are the words at `offset` of `from` a saved context of this task?
  [[nodiscard]] bool is_context(const TaskBytes& task, const TaskBytes& from, std::uint32_t offset) {
    const std::uint32_t fp = arch_.id == ArchId::arm32 ? 7 : 10;  // r4 to sl before it, or x19 to x28
    return in_stack(task, from.word(offset + (fp + 1) * w_)) && is_code(from.word(offset + (fp + 2) * w_)) &&
           (arch_.id == ArchId::arm32 || in_stack(task, from.word(offset + fp * w_)));
  }

  [[nodiscard]] bool is_inactive_frame(const TaskBytes& task, std::uint64_t sp) {
    if (!in_stack(task, sp)) {
      return false;
    }
    for (const std::uint32_t words : w_ == 8 ? std::array{6U, 6U} : std::array{5U, 4U}) {
      if (const auto pc = search_.read_word(GuestVirt(sp) + words * w_, arch_.word_size); pc && is_code(*pc)) {
        return true;
      }
    }
    return false;
  }

  void find_saved() {
    using Saved = TaskLayout::Saved;
    const std::size_t enough = sample_.size() - sample_.size() / 8;  // some run, or are about to
    const auto take = [&](Saved kind, std::uint32_t offset, std::size_t fits) {
      if (fits < std::max<std::size_t>(enough, 2) || layout_.saved_kind != Saved::unknown) {
        return;
      }
      layout_.saved_kind = kind;
      layout_.saved = offset;
    };
    const std::uint32_t end = layout_.comm + kMaxAfter;
    if (arch_.id == ArchId::x86_32 || arch_.id == ArchId::x86_64) {
      for (std::uint32_t at = layout_.comm + kCommBytes; at < end && layout_.saved_kind == Saved::unknown; at += w_) {
        take(Saved::pointer, at, count([&](const TaskBytes& t) { return is_inactive_frame(t, t.word(at)); }));
      }
      return;
    }
    if (arch_.id == ArchId::arm64) {
      for (std::uint32_t at = layout_.comm + kCommBytes; at < end && layout_.saved_kind == Saved::unknown; at += w_) {
        take(Saved::in_task, at, count([&](const TaskBytes& t) { return is_context(t, t, at); }));
      }
      return;
    }
    constexpr std::uint32_t kThreadInfo = 64;
    for (std::uint32_t at = 8; at < kThreadInfo; at += w_) {
      take(Saved::in_task, at, count([&](const TaskBytes& t) { return is_context(t, t, at); }));
    }
    std::vector<TaskBytes> infos;
    for (const TaskBytes& task : sample_) {
      infos.emplace_back(search_, GuestVirt(task.word(layout_.stack)), 2 * kThreadInfo, arch_.word_size);
    }
    for (std::uint32_t at = 8; at < kThreadInfo; at += w_) {
      std::size_t fits = 0;
      for (std::size_t i = 0; i < sample_.size(); ++i) {
        fits += is_context(sample_[i], infos[i], at) ? 1U : 0U;
      }
      take(Saved::on_stack, at, fits);
    }
    // struct thread_info of arm32 has cpu, cpu_domain before the context (5.16 on), or task, cpu, cpu_domain.
    if (layout_.saved_kind == Saved::in_task && layout_.saved >= 16) {
      layout_.cpu = layout_.saved - 8;
    }
  }

  VirtMemory& search_;
  const ArchOps& arch_;
  CodeInfo& code_;
  std::uint32_t w_;
  TaskLayout layout_;
  std::uint32_t parent_ = 0;           ///< offset of real_parent
  std::array<GuestVirt, 3> family_{};  ///< init_task and its children
  GuestVirt kthreadd_;
  std::vector<TaskBytes> sample_;
};

}  // namespace

FoundTasks search_tasks(PageProbe& probe, VirtMemory& search, const ArchOps& arch, CodeInfo& code, GuestVirt begin,
                        std::span<const GuestVirt> likely) {
  FoundTasks result;
  std::size_t comms = 0;
  bool large = false;  // the types of a whole kernel were seen, not those of some BPF program that it carries
  const auto is_name = [](std::string_view comm) {
    const std::size_t name = comm.starts_with("swapper/0") ? 9 : 7;
    return comm.size() == kCommBytes && comm.find_first_not_of('\0', name) == std::string_view::npos;
  };
  const auto visit = [&](GuestVirt at, std::span<const std::byte> bytes) {
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    constexpr std::string_view kMagic("\x9f\xeb\x01\x00", 4);
    for (auto found = text.find(kMagic); found != std::string_view::npos; found = text.find(kMagic, found + 1)) {
      if ((at + found).value % 4 == 0 && Btf::is_header(bytes.subspan(found)) && result.btf.size() < kMaxHeaders &&
          std::find(result.btf.begin(), result.btf.end(), at + found) == result.btf.end()) {
        result.btf.push_back(at + found);
        large = large || Btf::section_bytes(bytes.subspan(found)) >= kLargeTypes;
      }
    }
    for (auto found = result.layout ? std::string_view::npos : text.find("swapper"); found != std::string_view::npos;
         found = text.find("swapper", found + 1)) {
      if ((at + found).value % 4 != 0 || !is_name(text.substr(found, kCommBytes)) || ++comms > kMaxComms) {
        continue;
      }
      result.layout = tell_task_layout(search, arch, code, at + found);
      if (result.layout) {
        return false;
      }
    }
    return true;
  };
  search.prefetch(likely);
  for (const GuestVirt page : likely) {
    // With the page after it: a name or a header may begin in one and end in the other.
    scan_mapped(probe, search, {page, page + 2 * kXenPageSize, 2 * kXenPageSize, kXenPageSize}, 0,
                [&](GuestVirt at, std::span<const std::byte> bytes) {
                  visit(at, bytes);
                  return true;
                });
  }
  // Types are told more surely than a structure is; kernels of 32 bits that have them are not known.
  const auto has_types = [&] { return arch.word_size == 4 || large; };
  if (!result.layout || !has_types()) {
    comms = 0;
    scan_mapped(probe, search, {begin, GuestVirt(~std::uint64_t{0}), kDataBytes, kDataHole}, Btf::kHeaderBytes,
                [&](GuestVirt at, std::span<const std::byte> bytes) {
                  const bool from_tasks = result.layout.has_value();
                  return visit(at, bytes) && !(from_tasks && has_types());
                });
  }
  return result;
}

std::optional<TaskLayout> tell_task_layout(VirtMemory& search, const ArchOps& arch, CodeInfo& code, GuestVirt comm) {
  return Search(search, arch, code).run(comm);
}

}  // namespace xstack
