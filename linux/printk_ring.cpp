// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/printk_ring.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <string_view>
#include <vector>

#include "base/checked.h"
#include "base/endian.h"

namespace xstack {
namespace {

// log_buf_len is 4 KiB to 2 GiB, and there is a descriptor for every 32 bytes of text (PRB_AVGBITS).
constexpr unsigned kMinCountBits = 3;
constexpr unsigned kMaxCountBits = 26;
constexpr unsigned kMinSizeBits = 8;
constexpr unsigned kMaxSizeBits = 31;
constexpr std::size_t kMaxInfo = 512;
constexpr std::size_t kMinInfo = 24;  // up to caller_id
constexpr std::size_t kTextLimit = 65536;
constexpr unsigned kSamples = 16;
constexpr std::uint64_t kDataBytes = 48U << 20;
constexpr std::uint64_t kDataHole = 32U << 20;
constexpr unsigned kMaxCandidates = 4096;

enum class State : unsigned { reserved = 0, committed = 1, finalized = 2, reusable = 3 };

std::uint64_t id_mask(unsigned word_size) {
  return word_size == 4 ? 0x3fffffffU : 0x3fffffffffffffffU;
}

std::uint64_t word_mask(unsigned word_size) {
  return word_size == 4 ? 0xffffffffU : ~std::uint64_t{0};
}

struct Desc {
  std::uint64_t id = 0;
  State state{};
  std::uint64_t begin = 0;
  std::uint64_t next = 0;
};

/// Reads the parts of one ring.
class RingReader {
 public:
  RingReader(VirtMemory& memory, const PrintkRing& ring)
      : memory_(memory),
        ring_(ring),
        layout_(ring.layout),
        index_mask_((std::uint64_t{1} << ring.count_bits) - 1),
        data_mask_((std::uint64_t{1} << ring.size_bits) - 1) {}

  [[nodiscard]] std::uint64_t index(std::uint64_t id) const { return id & index_mask_; }

  [[nodiscard]] std::optional<Desc> desc(std::uint64_t id) {
    std::array<std::byte, 64> bytes{};
    const std::span<std::byte> part = std::span(bytes).first(layout_.desc_size);
    if (!memory_.read(ring_.descs + index(id) * layout_.desc_size, part)) {
      return std::nullopt;
    }
    const auto word = [&](std::size_t at) -> std::uint64_t {
      return layout_.word_size == 4 ? load_le_at<std::uint32_t>(part, at).value_or(0)
                                    : load_le_at<std::uint64_t>(part, at).value_or(0);
    };
    const std::uint64_t state = word(layout_.state);
    return Desc{state & id_mask(layout_.word_size), static_cast<State>(state >> (layout_.word_size * 8 - 2)),
                word(layout_.begin), word(layout_.next)};
  }

  [[nodiscard]] std::optional<std::uint64_t> seq(std::uint64_t id, std::size_t info_size) {
    const auto value = memory_.read_value<std::uint64_t>(ring_.infos + index(id) * info_size + layout_.seq);
    return value ? std::optional(*value) : std::nullopt;
  }

  /// Sequence numbers begin at a descriptor's index and grow by the number of descriptors.
  [[nodiscard]] bool seq_fits(std::uint64_t id, std::uint64_t seq) const { return (seq & index_mask_) == index(id); }

  /// What is known of a record. The device's name at its end may be on a page of zeros that a dump left out.
  [[nodiscard]] bool info(std::uint64_t id, std::span<std::byte> out) {
    const GuestVirt at = ring_.infos + index(id) * layout_.info_size;
    std::ranges::fill(out, std::byte{0});
    const std::size_t head = std::min(out.size(), layout_.caller + 4);
    if (!memory_.read(at, out.first(head))) {
      return false;
    }
    if (head < out.size() && !memory_.read(at + head, out.subspan(head))) {
      std::ranges::fill(out.subspan(head), std::byte{0});
    }
    return true;
  }

