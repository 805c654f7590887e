// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/cli/options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <string_view>

#include "kconfig/rules.h"
#include "logs/kind.h"
#include "tools/cli/arch_name.h"
#include "tools/cli/number.h"
#include "tools/print/log_printer.h"

namespace xstack {
namespace {

constexpr std::uint64_t kMaxStackPages = 256;
constexpr std::uint64_t kMaxLines = 65536;
constexpr std::uint64_t kMaxFrameLimit = 4096;
constexpr std::uint64_t kMaxPid = 4U << 20;

/// What was given, before anybody knows whether it makes sense.
struct Given {
  std::map<std::string_view, std::vector<std::string>> values;  ///< by long name
  std::map<std::string_view, std::size_t> flags;
  std::vector<std::string> words;

  [[nodiscard]] bool flag(std::string_view name) const { return flags.at(name) != 0; }
  /// The last value wins, as in getopt programs.
  [[nodiscard]] std::optional<std::string> last(std::string_view name) const {
    const auto& all = values.at(name);
    return all.empty() ? std::nullopt : std::optional(all.back());
  }
  [[nodiscard]] bool has_any(std::string_view name) const { return !values.at(name).empty(); }
  [[nodiscard]] bool has(const OptionInfo& option) const {
    return option.value_name == nullptr ? flag(option.long_name) : !values.at(option.long_name).empty();
  }
};

/// --raw is two options: a flag of dmesg, as dmesg(1) has it, and, with an address in hexadecimal behind it, the same
/// as
/// --ram-base.
std::vector<std::string> spell_raw(std::span<const std::string> arguments) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& word = arguments[i];
    const bool based = i + 1 < arguments.size() && arguments[i + 1].starts_with("0x");
    out.push_back(word == "--raw" && based     ? "--ram-base"
                  : word.starts_with("--raw=") ? "--ram-base=" + word.substr(6)
                                               : word);
  }
  return out;
}

Result<Given> split(std::span<const std::string> arguments) {
  Given given;
  CLI::App app;
  app.set_help_flag();  // ours are in the table like all others
  for (const auto& option : option_table()) {
    std::string names = fmt::format("--{}", option.long_name);
    if (option.short_name != 0) {
      names += fmt::format(",-{}", option.short_name);
    }
    if (option.value_name == nullptr) {
      app.add_flag(names, given.flags[option.long_name])->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    } else {
      app.add_option(names, given.values[option.long_name])->expected(1)->allow_extra_args(false)->take_all();
    }
  }
  app.add_option("words", given.words);
  const auto spelt = spell_raw(arguments);
  // CLI11 takes its arguments from the back.
  std::vector<std::string> reversed(spelt.rbegin(), spelt.rend());
  try {
    app.parse(std::move(reversed));
  } catch (const CLI::ParseError& e) {
    return fail(Errc::usage, e.what());
  }
  return given;
}

Result<std::uint64_t> number_in(const char* option, const std::string& text, std::uint64_t lowest,
                                std::uint64_t highest) {
  const auto value = parse_number(text);
  if (!value) {
    return fail(Errc::usage, fmt::format("{}: '{}' is not a number (decimal, or hexadecimal after 0x)", option, text));
  }
  if (*value < lowest || *value > highest) {
    return fail(Errc::usage, fmt::format("{}: {} is not in {}..{}", option, text, lowest, highest));
  }
  return *value;
}

/// Sets `out` from the last value of `name`, when there is one.
template <class T>
Result<void> take_number(const Given& given, const char* name, std::uint64_t lowest, std::uint64_t highest, T& out) {
  if (const auto text = given.last(name)) {
    const auto value = number_in(fmt::format("--{}", name).c_str(), *text, lowest, highest);
    if (!value) {
      return tl::unexpected(value.error());
    }
    out = static_cast<unsigned>(*value);
  }
  return {};
}

Result<void> take_addresses(const Given& given, const char* name, std::vector<GuestVirt>& out) {
  for (const auto& text : given.values.at(name)) {
    const auto value = number_in(fmt::format("--{}", name).c_str(), text, 0, ~0ULL);
    if (!value) {
      return tl::unexpected(value.error());
    }
    out.emplace_back(*value);
  }
  return {};
}

