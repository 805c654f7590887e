// SPDX-License-Identifier: LGPL-2.1-or-later
#include "logs/anchors.h"

#include <algorithm>
#include <array>
#include <cstdint>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace xstack::logs {
namespace {

using std::string_view_literals::operator""sv;

/// The first four bytes of each are what the vector search looks for, so an anchor begins where its line's text is
/// rarest, not where a word does. The rows are buckets: anchors whose bytes are alike share one, which keeps the number
/// of places that must be looked at twice low (about one in 300 in boot logs).
constexpr std::array kAnchors = {
    // clang-format off
    "d crashed by"sv, "** Dumping "sv, "** LOADING DOM"sv, "ll trace:"sv, ") crashed on cpu#"sv, "[ cut here"sv, "acktrace:"sv, "acktrace:"sv,
    "ps: "sv, " walk"sv, " - not syncing"sv, "[#1]"sv, "[#4]"sv, "[#2]"sv, "[#3]"sv, "[#3]"sv,
    "BUG "sv, "BUG: "sv, "Run /"sv, "Starting kernel"sv, "SError "sv, "ARN at"sv, "Bad mode in"sv, "PANIC: "sv,
    "e fault"sv, "Panic on CPU"sv, "ch abort: "sv, "ck guard page"sv, "ce from"sv, "en version "sv, "ck space to"sv, "ck space to"sv,
    "NING: "sv, "INFO: "sv, "on '"sv, "ed Trap"sv, "UBSAN: "sv, "ain_crash"sv, "el Offset: "sv, "ll Trace:"sv,
    "x version "sv, "d -> "sv, "task:"sv, "OCKUP"sv, "8<--- "sv, "8<--- "sv, "8<--- "sv, "8<--- "sv,
    "ode: "sv, "gin: "sv, "omm: "sv, "reeing unused kernel"sv, "U-Boot "sv, "U-Boot "sv, "U-Boot "sv, "U-Boot "sv,
    "to handle kernel"sv, "-[ Xen"sv, " fault"sv, "de error: "sv, "al error: "sv, "al error: "sv, "al error: "sv, "al error: "sv,
    // clang-format on
};

constexpr std::size_t kBuckets = 8;
constexpr std::size_t kBucketSize = 8;  ///< short ones repeat their last
constexpr std::size_t kPositions = 4;
static_assert(kAnchors.size() == kBuckets * kBucketSize);

/// Of each byte, at each of the first four positions of an anchor, the buckets whose anchors have it there.
struct ByteMasks {
  std::array<std::array<std::uint8_t, 256>, kPositions> at{};
};

constexpr ByteMasks make_byte_masks() {
  ByteMasks masks;
  for (std::size_t i = 0; i < kAnchors.size(); ++i) {
    for (std::size_t p = 0; p < kPositions; ++p) {
      masks.at[p][static_cast<unsigned char>(kAnchors[i][p])] |= static_cast<std::uint8_t>(1U << (i / kBucketSize));
    }
  }
  return masks;
}

constexpr ByteMasks kMasks = make_byte_masks();

constexpr std::uint32_t first_four(const char* at) {
  std::uint32_t value = 0;
  for (std::size_t p = 0; p < kPositions; ++p) {
    value |= static_cast<std::uint32_t>(static_cast<unsigned char>(at[p])) << (8 * p);
  }
  return value;
}

/// The first four bytes of each anchor: what passed the masks by chance fails here.
constexpr std::array<std::uint32_t, kAnchors.size()> make_heads() {
  std::array<std::uint32_t, kAnchors.size()> heads{};
  for (std::size_t i = 0; i < kAnchors.size(); ++i) {
    heads[i] = first_four(kAnchors[i].data());
  }
  return heads;
}

constexpr auto kHeads = make_heads();

/// Where in 1024 places an anchor with this head stands.
constexpr unsigned head_slot(std::uint32_t head) {
  return (head * 0x9e3779b1U) >> 22;
}

/// The anchors of each place, as a list: nearly all that is none is told by one look. Entries are one more than an
/// index; 0 is the end.
struct HeadLists {
  std::array<std::uint8_t, 1024> first{};
  std::array<std::uint8_t, kAnchors.size()> next{};
};

constexpr HeadLists make_head_lists() {
  HeadLists lists;
  for (std::size_t i = 0; i < kHeads.size(); ++i) {
    lists.next[i] = lists.first[head_slot(kHeads[i])];
    lists.first[head_slot(kHeads[i])] = static_cast<std::uint8_t>(i + 1);
  }
  return lists;
}

constexpr HeadLists kHeadLists = make_head_lists();

/// Does an anchor of this list, which is not empty, begin at `at` with `head`?
bool anchor_of_list_at(std::string_view text, std::size_t at, std::uint32_t head, unsigned entry) {
  for (; entry != 0; entry = kHeadLists.next[entry - 1]) {
    if (kHeads[entry - 1] == head && text.substr(at).starts_with(kAnchors[entry - 1])) {
      return true;
    }
  }
  return false;
}

/// Does an anchor begin at `at`, where at least kPositions bytes are?
inline bool anchor_at(std::string_view text, std::size_t at) {
  const std::uint32_t head = first_four(text.data() + at);
  const unsigned entry = kHeadLists.first[head_slot(head)];
  return entry != 0 && anchor_of_list_at(text, at, head, entry);
}

std::size_t plainly(std::string_view text, std::size_t from, std::uint64_t& line_ends) {
  for (std::size_t i = from; i < text.size(); ++i) {
    if (i + kPositions <= text.size() && anchor_at(text, i)) {
      return i;
    }
    line_ends += text[i] == '\n' ? 1 : 0;
  }
  return std::string_view::npos;
}

std::size_t count_plainly(char c, std::string_view text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), c));
}