  /// The text of a record whose information says that it has `length` bytes; nothing when its block is not its own.
  [[nodiscard]] std::optional<std::string> text(const Desc& desc, std::size_t length) {
    const unsigned word_size = layout_.word_size;
    if ((desc.begin & 1) != 0 || (desc.next & 1) != 0) {
      // No block: 3 marks an empty line, 1 a block that could not be had.
      return desc.begin == 3 && desc.next == 3 ? std::optional(std::string()) : std::nullopt;
    }
    std::uint64_t offset = desc.begin & data_mask_;
    std::uint64_t size = (desc.next - desc.begin) & word_mask(word_size);
    if ((desc.begin & ~data_mask_) != (desc.next & ~data_mask_) && (desc.next & data_mask_) != 0) {
      // It would not have fitted before the end of the ring, and was put at its start.
      offset = 0;
      size = desc.next & data_mask_;
    }
    if (size < word_size || size > data_mask_ + 1 || offset > data_mask_ + 1 - size) {
      return std::nullopt;
    }
    const auto owner = memory_.read_word(ring_.data + offset, word_size);
    if (!owner || *owner != desc.id) {
      return std::nullopt;
    }
    std::string out(std::min<std::size_t>(length, at_most(kTextLimit, size - word_size)), '\0');
    if (!out.empty() && !memory_.read(ring_.data + offset + word_size, std::as_writable_bytes(std::span(out)))) {
      return std::nullopt;
    }
    return out;
  }