Result<void> take_numbers(const Given& given, Options& options) {
  if (const auto text = given.last("kernel-start")) {
    const auto value = number_in("--kernel-start", *text, 0, ~0ULL);
    if (!value) {
      return tl::unexpected(value.error());
    }
    options.kernel_start = *value;
  }
  if (const auto text = given.last("lines")) {
    static constexpr std::string_view kAll[] = {"all", "ALL", "max", "MAX"};
    if (std::ranges::find(kAll, *text) != std::end(kAll)) {
      options.lines = LineLimit{};
    } else {
      const auto value = number_in("--lines", *text, 0, kMaxLines);
      if (!value) {
        return tl::unexpected(value.error());
      }
      options.lines = LineLimit{*value};
    }
  }
  if (const auto text = given.last("skip")) {
    const auto value = number_in("--skip", *text, 0, ~0ULL >> 1);
    if (!value) {
      return tl::unexpected(value.error());
    }
    options.skip = *value;
  }
  Result<void> ok = take_number(given, "max-frames", 1, kMaxFrameLimit, options.max_frames);
  ok = ok ? take_number(given, "display-stack-pages", 1, kMaxStackPages, options.stack_pages) : ok;
  ok = ok ? take_number(given, "bytes-per-line", 4, 128, options.bytes_per_line) : ok;
  ok = ok ? take_addresses(given, "memory", options.memory) : ok;
  return ok ? take_addresses(given, "dump-as-stack", options.dump_as_stack) : ok;
}

/// Which tasks to show.
Result<void> take_tasks(const Given& given, Options& options) {
  if (const auto letters = given.last("state")) {
    static constexpr std::string_view kLetters = "RSDTtXZPI";
    if (letters->empty() || letters->find_first_not_of(kLetters) != std::string::npos) {
      return fail(Errc::usage, fmt::format("--state: '{}' are not letters of {}", *letters, kLetters));
    }
    options.states = *letters;
  }
  for (const auto& text : given.values.at("pid")) {
    const auto value = number_in("--pid", text, 0, kMaxPid);
    if (!value) {
      return tl::unexpected(value.error());
    }
    options.pids.push_back(static_cast<std::uint32_t>(*value));
  }
  options.comms = given.values.at("comm");
  options.group = given.flag("group");
  options.trace = !given.flag("no-trace");
  if (options.group && !options.trace) {
    return fail(Errc::usage, "--group together with --no-trace: there are no stacks to compare then");
  }
  return {};
}

Result<void> take_choices(const Given& given, Options& options) {
  if (const auto text = given.last("arch")) {
    options.arch = find_arch(*text);
    if (!options.arch) {
      return fail(Errc::usage, fmt::format("--arch: '{}' is none of arm32, arm64, x86_32, x86_64", *text));
    }
  }
  if (const auto text = given.last("level")) {
    const auto levels = parse_levels(*text);
    if (!levels) {
      return fail(Errc::usage, fmt::format("--level: '{}' is no list of emerg, alert, crit, err, warn, notice, info, "
                                           "debug",
                                           *text));
    }
    options.levels = *levels;
  }
  if (const auto text = given.last("port")) {
    if (*text == "-") {
      options.port.reset();
    } else {
      const auto port = number_in("--port", *text, 0, 65535);
      if (!port) {
        return tl::unexpected(port.error());
      }
      options.port = static_cast<std::uint16_t>(*port);
    }
  }
  if (const auto text = given.last("compress")) {
    if (*text == "zstd") {
      options.compress = PageCompression::zstd;
    } else if (*text == "zlib") {
      options.compress = PageCompression::zlib;
    } else if (*text == "none") {
      options.compress = PageCompression::none;
    } else {
      return fail(Errc::usage, fmt::format("--compress: '{}' is none of zstd, zlib, none", *text));
    }
  }
  if (const auto text = given.last("format")) {
    if (*text == "kdump") {
      options.format = CoreFormat::kdump;
    } else if (*text == "xl") {
      options.format = CoreFormat::xl;
    } else if (*text != "elf") {
      return fail(Errc::usage, fmt::format("--format: '{}' is none of elf, kdump, xl", *text));
    }
  }
  if (const auto text = given.last("note-pids")) {
    if (*text != "vcpu" && *text != "task") {
      return fail(Errc::usage, fmt::format("--note-pids: '{}' is neither vcpu nor task", *text));
    }
    options.numbers = *text == "task" ? NoteNumbers::task : NoteNumbers::vcpu;
  }
  if (const auto text = given.last("color")) {
    if (*text == "always") {
      options.color = ColorWhen::always;
    } else if (*text == "never") {
      options.color = ColorWhen::never;
    } else if (*text != "auto") {
      return fail(Errc::usage, fmt::format("--color: '{}' is none of auto, always, never", *text));
    }
  }
  return {};
}

/// --core with --ram-base: each file's own base.
Result<void> take_raw(const Given& given, Options& options) {
  const auto& bases = given.values.at("ram-base");
  const auto& files = given.values.at("core");
  if (bases.empty()) {
    return {};
  }
  if (bases.size() != files.size()) {
    return fail(Errc::usage, fmt::format("--ram-base (or --raw BASE) is given {} times for {} --core files",
                                         bases.size(), files.size()));
  }
  for (std::size_t i = 0; i < bases.size(); ++i) {
    const auto base = number_in("--ram-base", bases[i], 0, ~0ULL);
    if (!base) {
      return tl::unexpected(base.error());
    }
    options.raw_files.push_back({files[i], *base});
  }
  return {};
}

