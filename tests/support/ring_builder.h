// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "linux/printk_ring.h"
#include "tests/support/fake_memory.h"

namespace xstack::test {

/// A lockless printk ring in fake memory, written as the kernel does it.
class RingBuilder {
 public:
  static constexpr std::uint64_t kRing = 0xc1000000;
  static constexpr std::uint64_t kDescs = 0xc1010000;
  static constexpr std::uint64_t kInfos = 0xc1020000;
  static constexpr std::uint64_t kData = 0xc1040000;

  RingBuilder(FakeVirt& memory, unsigned word_size, std::size_t info_size, unsigned count_bits = 4,
              unsigned size_bits = 9, bool last_finalized = true)
      : memory_(memory),
        layout_(ring_layout(word_size, last_finalized)),
        info_size_(info_size),
        count_bits_(count_bits),
        size_bits_(size_bits),
        base_(word_size == 8 ? 0xffffffff00000000 : 0) {
    word_mask_ = word_size == 4 ? 0xffffffffU : ~std::uint64_t{0};
    id_mask_ = word_mask_ >> 2;
    const std::uint64_t count = std::uint64_t{1} << count_bits;
    head_ = tail_ = (0 - (count + 1)) & id_mask_;
    lpos_ = tail_lpos_ = (0 - (std::uint64_t{1} << size_bits)) & word_mask_;
    for (std::uint64_t i = 0; i < count; ++i) {
      desc(i, 3, i == count - 1 ? head_ : 0, 1, 1);
    }
    touch(kDescs, count * layout_.desc_size);
    touch(kInfos, count * info_size);
    touch(kData, std::uint64_t{1} << size_bits);
    finish();
  }

  [[nodiscard]] GuestVirt at() const { return GuestVirt(base_ + kRing); }
  [[nodiscard]] std::uint64_t head() const { return head_; }
  [[nodiscard]] const RingLayout& layout() const { return layout_; }

  /// Appends one record in `state` (2: finalized) and drops old ones that are in its way. Returns its id.
  std::uint64_t add(std::string_view text, unsigned state = 2, unsigned level = 6, std::uint32_t caller = 1) {
    const std::uint64_t size = std::uint64_t{1} << size_bits_;
    const std::uint64_t count = std::uint64_t{1} << count_bits_;
    head_ = (head_ + 1) & id_mask_;
    if (((head_ - tail_) & id_mask_) >= count) {
      drop();
    }
    std::uint64_t begin = 3;
    std::uint64_t next = 3;
    if (!text.empty()) {
      const std::uint64_t w = layout_.word_size;
      const std::uint64_t need = (w + text.size() + w - 1) / w * w;
      begin = lpos_;
      next = (begin + need) & word_mask_;
      std::uint64_t place = begin & (size - 1);
      if ((begin & ~(size - 1)) != ((next - 1) & ~(size - 1))) {
        place = 0;
        next = (((begin & ~(size - 1)) + size) & word_mask_) + need;
      }
      while (((next - tail_lpos_) & word_mask_) > size) {
        drop();
      }
      word(base_ + kData + place, head_);
      bytes(base_ + kData + place + w, text);
      lpos_ = next;
    }
    const std::uint64_t index = head_ & (count - 1);
    desc(index, state, head_, begin, next);
    const std::uint64_t info = base_ + kInfos + index * info_size_;
    memory_.put(GuestVirt(info), seq_);
    memory_.put(GuestVirt(info + 8), std::uint64_t{1'000'000'000} + seq_ * 1000);
    memory_.put(GuestVirt(info + 16), static_cast<std::uint16_t>(text.size()));
    memory_.put(GuestVirt(info + 18), std::uint8_t{0});
    memory_.put(GuestVirt(info + 19), static_cast<std::uint8_t>(level << 5 | 2));
    memory_.put(GuestVirt(info + 20), caller);
    ++seq_;
    finish();
    return head_;
  }

  [[nodiscard]] GuestVirt info(std::uint64_t id) const {
    return GuestVirt(base_ + kInfos + (id & ((1U << count_bits_) - 1)) * info_size_);
  }
  void desc(std::uint64_t index, unsigned state, std::uint64_t id, std::uint64_t begin, std::uint64_t next) {
    const std::uint64_t at = base_ + kDescs + index * layout_.desc_size;
    word(at, id | std::uint64_t{state} << (layout_.word_size * 8 - 2));
    word(at + layout_.begin, begin);
    word(at + layout_.next, next);
  }
  void word(std::uint64_t at, std::uint64_t value) {
    if (layout_.word_size == 4) {
      memory_.put(GuestVirt(at), static_cast<std::uint32_t>(value));
    } else {
      memory_.put(GuestVirt(at), value);
    }
  }
  void bytes(std::uint64_t at, std::string_view text) {
    memory_.put_bytes(GuestVirt(at), std::as_bytes(std::span(text.data(), text.size())));
  }

 private:
  void touch(std::uint64_t at, std::uint64_t size) {
    for (std::uint64_t i = 0; i < size + kXenPageSize; i += kXenPageSize) {
      memory_.touch(GuestVirt(base_ + at + i));
    }
  }
  /// The oldest record goes, as desc_push_tail() and data_push_tail() do it.
  void drop() {
    const std::uint64_t count = std::uint64_t{1} << count_bits_;
    const std::uint64_t old = base_ + kDescs + (tail_ & (count - 1)) * layout_.desc_size;
    const std::uint64_t next = *memory_.read_word(GuestVirt(old + layout_.next), layout_.word_size);
    if ((next & 1) == 0) {
      tail_lpos_ = next;
    }
    word(old, tail_ | std::uint64_t{3} << (layout_.word_size * 8 - 2));
    tail_ = (tail_ + 1) & id_mask_;
  }
  void finish() {
    const std::uint64_t at = base_ + kRing;
    word(at, count_bits_);
    word(at + layout_.descs, base_ + kDescs);
    word(at + layout_.infos, base_ + kInfos);
    word(at + layout_.head_id, head_);
    word(at + layout_.tail_id, tail_);
    word(at + layout_.size_bits, size_bits_);
    word(at + layout_.data, base_ + kData);
    word(at + layout_.head_lpos, lpos_);
    word(at + layout_.tail_lpos, tail_lpos_);
  }

  FakeVirt& memory_;
  RingLayout layout_;
  std::size_t info_size_;
  unsigned count_bits_;
  unsigned size_bits_;
  std::uint64_t base_;
  std::uint64_t word_mask_ = 0;
  std::uint64_t id_mask_ = 0;
  std::uint64_t head_ = 0;
  std::uint64_t tail_ = 0;
  std::uint64_t lpos_ = 0;
  std::uint64_t tail_lpos_ = 0;
  std::uint64_t seq_ = 0;
};

}  // namespace xstack::test