 private:
  VirtMemory& memory_;
  const PrintkRing& ring_;
  const RingLayout& layout_;
  std::uint64_t index_mask_;
  std::uint64_t data_mask_;
};

bool written(State state) {
  return state == State::committed || state == State::finalized;
}

/// Ids of the newest written records, newest first.
std::vector<std::uint64_t> newest(RingReader& reader, const PrintkRing& ring) {
  std::vector<std::uint64_t> ids;
  const std::uint64_t mask = id_mask(ring.layout.word_size);
  const std::uint64_t count = ((ring.head_id - ring.tail_id) & mask) + 1;
  for (std::uint64_t i = 0; i < std::min<std::uint64_t>(count, 4 * kSamples) && ids.size() < kSamples; ++i) {
    const std::uint64_t id = (ring.head_id - i) & mask;
    const auto desc = reader.desc(id);
    if (desc && desc->id == id && written(desc->state)) {
      ids.push_back(id);
    }
  }
  return ids;
}

bool info_size_fits(RingReader& reader, std::span<const std::uint64_t> ids, std::size_t size, std::uint64_t mask) {
  std::optional<std::uint64_t> first;
  for (const std::uint64_t id : ids) {
    const auto seq = reader.seq(id, size);
    if (!seq || !reader.seq_fits(id, *seq)) {
      return false;
    }
    if (first && ((*first - *seq) & mask) != ((ids.front() - id) & mask)) {
      return false;
    }
    first = first ? first : seq;
  }
  return true;
}

/// The size of struct printk_info with which every sequence number is where it must be. `ids` is not empty.
std::optional<std::size_t> tell_info_size(RingReader& reader, std::span<const std::uint64_t> ids, std::uint64_t mask) {
  for (const std::size_t usual : {88, 112, 108}) {
    if (info_size_fits(reader, ids, usual, mask)) {
      return usual;
    }
  }
  for (std::size_t size = kMinInfo; size <= kMaxInfo; size += 4) {
    if (info_size_fits(reader, ids, size, mask)) {
      return size;
    }
  }
  return std::nullopt;
}

/// What follows caller_id in the two forms that are known.
void set_rest_of_info(RingLayout& layout) {
  if (layout.info_size == 88) {
    layout.subsystem = 24;
    layout.device = 40;
  } else if (layout.info_size == 112 || layout.info_size == 108) {
    layout.other_caller = 24;
    layout.comm = 28;
    layout.subsystem = 44;
    layout.device = 60;
  }
}

bool kernel_pointer(std::uint64_t value, unsigned word_size) {
  const std::uint64_t lowest = word_size == 4 ? 0x40000000 : 0xff00000000000000;
  return value % 4 == 0 && value >= lowest && value < word_mask(word_size) - 4096;
}

std::optional<std::string> field(std::span<const std::byte> info, std::optional<std::size_t> at, std::size_t size) {
  const auto part = at ? slice(info, *at, size) : std::nullopt;
  if (!part || (*part)[0] == std::byte{0}) {
    return std::nullopt;
  }
  std::string text(reinterpret_cast<const char*>(part->data()), part->size());
  text.resize(std::min(text.find('\0'), text.size()));
  return text;
}

void set_caller(LogRecord& record, std::uint32_t caller) {
  constexpr std::uint32_t kCpu = 0x80000000U;
  ((caller & kCpu) != 0 ? record.cpu : record.tid) = caller & ~kCpu;
}

LogRecord make_record(const RingLayout& layout, std::span<const std::byte> info, std::string text) {
  LogRecord record;
  record.seq = load_le_at<std::uint64_t>(info, layout.seq);
  record.time_ns = load_le_at<std::uint64_t>(info, layout.time).value_or(0);
  record.facility = load_le_at<std::uint8_t>(info, layout.facility).value_or(0);
  record.level = load_le_at<std::uint8_t>(info, layout.level).value_or(0) >> 5;
  record.text = std::move(text);
  if (layout.other_caller) {
    set_caller(record, load_le_at<std::uint32_t>(info, *layout.other_caller).value_or(0));
  }
  set_caller(record, load_le_at<std::uint32_t>(info, layout.caller).value_or(0));
  record.comm = field(info, layout.comm, 16);
  record.subsystem = field(info, layout.subsystem, 16);
  record.device = field(info, layout.device, 48);
  return record;
}

}  // namespace

RingLayout ring_layout(unsigned word_size, bool last_finalized) {
  const std::size_t w = word_size;
  RingLayout layout;
  layout.word_size = word_size;
  layout.descs = w;
  layout.infos = 2 * w;
  layout.head_id = 3 * w;
  layout.tail_id = 4 * w;
  layout.size_bits = (last_finalized ? 6 : 5) * w;
  layout.data = layout.size_bits + w;
  layout.head_lpos = layout.size_bits + 2 * w;
  layout.tail_lpos = layout.size_bits + 3 * w;
  layout.desc_size = 3 * w;
  layout.begin = w;
  layout.next = 2 * w;
  return layout;
}

std::optional<RingLayout> ring_layout(const Vmcoreinfo& info, unsigned word_size) {
  bool whole = true;
  const auto number = [&](const std::string& key) -> std::optional<std::size_t> {
    const auto text = info.value(key);
    std::size_t value = 0;
    if (!text) {
      return std::nullopt;
    }
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
    return error == std::errc() && end == text->data() + text->size() && value <= 4096 ? std::optional(value)
                                                                                       : std::nullopt;
  };
  const auto offset = [&](const char* member) {
    const auto value = number(fmt::format("OFFSET({})", member));
    whole = whole && value;
    return value.value_or(0);
  };
  const auto size = [&](const char* type) {
    const auto value = number(fmt::format("SIZE({})", type));
    whole = whole && value;
    return value.value_or(0);
  };
  RingLayout layout;
  layout.word_size = word_size;
  const std::size_t descs = offset("printk_ringbuffer.desc_ring");
  layout.count_bits = descs + offset("prb_desc_ring.count_bits");
  layout.descs = descs + offset("prb_desc_ring.descs");
  layout.infos = descs + offset("prb_desc_ring.infos");
  layout.head_id = descs + offset("prb_desc_ring.head_id");
  layout.tail_id = descs + offset("prb_desc_ring.tail_id");
  const std::size_t text = offset("printk_ringbuffer.text_data_ring");
  layout.size_bits = text + offset("prb_data_ring.size_bits");
  layout.data = text + offset("prb_data_ring.data");
  layout.head_lpos = text + offset("prb_data_ring.head_lpos");
  layout.tail_lpos = text + offset("prb_data_ring.tail_lpos");
  layout.desc_size = size("prb_desc");
  layout.state = offset("prb_desc.state_var");
  const std::size_t block = offset("prb_desc.text_blk_lpos");
  layout.begin = block + offset("prb_data_blk_lpos.begin");
  layout.next = block + offset("prb_data_blk_lpos.next");
  layout.info_size = size("printk_info");
  layout.seq = offset("printk_info.seq");
  layout.time = offset("printk_info.ts_nsec");
  layout.text_len = offset("printk_info.text_len");
  layout.caller = offset("printk_info.caller_id");
  const std::size_t device = offset("printk_info.dev_info");
  layout.subsystem = device + offset("dev_printk_info.subsystem");
  layout.device = device + offset("dev_printk_info.device");
  // facility and the byte of flags and level are not stated; they have followed text_len since there is this ring.
  layout.facility = layout.text_len + 2;
  layout.level = layout.text_len + 3;
  if (device == layout.caller + 24) {
    layout.other_caller = layout.caller + 4;
    layout.comm = layout.caller + 8;
  }
  const bool sane = layout.desc_size >= 3 * std::size_t{word_size} && layout.desc_size <= 64 &&
                    layout.info_size >= kMinInfo && layout.info_size <= kMaxInfo;
  return whole && sane ? std::optional(layout) : std::nullopt;
}

std::optional<PrintkRing> open_ring(VirtMemory& memory, GuestVirt at, const RingLayout& layout) {
  const unsigned word_size = layout.word_size;
  const auto word = [&](std::size_t offset) {
    const auto value = memory.read_word(at + offset, word_size);
    return value ? *value : 0;
  };
  const auto half = [&](std::size_t offset) {
    const auto value = memory.read_value<std::uint32_t>(at + offset);
    return value ? *value : 0;
  };
  PrintkRing ring;
  ring.at = at;
  ring.layout = layout;
  ring.count_bits = half(layout.count_bits);
  ring.size_bits = half(layout.size_bits);
  ring.descs = GuestVirt(word(layout.descs));
  ring.infos = GuestVirt(word(layout.infos));
  ring.data = GuestVirt(word(layout.data));
  ring.head_id = word(layout.head_id);
  ring.tail_id = word(layout.tail_id);
  if (ring.count_bits < kMinCountBits || ring.count_bits > kMaxCountBits || ring.size_bits < kMinSizeBits ||
      ring.size_bits > kMaxSizeBits || !kernel_pointer(ring.descs.value, word_size) ||
      !kernel_pointer(ring.infos.value, word_size) || !kernel_pointer(ring.data.value, word_size)) {
    return std::nullopt;
  }
  const std::uint64_t mask = id_mask(word_size);
  const std::uint64_t used = (word(layout.head_lpos) - word(layout.tail_lpos)) & word_mask(word_size);
  if (ring.head_id > mask || ring.tail_id > mask || ((ring.head_id - ring.tail_id) & mask) >> ring.count_bits != 0 ||
      used > std::uint64_t{1} << ring.size_bits) {
    return std::nullopt;
  }
  RingReader reader(memory, ring);
  const auto head = reader.desc(ring.head_id);
  const auto tail = reader.desc(ring.tail_id);
  if (!head || !tail || head->id != ring.head_id || tail->id != ring.tail_id) {
    return std::nullopt;
  }
  const auto ids = newest(reader, ring);
  if (ring.layout.info_size == 0) {
    const auto size = ids.empty() ? std::optional<std::size_t>(88) : tell_info_size(reader, ids, mask);
    if (!size) {
      return std::nullopt;
    }
    ring.layout.info_size = *size;
    set_rest_of_info(ring.layout);
  } else if (!info_size_fits(reader, ids, ring.layout.info_size, mask)) {
    return std::nullopt;
  }
  ring.newest_seq = ids.empty() ? 0 : reader.seq(ids.front(), ring.layout.info_size).value_or(0);
  return ring;
}

std::optional<PrintkRing> find_ring(PageProbe& probe, VirtMemory& search, GuestVirt begin, unsigned word_size) {
  const std::array layouts = {ring_layout(word_size, true), ring_layout(word_size, false)};
  const std::size_t span = 10 * std::size_t{word_size};
  std::optional<PrintkRing> best;
  unsigned candidates = 0;
  const auto visit = [&](GuestVirt at, std::span<const std::byte> bytes) {
    const auto word = [&](std::size_t offset) -> std::uint64_t {
      return word_size == 4 ? load_le<std::uint32_t>(bytes.data() + offset)
                            : load_le<std::uint64_t>(bytes.data() + offset);
    };
    for (std::size_t offset = 0; offset + span <= bytes.size(); offset += word_size) {
      // count_bits is followed by padding where words are wide: a static structure, so zeros.
      const std::uint64_t count_bits = word(offset);
      if (count_bits < kMinCountBits || count_bits > kMaxCountBits ||
          !kernel_pointer(word(offset + word_size), word_size) ||
          !kernel_pointer(word(offset + 2 * std::size_t{word_size}), word_size)) {
        continue;
      }
      for (const RingLayout& layout : layouts) {
        const std::uint64_t size_bits = word(offset + layout.size_bits) & 0xffffffffU;
        if (size_bits < kMinSizeBits || size_bits > kMaxSizeBits ||
            !kernel_pointer(word(offset + layout.data), word_size) || ++candidates > kMaxCandidates) {
          continue;
        }
        auto ring = open_ring(search, at + offset, layout);
        if (ring && (!best || ring->newest_seq > best->newest_seq)) {
          best = std::move(ring);
        }
      }
    }
    return candidates <= kMaxCandidates;
  };
  scan_mapped(probe, search, {begin, GuestVirt(word_mask(word_size) - 4095), kDataBytes, kDataHole}, span, visit);
  return best;
}

KernelLog read_ring(VirtMemory& memory, const PrintkRing& ring, const LogLimits& limits) {
  KernelLog log;
  RingReader reader(memory, ring);
  const std::uint64_t mask = id_mask(ring.layout.word_size);
  const std::uint64_t count = ((ring.head_id - ring.tail_id) & mask) + 1;
  std::vector<std::byte> info(ring.layout.info_size);
  std::size_t bytes = 0;
  std::optional<std::uint64_t> cut;  // so many older records were not looked at
  // Newest first, so that limits cut the oldest off.
  for (std::uint64_t i = 0; i < count; ++i) {
    if (i >= limits.records || bytes >= limits.text_bytes) {
      cut = count - i;
      break;
    }
    const std::uint64_t id = (ring.head_id - i) & mask;
    const auto desc = reader.desc(id);
    if (!desc || desc->id != id || desc->state == State::reusable) {
      // A recycled place at the very end is how a ring looks whose oldest record is just being dropped.
      log.unreadable += desc && desc->state == State::reusable ? 0U : 1U;
      continue;
    }
    if (!written(desc->state)) {
      ++log.unfinished;
      continue;
    }
    if (!reader.info(id, info)) {
      ++log.unreadable;
      continue;
    }
    auto text = reader.text(*desc, load_le_at<std::uint16_t>(info, ring.layout.text_len).value_or(0));
    const std::uint64_t seq = load_le_at<std::uint64_t>(info, ring.layout.seq).value_or(0);
    if (!text || !reader.seq_fits(id, seq)) {
      ++log.unreadable;
      continue;
    }
    bytes += text->size() + 1;
    log.records.push_back(make_record(ring.layout, info, std::move(*text)));
  }
  std::reverse(log.records.begin(), log.records.end());
  if (!log.records.empty() && !cut) {
    log.lost = log.records.front().seq;
  }
  if (cut) {
    log.warnings.push_back(
        fmt::format("the newest {} records alone were read: {} older ones are left out", log.records.size(), *cut));
  }
  return log;
}

}  // namespace xstack
