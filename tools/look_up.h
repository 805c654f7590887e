// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "arch/code.h"
#include "base/error.h"
#include "symbols/source_place.h"
#include "tools/kernel_session.h"

namespace xstack {

/// What was asked, and what is known of it. Text is a guest's or a file's, unescaped.
struct Answer {
  std::string query;
  std::optional<GuestVirt> address;  ///< absent: the query is a name that nobody knows
  std::optional<CodeSymbol> symbol;  ///< that covers `address`
  std::vector<SourcePlace> places;   ///< as DebugFile::places_at()
};

/// Answers what is an address (decimal, or hexadecimal after 0x) or a name, also as NAME+OFFSET or NAME+OFFSET/SIZE.
class LookUp {
 public:
  LookUp() = default;
  LookUp(const LookUp&) = delete;
  LookUp& operator=(const LookUp&) = delete;
  virtual ~LookUp() = default;

  [[nodiscard]] Answer answer(std::string_view query);

  [[nodiscard]] virtual unsigned word_size() const = 0;
  /// What was wrong on the way, so far.
  [[nodiscard]] virtual std::vector<std::string> warnings() const = 0;

 protected:
  [[nodiscard]] virtual std::optional<CodeSymbol> symbol_at(GuestVirt address) = 0;
  [[nodiscard]] virtual std::vector<SourcePlace> places_at(GuestVirt address) = 0;
  [[nodiscard]] virtual std::optional<GuestVirt> address_of(std::string_view name) = 0;
};

/// In a guest's kernel. `session`, which has looked round, must outlive the result.
[[nodiscard]] std::unique_ptr<LookUp> look_up_in_guest(KernelSession& session);

/// In files alone, with the addresses that they have. Errors: as read_symbol_file(); unsupported for a relocatable
/// file, which has none.
[[nodiscard]] Result<std::unique_ptr<LookUp>> look_up_in_files(const std::vector<std::string>& paths,
                                                               const std::vector<std::string>& debug_directories);

}  // namespace xstack