#if defined(__x86_64__)

/// The same masks by nibble, so that one shuffle looks up 32 bytes: low and high nibble of each of four positions. A
/// byte may pass that is in no anchor (nibbles of two that are): anchor_at() decides.
struct NibbleMasks {
  std::array<std::array<std::uint8_t, 16>, kPositions> low{};
  std::array<std::array<std::uint8_t, 16>, kPositions> high{};
};

constexpr NibbleMasks make_nibble_masks() {
  NibbleMasks masks;
  for (std::size_t p = 0; p < kPositions; ++p) {
    for (unsigned b = 0; b < 256; ++b) {
      masks.low[p][b & 15] |= kMasks.at[p][b];
      masks.high[p][b >> 4] |= kMasks.at[p][b];
    }
  }
  return masks;
}

constexpr NibbleMasks kNibbles = make_nibble_masks();

[[gnu::target("avx2")]] __m256i both_lanes(const std::array<std::uint8_t, 16>& bytes) {
  return _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes.data())));
}

[[gnu::target("avx2")]] __m256i buckets_of(__m256i bytes, __m256i low, __m256i high, __m256i nibble) {
  return _mm256_and_si256(_mm256_shuffle_epi8(low, _mm256_and_si256(bytes, nibble)),
                          _mm256_shuffle_epi8(high, _mm256_and_si256(_mm256_srli_epi16(bytes, 4), nibble)));
}

[[gnu::target("avx2,popcnt")]] std::size_t with_avx2(std::string_view text, std::size_t from,
                                                     std::uint64_t& line_ends) {
  const __m256i low0 = both_lanes(kNibbles.low[0]);
  const __m256i low1 = both_lanes(kNibbles.low[1]);
  const __m256i low2 = both_lanes(kNibbles.low[2]);
  const __m256i low3 = both_lanes(kNibbles.low[3]);
  const __m256i high0 = both_lanes(kNibbles.high[0]);
  const __m256i high1 = both_lanes(kNibbles.high[1]);
  const __m256i high2 = both_lanes(kNibbles.high[2]);
  const __m256i high3 = both_lanes(kNibbles.high[3]);
  const __m256i nibble = _mm256_set1_epi8(15);
  const __m256i zero = _mm256_setzero_si256();
  const __m256i line_end = _mm256_set1_epi8('\n');
  std::size_t i = from;
  // Four loads a step, each a byte further: the last one ends three bytes behind the 32.
  for (; i + 35 <= text.size(); i += 32) {
    const char* at = text.data() + i;
    const __m256i first = buckets_of(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)), low0, high0, nibble);
    const __m256i second =
        buckets_of(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at + 1)), low1, high1, nibble);
    const __m256i third = buckets_of(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at + 2)), low2, high2, nibble);
    const __m256i fourth =
        buckets_of(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at + 3)), low3, high3, nibble);
    const __m256i hits = _mm256_and_si256(_mm256_and_si256(first, second), _mm256_and_si256(third, fourth));
    auto found = ~static_cast<unsigned>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(hits, zero)));
    const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
    const auto ends = static_cast<unsigned>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(bytes, line_end)));
    while (found != 0) {
      const std::size_t here = i + static_cast<std::size_t>(__builtin_ctz(found));
      if (anchor_at(text, here)) {
        line_ends += static_cast<std::size_t>(__builtin_popcount(ends & ((found & -found) - 1)));
        return here;
      }
      found &= found - 1;
    }
    line_ends += static_cast<std::size_t>(__builtin_popcount(ends));
  }
  return plainly(text, i, line_ends);
}

