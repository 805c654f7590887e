// SPDX-License-Identifier: LGPL-2.1-or-later
#include "logs/prefix.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

#include "logs/words.h"

namespace xstack::logs {
namespace {

using std::string_view_literals::operator""sv;

/// "\x1b[31m" and the like.
bool take_escape(std::string_view& text) {
  if (text.size() < 2 || text[0] != '\x1b' || text[1] != '[') {
    return false;
  }
  std::size_t n = 2;
  while (n < text.size() && n < 24 && (is_digit(text[n]) || text[n] == ';' || text[n] == '?')) {
    ++n;
  }
  if (n == text.size() || n == 24) {
    return false;
  }
  text.remove_prefix(n + 1);
  return true;
}

/// "12:34", two digits each: what every time of day holds.
bool has_time_of_day(std::string_view text) {
  for (std::size_t i = 2; i + 2 < text.size(); ++i) {
    if (text[i] == ':' && is_digit(text[i - 1]) && is_digit(text[i - 2]) && is_digit(text[i + 1]) &&
        is_digit(text[i + 2])) {
      return true;
    }
  }
  return false;
}

bool is_kernel_time(std::string_view inside) {
  const std::string_view text = trimmed(inside);
  const std::size_t dot = text.find('.');
  const auto digits = [](std::string_view part) { return !part.empty() && std::ranges::all_of(part, is_digit); };
  return dot != std::string_view::npos && digits(text.substr(0, dot)) && digits(text.substr(dot + 1)) &&
         text.size() - dot - 1 >= 3;
}

bool is_date(std::string_view inside) {
  return inside.size() <= 40 && has_time_of_day(inside) && std::ranges::all_of(inside, [](char c) {
           return is_digit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                  " :.,+-/"sv.find(c) != std::string_view::npos;
         });
}

/// Samsung's "[1:  kworker/1:1:  93]" and MediaTek's "[93:kworker/1:1]" (Android kernels of 3.x and 4.x).
bool is_vendor_caller(std::string_view inside) {
  std::string_view text = trimmed(inside);
  const auto number = take_decimal(text);
  return number && text.size() > 2 && text.front() == ':' && text[1] != ':' && !has_time_of_day(inside) &&
         std::ranges::any_of(text, is_letter);
}

bool is_caller(std::string_view inside) {
  std::string_view text = trimmed(inside);
  if (text.size() < 2 || (text[0] != 'T' && text[0] != 'C')) {
    return false;
  }
  text.remove_prefix(1);
  return text.size() <= 8 && std::ranges::all_of(text, is_digit);
}

/// Are the six bytes from here on decimal digits?
bool six_digits(const char* at) {
  std::uint64_t bytes = 0;
  std::memcpy(&bytes, at, 6);
  // A digit's high half is 3, and stays so with 6 added.
  constexpr std::uint64_t kOnes = 0x010101010101;
  return (bytes & 0xf0 * kOnes) == 0x30 * kOnes && ((bytes + 6 * kOnes) & 0xf0 * kOnes) == 0x30 * kOnes;
}

/// "[   12.345678]" and nothing else, as nearly every line of a kernel has it: what take_bracket() finds too, at less
/// cost.
bool take_kernel_time(std::string_view& text, Line& line) {
  static constexpr std::size_t kLongest = 40;
  if (text.size() > 14 && text[6] == '.' && text[13] == ']' && text[14] == ' ' && is_digit(text[5]) &&
      six_digits(text.data() + 7)) {
    // As wide as in the first day of all kernels.
    std::size_t begin = 1;
    while (text[begin] == ' ') {
      ++begin;
    }
    std::size_t n = begin;
    while (is_digit(text[n])) {
      ++n;
    }
    if (n == 6) {
      line.time = text.substr(begin, 13 - begin);
      line.kernel_time = true;
      line.marked = true;
      text.remove_prefix(15);
      return true;
    }
  }
  std::size_t n = 1;
  const auto skip_digits = [&] {
    const std::size_t from = n;
    while (n < text.size() && n < kLongest && is_digit(text[n])) {
      ++n;
    }
    return n - from;
  };
  while (n < text.size() && n < kLongest && text[n] == ' ') {
    ++n;
  }
  const std::size_t begin = n;
  if (skip_digits() == 0 || n == text.size() || text[n] != '.') {
    return false;
  }
  ++n;
  if (skip_digits() < 3 || n == text.size() || text[n] != ']') {
    return false;
  }
  line.time = text.substr(begin, n - begin);
  line.kernel_time = true;
  line.marked = true;
  ++n;
  text.remove_prefix(n < text.size() && text[n] == ' ' ? n + 1 : n);  // one: what is indented stays so
  return true;
}

/// A bracket with a time or a caller in it.
bool take_bracket(std::string_view& text, Line& line) {
  if (text.empty() || text[0] != '[') {
    return false;
  }
  if (take_kernel_time(text, line)) {
    return true;
  }
  const std::size_t close = text.substr(0, 48).find(']');
  if (close == std::string_view::npos) {
    return false;
  }
  const std::string_view inside = text.substr(1, close - 1);
  if (is_caller(inside)) {
    line.caller = trimmed(inside);
  } else if (line.kernel_time && is_vendor_caller(inside)) {
    // says which CPU it is too; the lines of a report have it all alike
  } else if (is_kernel_time(inside)) {
    line.time = trimmed(inside);
    line.kernel_time = true;
  } else if (const std::size_t slash = inside.find(" / "); slash != std::string_view::npos) {
    // Android's "[   26.324608 / 09-26 13:22:37.704][2][662][name]": time, CPU, process and its name
    if (!is_kernel_time(inside.substr(0, slash)) || !has_time_of_day(inside.substr(slash))) {
      return false;
    }
    line.time = trimmed(inside.substr(0, slash));
    line.kernel_time = true;
    line.marked = true;
    text.remove_prefix(close + 1);
    for (int part = 0; part < 3 && begins(text, "["); ++part) {
      const std::size_t end = text.substr(0, 32).find(']');
      if (end == std::string_view::npos) {
        break;
      }
      text.remove_prefix(end + 1);
    }
    (void)take(text, " ");
    return true;
  } else if (is_date(inside) ||
             // raw ticks: Xen alone prints them
             (line.origin.who == Origin::Who::xen && inside.size() == 16 &&
              std::ranges::all_of(inside, [](char c) { return hex_value(c) >= 0; }))) {
    if (!line.kernel_time) {
      line.time = trimmed(inside);
    }
  } else {
    return false;
  }
  line.marked = true;
  text.remove_prefix(close + 1);
  if (!text.empty() && text[0] == ' ') {
    text.remove_prefix(1);  // one: what is indented stays so
  }
  return true;
}

bool take_writer(std::string_view& text, Line& line) {
  std::string_view rest = text;
  if (take(rest, "(XEN)")) {
    line.origin = {Origin::Who::xen, 0};
    if (!rest.empty() && rest[0] == ' ') {
      rest.remove_prefix(1);
    }
  } else if (take(rest, "(early) ")) {
    // Linux's console before its real one is there.
  } else if (take(rest, "(d")) {
    const auto number = take_decimal(rest);
    if (!number || !take(rest, ")")) {
      return false;
    }
    if (!rest.empty() && rest[0] == ' ') {
      rest.remove_prefix(1);
    }
    line.origin = {Origin::Who::domain, *number};
  } else if (line.origin.who == Origin::Who::xen && take(rest, "DOM")) {
    const auto number = take_decimal(rest);
    if (!number || !take(rest, ": ")) {
      return false;
    }
    line.origin = {Origin::Who::domain, *number};
  } else {
    return false;
  }
  line.marked = true;
  text = rest;
  return true;
}

/// "<4>", and /dev/kmsg's "6,1234,5678901,-;".
bool take_priority(std::string_view& text, Line& line) {
  std::string_view rest = text;
  if (take(rest, "<")) {
    const auto level = take_decimal(rest);
    if (level && *level < 256 && take(rest, ">")) {
      text = rest;
      line.marked = true;
      return true;
    }
    return false;
  }
  for (int field = 0; field < 3; ++field) {
    if (!take_decimal(rest) || !take(rest, ",")) {
      return false;
    }
  }
  const std::size_t semicolon = rest.substr(0, 32).find(';');
  if (semicolon == std::string_view::npos) {
    return false;
  }
  text = rest.substr(semicolon + 1);
  line.marked = true;
  return true;
}

/// "kern  :err   : ", of dmesg -x.
bool take_facility(std::string_view& text) {
  static constexpr std::array kFacilities = {"kern"sv, "user"sv, "daemon"sv, "syslog"sv, "auth"sv};
  for (const auto name : kFacilities) {
    if (begins(text, name)) {
      const std::string_view rest = text.substr(name.size());
      const std::size_t colon = rest.find_first_not_of(' ');
      if (colon != std::string_view::npos && rest[colon] == ':') {
        const std::size_t second = rest.substr(0, colon + 12).find(": ", colon + 1);
        if (second != std::string_view::npos) {
          text = rest.substr(second + 2);
          return true;
        }
      }
      return false;
    }
  }
  return false;
}

/// Between printk's time and the text, in Android's vendor kernels of 3.x and 4.x: Samsung's "c1 " and "c1 93 (sh) ",
/// MediaTek's "(1)[93:sh]" and "-(1)[93:sh]".
bool take_vendor_caller(std::string_view& text) {
  std::string_view rest = text;
  if (take(rest, "c")) {
    if (!take_decimal(rest) || !take(rest, " ")) {
      return false;
    }
    text = rest;
    if (take_decimal(rest) && take(rest, " (")) {
      const std::size_t close = rest.substr(0, 20).find(") ");
      text = close == std::string_view::npos ? text : rest.substr(close + 2);
    }
    return true;
  }
  (void)take(rest, "-");
  if (!take(rest, "(") || !take_decimal(rest) || !take(rest, ")[")) {
    return false;
  }
  const std::size_t close = rest.substr(0, 32).find(']');
  if (close == std::string_view::npos || !is_vendor_caller(rest.substr(0, close))) {
    return false;
  }
  text = rest.substr(close + 1);
  return true;
}

/// Android's logcat behind its "05-21 12:34:56.789": " 1234  1234 I kernel  : ".
bool take_logcat(std::string_view& text) {
  std::string_view rest = text;
  for (int number = 0; number < 2; ++number) {
    skip_blanks(rest);
    if (!take_decimal(rest)) {
      return false;
    }
  }
  if (rest.size() < 4 || rest[0] != ' ' || "VDIWEF"sv.find(rest[1]) == std::string_view::npos || rest[2] != ' ') {
    return false;
  }
  const std::size_t colon = rest.substr(0, 40).find(": ");
  if (colon == std::string_view::npos) {
    return false;
  }
  text = rest.substr(colon + 2);
  return true;
}

/// What indents or quotes a log that was pasted: "    [   12.345678] ", "> (XEN) ". Only where a time, a priority or
/// Xen's mark follows: what a line of a report begins with stays.
bool take_quote(std::string_view& text, Line& line) {
  const std::size_t end = text.substr(0, 17).find_first_not_of(" \t>");
  if (end == std::string_view::npos || "[<("sv.find(text[end]) == std::string_view::npos) {
    return false;
  }
  std::string_view rest = text.substr(end);
  if (!(rest[0] == '[' ? take_bracket(rest, line) : take_priority(rest, line) || take_writer(rest, line))) {
    return false;
  }
  text = rest;
  return true;
}

constexpr WordSet kMonths(std::array{"Jan "sv, "Feb "sv, "Mar "sv, "Apr "sv, "May "sv, "Jun "sv, "Jul "sv, "Aug "sv,
                                     "Sep "sv, "Oct "sv, "Nov "sv, "Dec "sv});

/// Syslog's "host kernel: " or "host kernel[0]: " behind a date; and "kernel: " alone. " kernel:" is what syslogd
/// writes on terminals.
void take_program(std::string_view& text) {
  static constexpr std::size_t kLongestHost = 70;
  const auto take_name = [&](std::string_view rest) {
    if (take(rest, "kernel: ") || take(rest, "kernel[0]: ")) {
      text = rest;
      return true;
    }
    return false;
  };
  if (take_name(text)) {
    return;
  }
  // one word, the host's name, may stand before it
  const std::size_t blank = text.substr(0, kLongestHost).find(' ');
  if (blank != std::string_view::npos) {
    (void)take_name(text.substr(blank + 1));
  }
}

/// A date or time of day without brackets: ISO 8601 (GitHub's, GitLab's with its stream's number behind, journalctl's),
/// "12:34:56.789", syslog's "Nov 22 15:16:00", seconds with a point.
bool take_bare_time(std::string_view& text, Line& line) {
  std::size_t n = 0;
  const auto digits = [&](std::size_t at, std::size_t count) {
    return at + count <= text.size() && std::ranges::all_of(text.substr(at, count), is_digit);
  };
  const bool month = !is_digit(text.front()) && kMonths.begins(text);
  if (month && text.size() > 15 && digits(7, 2) && text[9] == ':' && digits(10, 2) && text[12] == ':' &&
      digits(13, 2)) {
    n = 15;
  } else if (digits(0, 4) && text.size() > 18 && text[4] == '-' && digits(5, 2) && text[7] == '-' && digits(8, 2) &&
             (text[10] == 'T' || text[10] == ' ') && digits(11, 2) && text[13] == ':' && digits(14, 2)) {
    n = 16;
  } else if (digits(0, 2) && text.size() > 18 && text[2] == '-' && digits(3, 2) && text[5] == ' ' && digits(6, 2) &&
             text[8] == ':' && digits(9, 2) && text[11] == ':' && digits(12, 2) && text[14] == '.' && digits(15, 3)) {
    std::string_view rest = text.substr(18);
    if (!take_logcat(rest)) {
      return false;
    }
    if (!line.kernel_time) {
      line.time = text.substr(0, 18);
    }
    text = rest;
    return true;
  } else if (digits(0, 2) && text.size() > 8 && text[2] == ':' && digits(3, 2) && text[5] == ':' && digits(6, 2)) {
    n = 8;
  } else {
    return false;
  }
  while (n < text.size() && n < 40 && (is_digit(text[n]) || ":.,+-Z"sv.find(text[n]) != std::string_view::npos)) {
    ++n;
  }
  if (n < text.size() && text[n] != ' ' && text[n] != '\t') {
    return false;
  }
  if (!line.kernel_time) {
    line.time = text.substr(0, n);
  }
  text.remove_prefix(std::min(n + 1, text.size()));
  // GitLab: two digits for the stream, O or E for which, '+' when the line before goes on.
  if (text.size() >= 4 && digits(0, 2) && (text[2] == 'O' || text[2] == 'E') && (text[3] == ' ' || text[3] == '+')) {
    text.remove_prefix(4);
  }
  take_program(text);
  return true;
}

/// LAVA's log: - {"dt": "...", "lvl": "target", "msg": "..."}. Escapes in the message stay as they are.
bool take_lava(std::string_view& text) {
  std::string_view rest = text;
  (void)take(rest, "- ");
  if (!take(rest, R"({"dt": ")")) {
    return false;
  }
  const std::size_t key = rest.substr(0, 120).find(R"("msg": ")");
  if (key == std::string_view::npos) {
    return false;
  }
  rest.remove_prefix(key + 8);
  if (rest.ends_with(R"("})")) {
    rest.remove_suffix(2);
  }
  text = rest;
  return true;
}

}  // namespace

