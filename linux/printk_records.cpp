// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/printk_records.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/checked.h"
#include "base/endian.h"

namespace xstack {
namespace {

constexpr std::size_t kHeader = 16;
constexpr std::size_t kMaxHeader = 24;  // with caller_id, and its padding where alignment is 8
constexpr std::size_t kMaxRecord = kMaxHeader + 2048 + 8192 + 8;
constexpr std::uint64_t kMaxBuffer = 64U << 20;
constexpr std::uint64_t kSearchedBuffer = 16U << 20;
constexpr std::uint64_t kMaxTime = std::uint64_t{1} << 60;  // 36 years
constexpr std::uint64_t kJitter = 1'000'000;                // between the clocks of CPUs, nanoseconds
constexpr unsigned kChain = 12;                             // so many in a row are no accident
constexpr std::uint64_t kDataBytes = 48U << 20;
constexpr std::uint64_t kDataHole = 32U << 20;
constexpr unsigned kPrefix = 4;
constexpr unsigned kContinued = 8;
constexpr unsigned kNewline = 2;

struct Header {
  std::uint64_t time = 0;
  std::size_t length = 0;
  std::size_t text = 0;
  std::size_t dict = 0;
  unsigned facility = 0;
  unsigned flags = 0;
  unsigned level = 0;
};

/// The header at `at`, unless what it says cannot be.
std::optional<Header> header_at(std::span<const std::byte> bytes, std::size_t at) {
  const auto part = slice(bytes, at, kHeader);
  if (!part) {
    return std::nullopt;
  }
  const std::byte* p = part->data();
  Header h{load_le<std::uint64_t>(p),
           load_le<std::uint16_t>(p + 8),
           load_le<std::uint16_t>(p + 10),
           load_le<std::uint16_t>(p + 12),
           load_le<std::uint8_t>(p + 14),
           0,
           0};
  const unsigned last = load_le<std::uint8_t>(p + 15);
  h.flags = last & 0x1fU;
  h.level = last >> 5;
  const std::size_t needed = h.text + h.dict + kHeader;
  const bool sane = h.length >= kHeader && h.length <= kMaxRecord && h.length % 4 == 0 && h.length >= needed &&
                    h.length < needed + (kMaxHeader - kHeader) + 8 && h.time < kMaxTime;
  return sane ? std::optional(h) : std::nullopt;
}

bool begins_printable(std::span<const std::byte> bytes, std::size_t at, const Header& h) {
  // The text begins after 16 to 24 bytes; whichever it is, the bytes after 24 are text when there are so many.
  for (std::size_t i = kMaxHeader; i < kHeader + h.text && i < kMaxHeader + 32; ++i) {
    const auto part = slice(bytes, at + i, 1);
    const auto c = part ? static_cast<unsigned char>((*part)[0]) : 0;
    if (c < 0x20 && c != '\t' && c != '\n' && c != 0x1b && c != '\r') {
      return false;
    }
  }
  return true;
}

/// How many records in a row begin at `at`, `limit` at most.
unsigned chain_at(std::span<const std::byte> bytes, std::size_t at, unsigned limit) {
  unsigned count = 0;
  std::uint64_t time = 0;
  while (count < limit) {
    const auto h = header_at(bytes, at);
    if (!h || h->text == 0 || !begins_printable(bytes, at, *h) || h->time + 1000 * kJitter < time) {
      break;
    }
    time = h->time;
    at += h->length;
    ++count;
  }
  return count;
}

/// Offsets of records from `at` on until one is no record, `end`, or a wrap (length 0) is reached.
std::vector<std::size_t> chain_from(std::span<const std::byte> bytes, std::size_t at, std::size_t end) {
  std::vector<std::size_t> all;
  while (at < end) {
    const auto h = header_at(bytes, at);
    if (!h) {
      break;
    }
    all.push_back(at);
    at += h->length;
  }
  return all;
}

/// Every record that can be found when nobody says where the oldest one is: the chain from the buffer's start, then
/// what chains are left behind its end. The newer part is the one at the start when the times say so.
std::vector<std::size_t> records_without_positions(std::span<const std::byte> bytes) {
  std::vector<std::size_t> low = chain_from(bytes, 0, bytes.size());
  if (low.empty()) {
    return low;
  }
  // Where time goes back furthest newer records end and those of the round before begin.
  std::size_t oldest = 0;
  std::uint64_t furthest = kJitter;
  for (std::size_t i = 1; i < low.size(); ++i) {
    const std::uint64_t before = header_at(bytes, low[i - 1])->time;
    const std::uint64_t time = header_at(bytes, low[i])->time;
    if (before > time && before - time > furthest) {
      oldest = i;
      furthest = before - time;
    }
  }
  if (oldest != 0) {
    std::rotate(low.begin(), low.begin() + static_cast<std::ptrdiff_t>(oldest), low.end());
    return low;
  }
  const std::size_t from = low.back() + header_at(bytes, low.back())->length;
  for (std::size_t at = from; at + kHeader <= bytes.size(); at += 4) {
    if (chain_at(bytes, at, 3) < 3) {
      continue;
    }
    std::vector<std::size_t> high = chain_from(bytes, at, bytes.size());
    if (header_at(bytes, high.front())->time <= header_at(bytes, low.back())->time) {
      high.insert(high.end(), low.begin(), low.end());
      return high;
    }
    break;
  }
  return low;
}

/// The records from `first` to `next`, in order; `unreadable` counts breaks in the chain.
std::vector<std::size_t> records_between(std::span<const std::byte> bytes, std::size_t first, std::size_t next,
                                         std::uint64_t& unreadable) {
  std::vector<std::size_t> all;
  std::size_t at = first;
  bool wrapped = false;
  const std::size_t most = bytes.size() / kHeader + 1;
  while (all.size() < most && !(at == next && (wrapped || !all.empty() || first == next))) {
    const auto length = load_le_at<std::uint16_t>(bytes, at + 8);
    if (!length || *length == 0) {
      if (wrapped) {
        ++unreadable;
        break;
      }
      wrapped = true;
      at = 0;
      continue;
    }
    if (!header_at(bytes, at)) {
      ++unreadable;
      // Take it up again at the next record that others follow.
      const std::size_t end = wrapped || next > at ? next : bytes.size();
      std::size_t again = at + 4;
      while (again < end && chain_at(bytes, again, 3) < 3) {
        again += 4;
      }
      if (again >= end) {
        if (wrapped || next > at) {
          break;
        }
        wrapped = true;
        again = 0;
      }
      at = again;
      continue;
    }
    if (at > next && (wrapped || next > first)) {
      ++unreadable;  // it went past the end without meeting it
      break;
    }
    all.push_back(at);
    at += *length;
  }
  return all;
}

/// The size of the header, 16, 20 or 24: that with which most records end in nothing but their padding, which is zeros
/// and shorter than the alignment.
std::size_t header_size(std::span<const std::byte> bytes, std::span<const std::size_t> records) {
  std::size_t best = kHeader;
  std::ptrdiff_t most = 0;
  for (const std::size_t size : {kHeader, std::size_t{20}, kMaxHeader}) {
    const auto count = std::ranges::count_if(records, [&](std::size_t at) {
      const Header h = *header_at(bytes, at);
      const std::size_t used = size + h.text + h.dict;
      const auto padding = used <= h.length ? slice(bytes, at + used, h.length - used) : std::nullopt;
      return padding && padding->size() < 8 &&
             std::ranges::all_of(*padding, [](std::byte b) { return b == std::byte{0}; });
    });
    if (count > most) {
      best = size;
      most = count;
    }
  }
  return best;
}

void take_dictionary(std::string_view dict, LogRecord& record) {
  while (!dict.empty()) {
    const std::string_view line = dict.substr(0, dict.find('\0'));
    if (line.starts_with("SUBSYSTEM=")) {
      record.subsystem = line.substr(10);
    } else if (line.starts_with("DEVICE=")) {
      record.device = line.substr(7);
    }
    dict.remove_prefix(std::min(dict.size(), line.size() + 1));
  }
}

std::string_view chars(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::optional<LogRecord> record_at(std::span<const std::byte> bytes, std::size_t at, std::size_t header,
                                   unsigned& flags_before) {
  const Header h = *header_at(bytes, at);
  const auto text = slice(bytes, at + header, h.text);
  const auto dict = slice(bytes, at + header + h.text, h.dict);
  if (!text || !dict) {
    return std::nullopt;
  }
  LogRecord record;
  record.time_ns = h.time;
  record.level = h.level;
  record.facility = h.facility;
  record.text = chars(*text);
  record.joined = (flags_before & kContinued) != 0 && (flags_before & kNewline) == 0 && (h.flags & kContinued) != 0 &&
                  (h.flags & kPrefix) == 0;
  flags_before = h.flags;
  if (header >= 20) {
    const std::uint32_t caller = load_le_at<std::uint32_t>(bytes, at + kHeader).value_or(0);
    ((caller >> 31) != 0 ? record.cpu : record.tid) = caller & 0x7fffffffU;
  }
  take_dictionary(chars(*dict), record);
  return record;
}

}  // namespace

std::optional<RecordBuffer> find_records(PageProbe& probe, VirtMemory& search, GuestVirt begin) {
  std::optional<RecordBuffer> found;
  const auto visit = [&](GuestVirt at, std::span<const std::byte> bytes) {
    for (std::size_t offset = 0; offset + kHeader <= bytes.size(); offset += 4) {
      if (chain_at(bytes, offset, kChain) == kChain) {
        found = RecordBuffer{at + offset, kSearchedBuffer, std::nullopt, 0, std::nullopt};
        return false;
      }
    }
    return true;
  };
  constexpr std::size_t kOverlap = 65536;
  scan_mapped(probe, search, {begin, GuestVirt(~std::uint64_t{0} - 4095), kDataBytes, kDataHole}, kOverlap, visit);
  if (!found) {
    return std::nullopt;
  }
  // The buffer's end is not known; what is mapped behind its start and still a chain is what counts.
  std::uint64_t mapped = 0;
  while (mapped < found->size) {
    const auto mapping = probe.at(found->at + mapped);
    if (!mapping) {
      break;
    }
    mapped += std::max<std::uint64_t>(mapping->left, 1);
  }
  found->size = std::min(mapped, found->size);
  return found;
}

KernelLog read_records(VirtMemory& memory, const RecordBuffer& buffer, const LogLimits& limits) {
  KernelLog log;
  if (buffer.size < kHeader || buffer.size > kMaxBuffer) {
    log.warnings.push_back(fmt::format("the log buffer says that it has {} bytes", buffer.size));
    return log;
  }
  std::vector<std::byte> bytes(static_cast<std::size_t>(buffer.size));
  const std::size_t got = read_tolerant(memory, buffer.at, bytes);
  if (got < bytes.size() && buffer.first) {
    log.warnings.push_back(
        fmt::format("{} of {} bytes of the log buffer cannot be read", bytes.size() - got, bytes.size()));
  }
  const bool placed = buffer.first && *buffer.first < bytes.size() && buffer.next <= bytes.size();
  if (buffer.first && !placed) {
    log.warnings.emplace_back("the kernel's positions in its log buffer lie outside of it");
  }
  std::vector<std::size_t> records =
      placed ? records_between(bytes, *buffer.first, buffer.next, log.unreadable) : records_without_positions(bytes);
  if (log.unreadable != 0) {
    log.warnings.emplace_back("the chain of records is broken: some are missing");
  }
  const std::size_t header = records.empty() ? kHeader : header_size(bytes, records);
  std::size_t skip = records.size() - std::min(records.size(), limits.records);
  std::size_t text = 0;
  for (std::size_t i = records.size(); i > skip; --i) {
    text += header_at(bytes, records[i - 1])->text + 1;
    if (text > limits.text_bytes) {
      skip = i;
      break;
    }
  }
  if (skip != 0) {
    log.warnings.push_back(
        fmt::format("the newest {} records alone were read: {} older ones are left out", records.size() - skip, skip));
  }
  unsigned flags = 0;
  for (std::size_t i = skip; i < records.size(); ++i) {
    auto record = record_at(bytes, records[i], header, flags);
    if (!record) {
      ++log.unreadable;
      continue;
    }
    if (buffer.first_seq && log.unreadable == 0) {
      record->seq = *buffer.first_seq + i;
    }
    log.records.push_back(std::move(*record));
  }
  if (buffer.first_seq && skip == 0) {
    log.lost = buffer.first_seq;
  }
  return log;
}

}  // namespace xstack