[[gnu::target("avx2")]] std::size_t count_with_avx2(char c, std::string_view text) {
  const __m256i wanted = _mm256_set1_epi8(c);
  std::size_t found = 0;
  std::size_t i = 0;
  while (i + 32 <= text.size()) {
    // Sums of bytes stay below 256 for 255 rounds.
    __m256i sums = _mm256_setzero_si256();
    for (int round = 0; round < 255 && i + 32 <= text.size(); ++round, i += 32) {
      const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(text.data() + i));
      sums = _mm256_sub_epi8(sums, _mm256_cmpeq_epi8(bytes, wanted));
    }
    const __m256i wide = _mm256_sad_epu8(sums, _mm256_setzero_si256());
    found += static_cast<std::size_t>(_mm256_extract_epi64(wide, 0) + _mm256_extract_epi64(wide, 1) +
                                      _mm256_extract_epi64(wide, 2) + _mm256_extract_epi64(wide, 3));
  }
  return found + static_cast<std::size_t>(std::count(text.begin() + static_cast<std::ptrdiff_t>(i), text.end(), c));
}

/// GCC 12 warns of its own header where that has one for this.
[[gnu::target("avx512f,avx512bw")]] __m512i all_lanes(const std::array<std::uint8_t, 16>& bytes) {
  return _mm512_maskz_broadcast_i32x4(0xffff, _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes.data())));
}

[[gnu::target("avx512f,avx512bw")]] __m512i wide_buckets_of(const char* at, __m512i low, __m512i high, __m512i nibble) {
  const __m512i bytes = _mm512_loadu_si512(at);
  return _mm512_and_si512(_mm512_shuffle_epi8(low, _mm512_and_si512(bytes, nibble)),
                          _mm512_shuffle_epi8(high, _mm512_and_si512(_mm512_srli_epi16(bytes, 4), nibble)));
}

/// As with_avx2(), twice as wide.
[[gnu::target("avx512f,avx512bw,popcnt")]] std::size_t with_avx512(std::string_view text, std::size_t from,
                                                                   std::uint64_t& line_ends) {
  const __m512i low0 = all_lanes(kNibbles.low[0]);
  const __m512i low1 = all_lanes(kNibbles.low[1]);
  const __m512i low2 = all_lanes(kNibbles.low[2]);
  const __m512i low3 = all_lanes(kNibbles.low[3]);
  const __m512i high0 = all_lanes(kNibbles.high[0]);
  const __m512i high1 = all_lanes(kNibbles.high[1]);
  const __m512i high2 = all_lanes(kNibbles.high[2]);
  const __m512i high3 = all_lanes(kNibbles.high[3]);
  const __m512i nibble = _mm512_set1_epi8(15);
  const __m512i line_end = _mm512_set1_epi8('\n');
  std::size_t i = from;
  for (; i + 67 <= text.size(); i += 64) {
    const char* at = text.data() + i;
    const __m512i two =
        _mm512_and_si512(wide_buckets_of(at, low0, high0, nibble), wide_buckets_of(at + 1, low1, high1, nibble));
    const __m512i more =
        _mm512_and_si512(wide_buckets_of(at + 2, low2, high2, nibble), wide_buckets_of(at + 3, low3, high3, nibble));
    std::uint64_t found = _mm512_test_epi8_mask(two, more);
    const std::uint64_t ends = _mm512_cmpeq_epi8_mask(_mm512_loadu_si512(at), line_end);
    while (found != 0) {
      const std::size_t here = i + static_cast<std::size_t>(__builtin_ctzll(found));
      if (anchor_at(text, here)) {
        line_ends += static_cast<std::size_t>(__builtin_popcountll(ends & ((found & -found) - 1)));
        return here;
      }
      found &= found - 1;
    }
    line_ends += static_cast<std::size_t>(__builtin_popcountll(ends));
  }
  return with_avx2(text, i, line_ends);
}

[[gnu::target("avx512f,avx512bw,popcnt")]] std::size_t count_with_avx512(char c, std::string_view text) {
  const __m512i wanted = _mm512_set1_epi8(c);
  std::size_t found = 0;
  std::size_t i = 0;
  for (; i + 64 <= text.size(); i += 64) {
    const __mmask64 same = _mm512_cmpeq_epi8_mask(_mm512_loadu_si512(text.data() + i), wanted);
    found += static_cast<std::size_t>(__builtin_popcountll(same));
  }
  return found + static_cast<std::size_t>(std::count(text.begin() + static_cast<std::ptrdiff_t>(i), text.end(), c));
}

#endif

constexpr Search kPlain = {"plain", plainly, count_plainly};

const Search& best() {
  static const Search answer = searches().back();
  return answer;
}

}  // namespace

std::span<const std::string_view> anchors() {
  return kAnchors;
}

std::vector<Search> searches() {
  std::vector<Search> found = {kPlain};
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("popcnt") != 0) {
    found.push_back({"avx2", with_avx2, count_with_avx2});
    if (__builtin_cpu_supports("avx512bw") != 0) {
      found.push_back({"avx512", with_avx512, count_with_avx512});
    }
  }
#endif
  return found;
}

std::size_t find_anchor(std::string_view text, std::size_t from, std::uint64_t& line_ends) {
  return best().find(text, from, line_ends);
}

std::size_t count_of(char c, std::string_view text) {
  return best().count(c, text);
}

}  // namespace xstack::logs
