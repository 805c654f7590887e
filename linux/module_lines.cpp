// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/module_lines.h"

#include <algorithm>

namespace xstack {
namespace {

constexpr std::size_t kSamples = 16;  // functions that are held against the guest

}  // namespace

/// Do functions of the section, spread over it, lie in the guest where `bias` says?
bool ModuleLines::lies_so(std::size_t section, std::uint64_t bias, CodeInfo& code) {
  std::vector<const FileFunction*> there;
  for (const FileFunction& function : file_->functions()) {
    if (function.section == section) {
      there.push_back(&function);
    }
  }
  const std::size_t step = std::max<std::size_t>(there.size() / kSamples, 1);
  for (std::size_t i = 0; i < there.size(); i += step) {
    const GuestVirt start(there[i]->address + bias);
    const auto here = code.function_at(start);
    if (!here) {
      continue;  // the guest's symbol table may not be readable, as in a capture
    }
    const bool same = here->start == start && here->module == module_ &&
                      std::any_of(there.begin(), there.end(), [&](const FileFunction* other) {
                        return other->address == there[i]->address && other->name == here->name;
                      });
    if (!same) {
      return false;
    }
  }
  return true;
}

std::optional<std::uint64_t> ModuleLines::section_bias(const CodeSymbol& symbol, CodeInfo& code) {
  std::optional<std::uint64_t> any;
  for (const FileFunction& function : file_->functions()) {
    if (function.name != symbol.name) {
      continue;
    }
    const std::uint64_t bias = symbol.start.value - function.address;
    any = any ? any : bias;
    if (const auto known = biases_.find(function.section); known != biases_.end()) {
      if (known->second == bias) {
        return bias;
      }
    } else if (lies_so(function.section, bias, code)) {
      biases_.emplace(function.section, bias);
      return bias;
    }
  }
  return force_ ? any : std::nullopt;
}

std::vector<SourcePlace> ModuleLines::places_at(GuestVirt address, CodeInfo& code) {
  const auto symbol = refused_ ? std::nullopt : code.function_at(address);
  if (!symbol) {
    return {};
  }
  const auto bias = section_bias(*symbol, code);
  if (!bias) {
    refused_ = biases_.empty();
    problem_ = refused_ ? "it is not the file that the guest's module was loaded from: it is not used"
                        : "it has no function " + symbol->name + " where the guest has it";
    return {};
  }
  return file_->places_at(address.value - *bias);
}

}  // namespace xstack
