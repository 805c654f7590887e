// SPDX-License-Identifier: LGPL-2.1-or-later
#include "logs/scanner.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "logs/anchors.h"
#include "logs/words.h"

namespace xstack::logs {
namespace {

constexpr std::size_t kBlock = 256 << 10;
constexpr std::size_t kMostHeld = 1 << 20;
constexpr std::size_t kMostHeldLines = 16384;
constexpr std::size_t kMostOpen = 16;
constexpr std::size_t kMostWriters = 256;
constexpr std::uint64_t kLeadInReach = 3;
constexpr std::size_t kLongestCause = 300;

/// By the first letter, or the last of a prompt, of the lines that look_at() and BootProgress know.
bool may_say_something(std::string_view text) {
  static constexpr std::array<bool, 256> kFirst = [] {
    std::array<bool, 256> letters{};
    for (const char c : std::string_view("*-8=BFKLRSUX")) {
      letters[static_cast<unsigned char>(c)] = true;
    }
    return letters;
  }();
  return !text.empty() && (kFirst[static_cast<unsigned char>(text.front())] || text.back() == ':' ||
                           text.back() == ' ' || text.back() == ')');
}

std::optional<Start> start_of(const Line& line) {
  return line.origin.who == Origin::Who::xen ? xen_start(line.text) : linux_start(line.text);
}

constexpr int kMostParts = 8;  ///< lines that may meet in one

/// Does a report begin behind what else is in the line? "login: [   12.345678] Unable to handle ..": a prompt has no
/// line end.
bool begins_inside(const Line& first) {
  if (first.kernel_time) {
    return false;  // nearly every other line: what broke into the kernel's own is not looked for
  }
  std::string_view text = first.text;
  for (int i = 1; i < kMostParts; ++i) {
    const std::size_t cut = find_second_line(text);
    if (cut == std::string_view::npos) {
      return false;
    }
    const Line line = strip_prefix(text.substr(cut));
    if (start_of(line)) {
      return true;
    }
    text = line.text;
  }
  return false;
}

}  // namespace

Scanner::Scanner(Sink& sink) : sink_(sink), buffer_(kBlock + 2 * kLongestLine) {}

std::span<char> Scanner::room() {
  if (begin_ != 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  return std::span(buffer_).subspan(end_, std::min(kBlock, buffer_.size() - end_));
}

void Scanner::received(std::size_t bytes) {
  end_ += bytes;
  process();
}

void Scanner::feed(std::string_view text) {
  while (!text.empty()) {
    const std::span<char> space = room();
    const std::size_t n = std::min(space.size(), text.size());
    std::memcpy(space.data(), text.data(), n);
    text.remove_prefix(n);
    received(n);
  }
}

void Scanner::pass(std::string_view text) {
  if (!text.empty()) {
    sink_.plain(text);
  }
}

void Scanner::process() {
  const std::string_view all(buffer_.data() + begin_, end_ - begin_);
  std::size_t at = 0;
  if (in_long_line_) {
    const std::size_t newline = all.find('\n');
    at = newline == std::string_view::npos ? all.size() : newline + 1;
    in_long_line_ = newline == std::string_view::npos;
    pass(all.substr(0, at));
  }
  // Whole lines only: what comes behind the last line end waits for its own.
  const std::size_t whole = all.rfind('\n') == std::string_view::npos ? at : std::max(at, all.rfind('\n') + 1);
  const std::string_view region = all.substr(0, whole);
  std::size_t plain = at;  // text from here on was looked at and is not written yet
  while (at < region.size()) {
    if (open_.empty()) {
      const std::size_t hit = find_anchor(region, at, line_);
      if (hit == std::string_view::npos) {
        break;
      }
      const std::size_t before = region.rfind('\n', hit);
      const std::size_t start = before == std::string_view::npos || before < at ? at : before + 1;
      at = start;
    }
    const std::size_t newline = region.find('\n', at);
    const std::string_view raw = region.substr(at, newline + 1 - at);
    at = newline + 1;
    ++line_;
    if (raw.size() > kLongestLine) {
      close_all(true);  // flushes; its lines come before this one
      continue;
    }
    const std::string_view text = raw.substr(0, raw.size() - 1);
    if (open_.empty()) {
      const Line line = strip_prefix(text);
      look_at(line);
      if (!start_of(line) && !begins_inside(line)) {
        continue;
      }
      pass(region.substr(plain, at - raw.size() - plain));
    }
    take_line(raw);
    plain = at;
  }
  if (open_.empty()) {
    pass(region.substr(plain));
  }
  begin_ += whole;
  if (end_ - begin_ >= kLongestLine) {
    // A line without an end in sight.
    ++line_;
    close_all(true);
    pass({buffer_.data() + begin_, end_ - begin_});
    begin_ = end_;
    in_long_line_ = true;
  }
}

/// What a line says beside reports.
void Scanner::look_at(const Line& line) {
  if (line.origin.who == Origin::Who::xen) {
    xen_seen_ = true;
  }
  if (!may_say_something(line.text)) {
    return;
  }
  progress_.note(line);
  const WriterKey key{static_cast<int>(line.origin.who), line.origin.domain};
  std::string_view text = line.text;
  if (take(text, "Linux version ") && (writers_.size() < kMostWriters || writers_.contains(key))) {
    writers_[key] = {std::string(text.substr(0, std::min<std::size_t>(text.find(' '), 128))), std::nullopt};
  } else if (take(text, "Kernel Offset: 0x") && writers_.contains(key)) {
    writers_[key].kaslr_offset = take_hex(text);
  } else if (is_lead_in(text) ? text[0] != '=' : is_cause(text)) {
    note_lead_in(text);
  }
}

/// A lead-in that follows another belongs to the same report.
void Scanner::note_lead_in(std::string_view text) {
  if (!lead_in_ || line_ - lead_in_->last > kLeadInReach) {
    lead_in_ = LeadIn{line_, line_, {}};
  }
  lead_in_->last = line_;
  if (is_cause(text)) {
    lead_in_->cause = text.substr(0, kLongestCause);
  }
}

void Scanner::take_line(std::string_view raw) {
  const std::size_t begin = held_.size();
  held_ += raw;
  std::string_view text = raw;
  if (!text.empty() && text.back() == '\n') {
    text.remove_suffix(1);
  }
  held_lines_.push_back({begin, held_.size(), line_, false});
  const std::size_t index = held_lines_.size() - 1;
  if (take_parts(text)) {
    held_lines_[index].owned = true;
  }
  if (open_.empty()) {
    flush_held();
  } else if (held_.size() > kMostHeld || held_lines_.size() > kMostHeldLines) {
    close_all(true);
  }
}

/// A line, or the several that met in it.
bool Scanner::take_parts(std::string_view text) {
  bool owned = false;
  Line line = strip_prefix(text);
  for (int i = 0; i < kMostParts; ++i) {
    const std::size_t cut = find_second_line(line.text);
    Line part = line;
    part.text = line.text.substr(0, cut);
    const bool broken = cut != std::string_view::npos && line.text.substr(cut).starts_with("(XEN) ");
    std::string joined;
    if (part.origin.who == Origin::Who::console && have_fragment_) {
      if (part.marked) {
        flush_fragment();
      } else {
        joined = fragment_ + std::string(part.text);
        part = fragment_line_;
        part.text = joined;
        part.time = fragment_time_;
        part.caller = fragment_caller_;
        have_fragment_ = false;
      }
    }
    if (broken && part.origin.who == Origin::Who::console && !part.text.empty()) {
      fragment_ = std::string(part.text);
      fragment_time_ = std::string(part.time);
      fragment_caller_ = std::string(part.caller);
      fragment_line_ = part;
      have_fragment_ = true;
      owned = true;
    } else {
      owned = take_part(part) || owned;
    }
    if (cut == std::string_view::npos) {
      break;
    }
    const Origin before = line.origin;
    line = strip_prefix(line.text.substr(cut));
    if (line.origin.who == Origin::Who::console) {
      line.origin = before;  // a time alone: the same writer's next line
    }
  }
  return owned;
}

void Scanner::flush_fragment() {
  if (have_fragment_) {
    have_fragment_ = false;
    Line line = fragment_line_;
    const std::string text = std::move(fragment_);
    const std::string time = std::move(fragment_time_);
    const std::string caller = std::move(fragment_caller_);
    line.text = text;
    line.time = time;
    line.caller = caller;
    (void)take_part(line);
  }
}

bool Scanner::take_part(const Line& line) {
  look_at(line);
  const auto builder = std::ranges::find_if(open_, [&](const auto& b) {
    return b->origin() == line.origin && (b->caller() == line.caller || b->caller().empty() || line.caller.empty());
  });
  if (const auto start = start_of(line)) {
    if (builder != open_.end()) {
      if ((*builder)->absorb(*start, line, line_)) {
        return true;
      }
      close(static_cast<std::size_t>(builder - open_.begin()), false);
    }
    open(*start, line);
    return true;
  }
  if (builder == open_.end()) {
    return false;
  }
  if (begins(line.text, "Linux version ")) {
    close(static_cast<std::size_t>(builder - open_.begin()), false);  // it booted anew
    return false;
  }
  const auto index = static_cast<std::size_t>(builder - open_.begin());
  const Builder::Took took = (*builder)->feed(line, line_);
  if (took == Builder::Took::last || (*builder)->is_over()) {
    close(index, false);
  }
  return took != Builder::Took::no;
}

void Scanner::open(const Start& start, const Line& line) {
  if (open_.size() == kMostOpen) {
    close(0, true);
  }
  const bool led = lead_in_ && line_ - lead_in_->last <= kLeadInReach;
  Start named = start;
  if (led && !lead_in_->cause.empty() && start.title.starts_with("Internal error: : ")) {
    named.title = lead_in_->cause;
  }
  open_.push_back(std::make_unique<Builder>(named, line, line_, led ? lead_in_->first : line_));
  lead_in_.reset();
}

void Scanner::close(std::size_t index, bool truncated) {
  const std::unique_ptr<Builder> builder = std::move(open_[index]);
  open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(index));
  Report& report = builder->report();
  const Origin& origin = report.origin;
  const WriterKey key{static_cast<int>(origin.who), origin.domain};
  if (const auto writer = writers_.find(key); writer != writers_.end()) {
    if (report.release.empty()) {
      report.release = writer->second.release;
    }
    if (report.kaslr_offset) {
      writer->second.kaslr_offset = report.kaslr_offset;
    } else {
      report.kaslr_offset = writer->second.kaslr_offset;
    }
  }
  if (origin.who == Origin::Who::console && xen_seen_) {
    report.domain = 0;
  }
  if (origin.who == Origin::Who::xen && report.domain) {
    // What the domain's own kernel wrote of itself: the hardware domain's lines have no prefix.
    const auto guest = *report.domain == 0 ? WriterKey{static_cast<int>(Origin::Who::console), 0U}
                                           : WriterKey{static_cast<int>(Origin::Who::domain), *report.domain};
    if (const auto writer = writers_.find(guest); writer != writers_.end()) {
      report.guest_release = writer->second.release;
      report.kaslr_offset = writer->second.kaslr_offset;
    }
  }
  report.stage = progress_.stage(origin, report.domain);
  report.truncated = truncated;
  if (builder->finish()) {
    sink_.report(report, builder->spots());
  }
}

void Scanner::close_all(bool truncated) {
  flush_fragment();
  while (!open_.empty()) {
    close(0, truncated);
  }
  flush_held();
}

void Scanner::flush_held() {
  for (const HeldLine& line : held_lines_) {
    sink_.line(std::string_view(held_).substr(line.begin, line.end - line.begin), line.number, line.owned);
  }
  held_lines_.clear();
  held_.clear();
}

void Scanner::idle() {
  close_all(false);
}

void Scanner::finish() {
  if (end_ > begin_ && !in_long_line_) {
    // The last line, without its end.
    const std::string_view raw(buffer_.data() + begin_, end_ - begin_);
    ++line_;
    const Line line = strip_prefix(raw);
    look_at(line);
    if (!open_.empty() || start_of(line) || begins_inside(line)) {
      take_line(raw);
    } else {
      pass(raw);
    }
    begin_ = end_;
  }
  close_all(false);
}

}  // namespace xstack::logs
