// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>

/// Numbers of the capture format, which docs/capture-format.md describes; the reader and the writer share them.
namespace xstack::capture {

inline constexpr char kVendor[] = "XSTACK";
inline constexpr std::uint32_t kMajor = 1;
inline constexpr std::uint32_t kMinor = 0;

enum NoteType : std::uint32_t {
  kNoteFormat = 1,    ///< u32 major, u32 minor
  kNoteIdentity = 2,  ///< JSON text
  kNoteVcpu = 3,      ///< VcpuHeader, context, HVM record, reason
  kNoteFact = 4,      ///< u32 length of the key, key, text
};

/// Presence of a vCPU as written down.
enum Presence : std::uint32_t { kOnline = 0, kOffline = 1, kNeverUp = 2, kUnavailable = 3 };

struct VcpuHeader {
  std::uint32_t id;
  std::uint32_t presence;
  std::uint32_t context_size;
  std::uint32_t hvm_size;
  std::uint32_t why_size;
  std::uint32_t reserved;  ///< written as 0, ignored
};
static_assert(sizeof(VcpuHeader) == 24);

}  // namespace xstack::capture
