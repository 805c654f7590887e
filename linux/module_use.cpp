// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/module_use.h"

#include <algorithm>
#include <map>
#include <utility>

#include "base/endian.h"
#include "linux/mapped_scan.h"
#include "linux/module_struct.h"

namespace xstack {
namespace {

constexpr std::size_t kMaxUsers = 4096;
constexpr std::size_t kMaxSteps = 1U << 20;   // along all lists, at all offsets tried
constexpr std::uint32_t kBaseReferences = 1;  // MODULE_REF_BASE: a module that is loaded holds one itself
constexpr std::uint32_t kMaxReferences = 1U << 24;

class UseReader {
 public:
  UseReader(VirtMemory& memory, std::span<const KernelModule> modules, unsigned word_size)
      : memory_(memory), modules_(modules), w_(word_size) {
    for (std::size_t i = 0; i < modules.size(); ++i) {
      place_.emplace(modules[i].structure.value, i);
      bytes_.emplace_back(ModuleBytes::kSize);
      read_tolerant(memory, modules[i].structure, bytes_.back());
    }
  }

  /// Where source_list is: the one offset that suits every module.
  [[nodiscard]] std::optional<std::size_t> find_lists() {
    std::optional<std::size_t> best;
    std::size_t most = 0;
    for (std::size_t at = std::size_t{2} * w_ + 64; at + std::size_t{6} * w_ <= ModuleBytes::kSize; at += w_) {
      std::size_t known = 0;  // modules that say more than nothing: an exit function, or a user
      bool suits = true;
      for (std::size_t i = 0; i < modules_.size() && suits; ++i) {
        suits = looks_like_lists(i, at);
        known += suits && (word(i, at + std::size_t{4} * w_) != 0 || word(i, at) != own(i, at)) ? 1 : 0;
      }
      if (suits && known > most) {
        most = known;
        best = at;
      }
    }
    return best;
  }

  /// The modules that use module `i`. Nothing when the list does not come back to its head.
  [[nodiscard]] std::optional<std::vector<std::string>> users(std::size_t i, std::size_t lists) const {
    const std::uint64_t head = own(i, lists);
    std::vector<std::string> names;
    std::uint64_t before = head;
    std::uint64_t node = word(i, lists);
    while (node != head) {
      // struct module_use {struct list_head source_list, target_list; struct module *source, *target;}
      const auto back = memory_.read_word(GuestVirt(node) + w_, w_);
      const auto source = memory_.read_word(GuestVirt(node) + std::size_t{4} * w_, w_);
      const auto target = memory_.read_word(GuestVirt(node) + std::size_t{5} * w_, w_);
      const auto user = source ? place_.find(*source) : place_.end();
      const auto next = memory_.read_word(GuestVirt(node), w_);
      // A list whose every member points back to the one before comes to none of them twice.
      if (!back || *back != before || !target || *target != modules_[i].structure.value || user == place_.end() ||
          !next || names.size() >= kMaxUsers || ++steps_ > kMaxSteps) {
        return std::nullopt;
      }
      names.push_back(modules_[user->second].name);
      before = node;
      node = *next;
    }
    return names;
  }

  [[nodiscard]] std::optional<std::uint32_t> references(std::size_t i, std::size_t lists) const {
    const std::uint32_t count = half(i, lists + std::size_t{5} * w_);
    // One that is going has given up its own.
    return count >= kBaseReferences ? std::optional(count - kBaseReferences) : std::nullopt;
  }

  [[nodiscard]] std::uint32_t half(std::size_t i, std::size_t at) const {
    return load_le_at<std::uint32_t>(bytes_[i], at).value_or(0);
  }

 private:
  [[nodiscard]] std::uint64_t word(std::size_t i, std::size_t at) const {
    return w_ == 4 ? half(i, at) : load_le_at<std::uint64_t>(bytes_[i], at).value_or(0);
  }
  [[nodiscard]] std::uint64_t own(std::size_t i, std::size_t at) const { return modules_[i].structure.value + at; }

  /// An empty list, or one whose first and last member point back.
  [[nodiscard]] bool is_list(std::size_t i, std::size_t at) const {
    const std::uint64_t head = own(i, at);
    const std::uint64_t next = word(i, at);
    const std::uint64_t prev = word(i, at + w_);
    if (next == head || prev == head) {
      return next == prev;
    }
    const auto back = memory_.read_word(GuestVirt(next) + w_, w_);
    const auto forth = memory_.read_word(GuestVirt(prev), w_);
    return back && *back == head && forth && *forth == head;
  }

  [[nodiscard]] bool looks_like_lists(std::size_t i, std::size_t at) const {
    const KernelModule& module = modules_[i];
    const GuestVirt exit(word(i, at + std::size_t{4} * w_) &
                         ~std::uint64_t{w_ == 4 ? 1U : 0U});  // without the Thumb bit
    const bool inside = exit.value == 0 || (exit >= module.text_begin && exit < module.text_end) ||
                        (exit >= module.init_text_begin && exit < module.init_text_end);
    return inside && half(i, at + std::size_t{5} * w_) <= kMaxReferences && is_list(i, at) &&
           is_list(i, at + std::size_t{2} * w_) && users(i, at).has_value();
  }

  VirtMemory& memory_;
  std::span<const KernelModule> modules_;
  unsigned w_;
  std::map<std::uint64_t, std::size_t> place_;  ///< address of a structure to its position
  std::vector<std::vector<std::byte>> bytes_;
  mutable std::size_t steps_ = 0;
};

}  // namespace

std::vector<ModuleUse> read_module_use(VirtMemory& memory, std::span<const KernelModule> modules, unsigned word_size,
                                       std::optional<std::uint32_t> taints) {
  std::vector<ModuleUse> all(modules.size());
  UseReader reader(memory, modules, word_size);
  const auto lists = reader.find_lists();
  for (std::size_t i = 0; i < modules.size(); ++i) {
    if (lists) {
      all[i].references = reader.references(i, *lists);
      all[i].users = reader.users(i, *lists);
    }
    // There are less than 32 flags, and 5.10 has no room for more.
    if (const auto mask =
            taints ? memory.read_value<std::uint32_t>(modules[i].structure + *taints) : tl::unexpected(Fault{})) {
      all[i].taints = *mask;
    }
  }
  return all;
}

}  // namespace xstack
