// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/text.h"
#include "tools/cli/arch_name.h"
#include "tools/cli/commands.h"

namespace xstack {
namespace {

constexpr std::uint64_t kDefaultMemoryLines = 5;

/// Bytes of a dump of so many lines, or to the end of the page (of the Nth, with -n).
std::uint64_t memory_bytes(const Options& options, GuestVirt at) {
  const std::uint64_t to_page_end = kXenPageSize - at.value % kXenPageSize;
  const std::uint64_t to_limit = to_page_end + (options.stack_pages.value_or(1) - 1) * kXenPageSize;
  if (options.lines && !options.lines->count) {
    return to_limit;
  }
  return options.lines ? *options.lines->count * options.bytes_per_line : kDefaultMemoryLines * options.bytes_per_line;
}

/// What the board of --board says of kernels there; nothing when it does not say it.
std::optional<KernelDefault> kernel_default(const Options& options) {
  const auto start = options.profile ? options.profile->number("linux.kernel_start") : std::nullopt;
  const auto arch = options.profile ? find_arch(options.profile->text("soc.arch").value_or("")) : std::nullopt;
  return start && arch ? std::optional(KernelDefault{options.profile->name, *arch, *start}) : std::nullopt;
}

}  // namespace

Result<std::unique_ptr<Guest>> open_guest(const Invocation& invocation) {
  const auto& options = invocation.options;
  if (options.core) {
    auto guest = options.raw_files.empty() ? invocation.backend.open_dump(*options.core)
                                           : invocation.backend.open_raw(options.raw_files);
    if (guest && invocation.cut_short != nullptr) {
      *invocation.cut_short = (*guest)->cut_short();
    }
    return guest;
  }
  auto guest = invocation.backend.open_domain(*options.domain);
  if (!guest && guest.error().code == Errc::unsupported) {
    // For a live domain this is a refusal (domain 0, a build without Xen): no access, not input to be understood.
    return fail(Errc::no_access, guest.error().message);
  }
  return guest;
}

LineSources line_sources(const Options& options) {
  return {options.debug_directories, options.debuginfod, options.force, {}};
}

ReportRequest common_request(const Options& options) {
  ReportRequest request;
  if (options.vcpu) {
    request.vcpus = {*options.vcpu};
  }
  request.scan = options.scan;
  request.max_frames = options.max_frames;
  request.symbol_files = options.symbol_files;
  request.lines.force = options.force;
  request.kernel_start = options.kernel_start;
  request.fallback = kernel_default(options);
  request.arch = options.arch;
  return request;
}

KernelRequest kernel_request(const Options& options) {
  return {options.symbol_files, options.kernel_start, options.arch, line_sources(options), kernel_default(options)};
}

void ask_for_words(const Options& options, std::optional<std::uint64_t> default_lines, ReportRequest& request,
                   View& view) {
  DumpFormat format;
  format.bytes_per_line = options.bytes_per_line;
  format.ascii = options.ascii;
  format.tag = options.tag;
  format.word_by_word = options.stack_trace;
  view.memory_format = format;
  view.memory_format.word_by_word = false;

  format.stack_pages = options.stack_pages;
  if (options.lines) {
    format.lines = options.lines->count;
  } else if (!options.stack_trace && !options.stack_pages) {
    format.lines = default_lines;
  }
  view.stack_format = format;
  // Lines of -S hold one word, and the word size is not known yet: ask for the widest, the printer counts.
  const std::uint64_t line_bytes = options.stack_trace ? 8 : options.bytes_per_line;
  if (options.stack_pages) {
    request.stack_bytes = *options.stack_pages * kXenPageSize;
  } else if (format.lines) {
    request.stack_bytes = *format.lines * line_bytes;
    if (*format.lines == 0) {
      request.stack_bytes.reset();
    }
  } else {
    request.stack_bytes = 0;
  }
  request.name_words = options.stack_trace || !options.dump_as_stack.empty();
  for (const GuestVirt at : options.memory) {
    request.memory.emplace_back(at, memory_bytes(options, at));
  }
  for (const GuestVirt at : options.dump_as_stack) {
    request.memory.emplace_back(at, memory_bytes(options, at));
  }
  view.plain_memory = options.memory.size();
}

Result<ExitStatus> report_and_print(const Invocation& invocation, const ReportRequest& request, View view) {
  auto guest = open_guest(invocation);
  if (!guest) {
    return tl::unexpected(guest.error());
  }
  const auto report = invocation.backend.make_report(**guest, request);
  if (auto lost = went_away(**guest, report && !report->partial)) {
    return tl::unexpected(std::move(*lost));
  }
  if (!report) {
    return tl::unexpected(report.error());
  }
  view.verbose = invocation.options.verbose;
  view.color = wants_color(invocation);
  const auto printer = invocation.options.json ? make_json_printer() : make_text_printer(view);
  return answer(invocation.console, printer->print(*report), report->partial, report->warnings);
}

std::optional<Error> went_away(const Guest& guest, bool whole) {
  return whole ? std::nullopt : guest.lost();
}

ExitStatus answer(const Console& console, const std::string& text, bool partial,
                  const std::vector<std::string>& warnings) {
  if (auto written = console.out.write(text); !written) {
    complain(console, written.error().message);
    return ExitStatus::partial;
  }
  if (partial) {
    complain(console, "a partial answer: " + what_is_missing(warnings));
    return ExitStatus::partial;
  }
  return ExitStatus::whole;
}

bool wants_color(const Invocation& invocation) {
  switch (invocation.options.color) {
    case ColorWhen::always:
      return true;
    case ColorWhen::never:
      return false;
    case ColorWhen::automatic:
      break;
  }
  return invocation.console.color_terminal;
}

void complain(const Console& console, std::string_view message) {
  (void)console.err.write(fmt::format("xstack: {}\n", escape(message)));
}

std::string what_is_missing(const std::vector<std::string>& parts) {
  static constexpr std::size_t kAtMost = 4;
  if (parts.empty()) {
    return "what is missing is marked in it";
  }
  std::string out;
  for (std::size_t i = 0; i < std::min(parts.size(), kAtMost); ++i) {
    out += (i == 0 ? "" : "; ") + parts[i];
  }
  return parts.size() <= kAtMost ? out : fmt::format("{}; and {} more", out, parts.size() - kAtMost);
}

}  // namespace xstack
