// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "linux/kallsyms_tables.h"
#include "linux/mapped_scan.h"
#include "linux/text_anchors.h"

namespace xstack {

/// What a search of the kernel's image in virtual memory brought to light.
struct FoundImage {
  std::optional<KallsymsTables> kallsyms;
  std::optional<std::string> banner;  ///< "Linux version ..." without the line's end
};

/// How a search goes about it.
struct ImageSearch {
  bool image_virtual = true;         ///< the addresses of `search` are the kernel's own
  std::uint64_t bytes = 128U << 20;  ///< mapped memory that is looked at in one direction
};

/// Searches what is mapped around each cluster of anchors, most likely first, for the kallsyms tables: first near what
/// a few sampled pages show to be sorted addresses, then everywhere. Takes the banner along when it passes it. Reads a
/// bounded amount, in batches.
[[nodiscard]] FoundImage search_image(PageProbe& probe, VirtMemory& search, std::span<const AnchorCluster> anchors,
                                      unsigned word_size, const ImageSearch& how = {});

/// The banner of a kernel whose code ends at `text_end` and whose kallsyms tables begin at `tables`: where linkers put
/// it, else anywhere between the two.
[[nodiscard]] std::optional<std::string> search_banner(PageProbe& probe, VirtMemory& search, GuestVirt text_end,
                                                       GuestVirt tables);

/// The banner (linux_banner of init/version.c) in `bytes`, if it stands there: one printable line.
[[nodiscard]] std::optional<std::string> find_banner(std::span<const std::byte> bytes);

/// The release in a banner: the word after "Linux version ".
[[nodiscard]] std::optional<std::string> release_of_banner(std::string_view banner);

}  // namespace xstack
