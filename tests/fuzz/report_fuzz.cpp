// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/sample_report.h"
#include "tools/cli/options.h"
#include "tools/print/printer.h"

namespace {

/// Hands out the input in pieces; empty ones once it is used up.
class Pieces {
 public:
  Pieces(const std::uint8_t* data, std::size_t size) : rest_(reinterpret_cast<const char*>(data), size) {}

  std::uint8_t byte() {
    if (rest_.empty()) {
      return 0;
    }
    const auto b = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return b;
  }
  std::uint64_t number() {
    std::uint64_t value = 0;
    for (int i = 0; i < 8; ++i) {
      value = value << 8 | byte();
    }
    return value;
  }
  std::string text() {
    const std::string out(rest_.substr(0, byte() % 32));
    rest_.remove_prefix(std::min(out.size(), rest_.size()));
    return out;
  }

 private:
  std::string_view rest_;
};

xstack::Report hostile_report(Pieces& pieces) {
  xstack::Report report = xstack::test::sample_report();
  auto& guest = report.guest;
  guest.identity.name = pieces.text();
  guest.identity.uuid = pieces.text();
  guest.identity.xen_version = pieces.text();
  guest.identity.capabilities = pieces.text();
  guest.identity.source = pieces.text();
  guest.os = pieces.text();
  guest.banner = pieces.text();
  guest.build_id = pieces.text();
  guest.arch_why = pieces.text();
  guest.symbols = {pieces.text()};
  guest.kaslr_offset = pieces.number();
  auto& vcpu = report.vcpus[0];
  vcpu.task_comm = pieces.text();
  vcpu.cpu->mode = pieces.text();
  vcpu.warnings = {pieces.text()};
  for (auto& frame : vcpu.frames) {
    frame.pc = xstack::GuestVirt(pieces.number());
    frame.symbol = pieces.text();
    frame.module = pieces.text();
    frame.file = pieces.text();
    frame.stack = pieces.text();
    frame.offset = pieces.number();
  }
  vcpu.end->detail = pieces.text();
  vcpu.stack->from = xstack::GuestVirt(pieces.number());
  vcpu.stack->word_size = pieces.byte() % 2 == 0 ? 4 : 8;
  vcpu.stack->words.assign(pieces.byte(), pieces.number());
  vcpu.stack->names = {{pieces.byte(), pieces.text(), pieces.number(), pieces.number(), pieces.text()}};
  vcpu.stack->ended = pieces.text();
  report.vcpus[1].absent_why = pieces.text();
  xstack::MemoryDump memory;
  memory.from = xstack::GuestVirt(pieces.number());
  memory.bytes.assign(pieces.byte(), static_cast<std::byte>(pieces.byte()));
  memory.names = {{pieces.byte(), pieces.text(), 0, std::nullopt, std::nullopt}};
  memory.ended = pieces.text();
  report.memory = {memory, memory};
  report.warnings = {pieces.text()};
  return report;
}

xstack::View any_view(Pieces& pieces) {
  xstack::View view;
  const std::uint8_t bits = pieces.byte();
  view.all_registers = (bits & 1) != 0;
  view.info = (bits & 2) != 0;
  view.verbose = (bits & 4) != 0;
  view.stack_format.ascii = (bits & 8) != 0;
  view.stack_format.tag = (bits & 16) != 0;
  view.stack_format.word_by_word = (bits & 32) != 0;
  view.stack_format.bytes_per_line = 4 + pieces.byte() % 125;
  if ((bits & 64) != 0) {
    view.stack_format.lines = pieces.byte();
  }
  if ((bits & 128) != 0) {
    view.stack_format.stack_pages = 1 + pieces.byte();
  }
  view.memory_format = view.stack_format;
  view.plain_memory = 1;
  return view;
}

void require_harmless(std::string_view text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\n') || byte == 0x7f) {
      std::abort();
    }
  }
}

}  // namespace

// Hostile text on its way through the printers, and hostile words on the command line: no control character comes out,
// JSON stays JSON, and no guest adds a line.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Pieces pieces(data, size);
  const xstack::View view = any_view(pieces);
  const xstack::Report report = hostile_report(pieces);
  require_harmless(xstack::make_text_printer(view)->print(report));
  const std::string json = xstack::make_json_printer()->print(report);
  require_harmless(json);
  if (!nlohmann::json::accept(json)) {
    std::abort();
  }
  std::vector<std::string> arguments;
  while (arguments.size() < 8) {
    arguments.push_back(pieces.text());
  }
  (void)xstack::parse_command_line(arguments);
  return 0;
}
