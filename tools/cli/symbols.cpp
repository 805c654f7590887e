// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "tools/cli/commands.h"
#include "tools/look_up.h"
#include "tools/print/answers.h"

namespace xstack {
namespace {

constexpr std::size_t kMaxQuery = 4096;
constexpr std::size_t kBlock = 1U << 16;

/// Answers queries, one a line, and counts those that have no answer.
class Answers {
 public:
  Answers(const Invocation& invocation, LookUp& look_up) : invocation_(invocation), look_up_(look_up) {}

  [[nodiscard]] Result<void> add(std::string_view query) {
    const auto first = query.find_first_not_of(" \t\r");
    if (first == std::string_view::npos) {
      return {};
    }
    query = query.substr(first, query.find_last_not_of(" \t\r") - first + 1);
    const Answer answer = look_up_.answer(query);
    unanswered_ += answer.symbol ? 0 : 1;
    text_ += invocation_.options.json ? answer_json(answer) : answer_text(answer, look_up_.word_size());
    return text_.size() < kBlock ? Result<void>() : flush();
  }

  [[nodiscard]] Result<void> flush() {
    auto written = invocation_.console.out.write(text_);
    text_.clear();
    return written;
  }

  [[nodiscard]] std::size_t unanswered() const { return unanswered_; }

 private:
  const Invocation& invocation_;
  LookUp& look_up_;
  std::string text_;
  std::size_t unanswered_ = 0;
};

/// Lines from a descriptor. What came is answered before more is waited for, so that a program can ask and read in
/// turn.
Result<void> add_from(int input, Answers& answers) {
  std::string rest;
  std::vector<char> block(kBlock);
  for (;;) {
    const ssize_t n = ::read(input, block.data(), block.size());
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n < 0) {
      return fail(Errc::io, fmt::format("standard input: {}", std::strerror(errno)));
    }
    rest.append(block.data(), static_cast<std::size_t>(n));
    std::size_t at = 0;
    for (std::size_t end = 0; (end = rest.find('\n', at)) != std::string::npos; at = end + 1) {
      if (auto added = answers.add(std::string_view(rest).substr(at, end - at)); !added) {
        return added;
      }
    }
    rest.erase(0, at);
    if (rest.size() > kMaxQuery) {
      return fail(Errc::too_large, fmt::format("standard input: a line of more than {} bytes", kMaxQuery));
    }
    if (n == 0) {
      return answers.add(rest);
    }
    if (auto written = answers.flush(); !written) {
      return written;
    }
  }
}

Result<ExitStatus> answer_all(const Invocation& invocation, LookUp& look_up) {
  Answers answers(invocation, look_up);
  Result<void> done;
  for (const std::string& query : invocation.options.queries) {
    done = done ? answers.add(query) : done;
  }
  if (invocation.options.queries.empty()) {
    done = add_from(invocation.console.input, answers);
  }
  auto written = answers.flush();
  if (!done || !written) {
    return tl::unexpected(done ? written.error() : done.error());
  }
  for (const std::string& warning : look_up.warnings()) {
    complain(invocation.console, "warning: " + warning);
  }
  if (answers.unanswered() != 0) {
    complain(invocation.console, fmt::format("a partial answer: {} without a symbol", answers.unanswered()));
    return ExitStatus::partial;
  }
  return ExitStatus::whole;
}

}  // namespace

Result<ExitStatus> run_symbols(const Invocation& invocation) {
  const auto& options = invocation.options;
  if (options.no_guest) {
    auto files = look_up_in_files(options.symbol_files, options.debug_directories);
    return files ? answer_all(invocation, **files) : tl::unexpected(files.error());
  }
  auto guest = open_guest(invocation);
  if (!guest) {
    return tl::unexpected(guest.error());
  }
  auto session = KernelSession::open(**guest, kernel_request(options));
  if (!session) {
    return tl::unexpected(session.error());
  }
  if (auto found = (*session)->look_round(); !found) {
    return tl::unexpected(found.error());
  }
  const auto look_up = look_up_in_guest(**session);
  return answer_all(invocation, *look_up);
}

}  // namespace xstack