Line strip_prefix(std::string_view text) {
  static constexpr int kMost = 16;
  Line line;
  while (!text.empty() && (text.back() == '\r' || text.back() == '\0')) {
    text.remove_suffix(1);
  }
  if (text.ends_with("^M")) {
    text.remove_suffix(2);  // cat -v
  }
  for (int i = 0; i < kMost; ++i) {
    while (!text.empty() && (text[0] == '\r' || text[0] == '\0')) {
      text.remove_prefix(1);
    }
    if (text.empty()) {
      break;
    }
    const char c = text[0];
    bool more = false;
    if (line.kernel_time && (c == 'c' || c == '(' || c == '-') && take_vendor_caller(text)) {
      more = true;
    } else if (c == ' ' && begins(text, " kernel:[")) {
      text.remove_prefix(8);
      more = true;
    } else if ((is_blank(c) || c == '>') && !line.marked) {
      more = take_quote(text, line);
    } else if (c == '[') {
      more = take_bracket(text, line);
    } else if (c == '(') {
      more = take_writer(text, line);
    } else if (c == '\x1b') {
      more = take_escape(text);
    } else if (c == '<' || is_digit(c)) {
      more = take_bare_time(text, line) || take_priority(text, line);
    } else if (c == '{' || c == '-') {
      more = take_lava(text);
    } else if (c == 'k' || c == 'u' || c == 'd' || c == 's' || c == 'a') {
      const std::size_t before = text.size();
      take_program(text);
      more = text.size() != before || take_facility(text);
    } else if (c >= 'A' && c <= 'Z') {
      more = take_bare_time(text, line) || take_writer(text, line);
    }
    if (!more) {
      break;
    }
  }
  line.text = text;
  return line;
}