/// --fail-on, whose lists add up.
Result<void> take_kinds(const Given& given, Options& options) {
  for (const auto& list : given.values.at("fail-on")) {
    std::string_view rest = list;
    while (true) {
      const std::string_view name = rest.substr(0, rest.find(','));
      const auto kind = logs::find_kind(name);
      if (!kind && name != "all") {
        std::string names;
        for (const auto& info : logs::kind_table()) {
          names += fmt::format("{}, ", info.name);
        }
        return fail(Errc::usage, fmt::format("--fail-on: '{}' is none of {}all", name, names));
      }
      options.fail_on = options.fail_on.value_or(0) | (kind ? 1U << static_cast<unsigned>(*kind) : ~0U);
      if (name.size() == rest.size()) {
        break;
      }
      rest.remove_prefix(name.size() + 1);
    }
  }
  return {};
}

Result<void> take_size(const Given& given, const char* name, std::optional<std::uint64_t>& out) {
  if (const auto text = given.last(name)) {
    out = parse_size(*text);
    if (!out || *out == 0) {
      return fail(Errc::usage, fmt::format("--{}: '{}' is no size, such as 512M or 1G", name, *text));
    }
  }
  return {};
}

/// --role, whose lists add up.
Result<void> take_roles(const Given& given, Options& options) {
  for (const auto& list : given.values.at("role")) {
    std::string_view rest = list;
    while (true) {
      const std::string_view name = rest.substr(0, rest.find(','));
      const auto role = find_role(name);
      if (!role) {
        return fail(Errc::usage, fmt::format("--role: '{}' is none of dom0, domu, trace", name));
      }
      options.roles = static_cast<std::uint8_t>(options.roles | (1U << static_cast<unsigned>(*role)));
      if (name.size() == rest.size()) {
        break;
      }
      rest.remove_prefix(name.size() + 1);
    }
  }
  return {};
}

/// The words: [SUBCOMMAND] DOMAIN [VCPU], or [SUBCOMMAND] [VCPU] with --core; for symbols, queries in VCPU's place.
Result<void> take_words(const Given& given, Options& options) {
  std::span<const std::string> words = given.words;
  const bool named = !words.empty() && find_command(words.front()).has_value();
  if (named) {
    options.command = *find_command(words.front());
    words = words.subspan(1);
  }
  if (options.command == Command::log) {
    options.files.assign(words.begin(), words.end());
    return {};
  }
  if (options.command == Command::boards) {
    options.board_words.assign(words.begin(), words.end());
    return {};
  }
  if (options.no_guest && options.core) {
    return fail(Errc::usage, "--no-guest together with --core");
  }
  if (!options.core && !options.no_guest) {
    if (words.empty() && options.command == Command::check_config) {
      return fail(Errc::usage, "check-config: no FILE, no DOMAIN and no --core FILE");
    }
    if (words.empty()) {
      return fail(Errc::usage, named ? fmt::format("{0}: no DOMAIN and no --core FILE (a domain that is named {0}: "
                                                   "xstack trace {0})",
                                                   to_string(options.command))
                                     : std::string("no DOMAIN and no --core FILE; xstack --help shows how"));
    }
    if (words.front().empty()) {
      return fail(Errc::usage, "DOMAIN is empty");
    }
    options.domain = words.front();
    words = words.subspan(1);
  }
  if (options.command == Command::symbols) {
    options.queries.assign(words.begin(), words.end());
    return {};
  }
  if (!words.empty()) {
    const auto id = number_in("VCPU", words.front(), 0, 65535);
    if (!id) {
      return options.core ? fail(Errc::usage, fmt::format("'{}' is not the number of a vCPU, and --core names the "
                                                          "guest already",
                                                          words.front()))
                          : tl::unexpected(id.error());
    }
    options.vcpu = static_cast<unsigned>(*id);
    words = words.subspan(1);
  }
  if (!words.empty()) {
    return fail(Errc::usage, fmt::format("one word too many: '{}'", words.front()));
  }
  return {};
}

