// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>

/// Numbers of the capture format, which docs/capture-format.md describes; the reader and the writer share them.
namespace xstack::capture {

inline constexpr char kVendor[] = "XSTACK";
inline constexpr std::uint32_t kMajor = 1;
inline constexpr std::uint32_t kMinor = 2;

enum NoteType : std::uint32_t {
  kNoteFormat = 1,    ///< u32 major, u32 minor
  kNoteIdentity = 2,  ///< JSON text
  kNoteVcpu = 3,      ///< VcpuHeader, context, HVM record, reason
  kNoteFact = 4,      ///< u32 length of the key, key, text
  kNoteWhole = 5,     ///< no data: the file holds all of the memory (since 1.1)
  kNoteFrames = 6,    ///< u64 pseudo-physical frame, u64 machine frame, u64 count, and so on (since 1.1)
};

/// In a file that other tools read as well, note types have these bits set: some of those tools look at the type alone,
/// and would take note 2 for floating point registers.
inline constexpr std::uint32_t kNoteShared = 0x58530000;

/// Presence of a vCPU as written down.
enum Presence : std::uint32_t { kOnline = 0, kOffline = 1, kNeverUp = 2, kUnavailable = 3 };

/// ContextForm as written down.
enum Form : std::uint32_t { kXen = 0, kPrstatus = 1, kHvmRecord = 2 };

struct VcpuHeader {
  std::uint32_t id;
  std::uint32_t presence;
  std::uint32_t context_size;
  std::uint32_t hvm_size;
  std::uint32_t why_size;
  std::uint32_t form;  ///< what the context is: Form (since 1.2; 0 before)
};
static_assert(sizeof(VcpuHeader) == 24);

}  // namespace xstack::capture