std::size_t find_second_line(std::string_view text) {
  // Most lines have neither: two searches of the library's are faster than one of ours.
  const auto next = [&](char c, std::size_t from) { return std::min(text.find(c, from), text.size()); };
  std::size_t paren = next('(', 1);
  std::size_t bracket = next('[', 1);
  for (std::size_t i = std::min(paren, bracket); i < text.size(); i = std::min(paren, bracket)) {
    const char c = text[i];
    paren = c == '(' ? next('(', i + 1) : paren;
    bracket = c == '[' ? next('[', i + 1) : bracket;
    if (c == '(') {
      const std::string_view rest = text.substr(i);
      if (begins(rest, "(XEN) ")) {
        return i;
      }
      if (rest.size() > 4 && rest[1] == 'd' && is_digit(rest[2])) {
        Line ignored;
        std::string_view probe = rest;
        if (take_writer(probe, ignored)) {
          return i;
        }
      }
    } else if (c == '[' && i + 14 <= text.size()) {
      const std::string_view rest = text.substr(i + 1, 24);
      const std::size_t close = rest.find(']');
      if (close != std::string_view::npos && close >= 12 && is_kernel_time(rest.substr(0, close))) {
        return i;
      }
    }
  }
  return std::string_view::npos;
}

}  // namespace xstack::logs