/// What the parts mean together.
Result<void> check(const Given& given, const Options& options) {
  const auto bit = 1U << static_cast<unsigned>(options.command);
  for (const auto& option : option_table()) {
    if (given.has(option) && (option.commands & bit) == 0) {
      return fail(Errc::usage,
                  fmt::format("{} has no meaning for {}", display_name(option), to_string(options.command)));
    }
  }
  if (given.flag("all-vcpus") && options.vcpu) {
    return fail(Errc::usage, "-C, --all-vcpus together with one VCPU");
  }
  if ((options.command == Command::dmesg || options.command == Command::modules) && options.vcpu) {
    return fail(Errc::usage, fmt::format("{}: is of the whole guest, not of one vCPU", to_string(options.command)));
  }
  if (options.command == Command::check_config && options.vcpu) {
    return fail(Errc::usage, "check-config: is of a kernel, not of one vCPU");
  }
  if (options.fix && options.json) {
    return fail(Errc::usage, "check-config: --fix together with --json");
  }
  if (options.raw && options.decode) {
    return fail(Errc::usage, "-r, --raw together with -x, --decode");
  }
  if (options.no_guest && options.symbol_files.empty()) {
    return fail(Errc::usage, "--no-guest: no -s FILE to look in");
  }
  if (options.command == Command::log) {
    if (options.json && (options.summary || options.only)) {
      return fail(Errc::usage, "log: --json together with --summary or --only");
    }
    if (options.follow && options.files.size() != 1) {
      return fail(Errc::usage, "log: --follow takes one file");
    }
  }
  if (options.command == Command::capture || options.command == Command::dump) {
    if (!options.output || options.output->empty()) {
      return fail(Errc::usage, fmt::format("{}: no -o FILE to write to", to_string(options.command)));
    }
    if (options.vcpu) {
      return fail(Errc::usage, fmt::format("{}: takes every vCPU, not one", to_string(options.command)));
    }
  }
  if (given.last("listen") && !options.port) {
    return fail(Errc::usage, "gdb: --listen together with --port -");
  }
  if (options.command == Command::gdb && options.vcpu) {
    return fail(Errc::usage, "gdb: shows every vCPU as a thread, not one");
  }
  if (options.command == Command::tasks && options.vcpu) {
    return fail(Errc::usage, "tasks: shows tasks, not a vCPU; --pid N picks one");
  }
  return {};
}

}  // namespace

Result<Options> parse_command_line(std::span<const std::string> arguments) {
  const auto given = split(arguments);
  if (!given) {
    return tl::unexpected(given.error());
  }
  Options options;
  options.help = given->flag("help");
  options.version = given->flag("version");
  if (options.help || options.version) {
    return options;
  }
  options.core = given->last("core");
  options.board = given->last("board");
  options.xen = given->last("xen");
  options.dom0 = given->last("dom0");
  options.initrd = given->last("initrd");
  options.dtb = given->last("dtb");
  options.bootargs = given->last("bootargs").value_or("");
  options.xen_bootargs = given->last("xen-bootargs").value_or("");
  if (auto ok = take_raw(*given, options); !ok) {
    return tl::unexpected(ok.error());
  }
  options.output = given->last("output");
  options.symbol_files = given->values.at("symbol-table");
  options.only = given->flag("only");
  options.summary = given->flag("summary");
  options.follow = given->flag("follow");
  options.until_crash = given->flag("until-crash");
  options.junit = given->last("junit");
  options.known = given->values.at("known");
  if (given->has_any("debug-dir")) {
    options.debug_directories = given->values.at("debug-dir");
    std::erase(options.debug_directories, "none");
  }
  options.debuginfod = given->flag("debuginfod");
  options.force = given->flag("force");
  options.no_guest = given->flag("no-guest");
  options.scan = !given->flag("no-scan");
  options.all_registers = given->flag("all");
  options.stack_trace = given->flag("stack-trace");
  options.ascii = given->flag("decode-as-ascii");
  options.tag = given->flag("tag-stack-dump");
  options.log = !given->flag("no-dmesg");
  options.tasks = given->flag("tasks");
  options.raw = given->flag("raw");
  options.decode = given->flag("decode");
  options.fix = given->flag("fix");
  options.json = given->flag("json");
  options.live = given->flag("live");
  options.listen = given->last("listen").value_or(options.listen);
  // Who asks for both gets the one that leaves out more.
  options.keep = given->flag("kernel-only") ? KeepPages::kernel_only : KeepPages::all;
  options.keep = given->flag("redact") ? KeepPages::redacted : options.keep;
  options.verbose = given->flag("verbose");
  Result<void> ok = take_numbers(*given, options);
  ok = ok ? take_tasks(*given, options) : ok;
  ok = ok ? take_kinds(*given, options) : ok;
  ok = ok ? take_roles(*given, options) : ok;
  ok = ok ? take_size(*given, "ram", options.ram) : ok;
  ok = ok ? take_size(*given, "dom0-mem", options.dom0_mem) : ok;
  ok = ok ? take_choices(*given, options) : ok;
  ok = ok ? take_words(*given, options) : ok;
  ok = ok ? check(*given, options) : ok;
  if (!ok) {
    return tl::unexpected(ok.error());
  }
  return options;
}

}  // namespace xstack
