// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/print/answers.h"

#include <fmt/format.h>

#include <iterator>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "tools/print/text.h"

namespace xstack {
namespace {

using Json = nlohmann::ordered_json;

std::string place_text(const SourcePlace& place) {
  if (!place.file) {
    return {};
  }
  return place.line ? fmt::format(" {}:{}", escape(*place.file), *place.line) : " " + escape(*place.file);
}

void put_place(Json& object, const SourcePlace& place) {
  if (place.file) {
    object["file"] = escape(*place.file);
    if (place.line) {
      object["line"] = *place.line;
    }
  }
}

std::string hex(std::uint64_t value) {
  return fmt::format("{:#x}", value);
}

}  // namespace

std::string answer_text(const Answer& answer, unsigned word_size) {
  if (!answer.address) {
    return escape(answer.query) + " (no such name)\n";
  }
  std::string out = fmt::format("0x{} ", text::hex(answer.address->value, word_size * 8));
  if (answer.symbol) {
    const CodeSymbol& symbol = *answer.symbol;
    out += text::symbol(symbol.name, *answer.address - symbol.start,
                        symbol.size != 0 ? std::optional(symbol.size) : std::nullopt,
                        symbol.module.empty() ? std::nullopt : std::optional(symbol.module));
  } else {
    out += "(no symbol)";
  }
  for (std::size_t i = answer.places.size(); i-- > 0;) {
    const SourcePlace& place = answer.places[i];
    if (i + 1 != answer.places.size()) {
      out += ", inlined " + (place.function ? escape(*place.function) : std::string("(no name)"));
    }
    out += place_text(place);
  }
  return out + "\n";
}

std::string answer_json(const Answer& answer) {
  Json out;
  out["xstack"] = 1;
  out["query"] = escape(answer.query);
  if (answer.address) {
    out["address"] = hex(answer.address->value);
  }
  if (answer.symbol) {
    const CodeSymbol& symbol = *answer.symbol;
    out["symbol"] = escape(symbol.name);
    out["offset"] = hex(*answer.address - symbol.start);
    if (symbol.size != 0) {
      out["size"] = hex(symbol.size);
    }
    out["module"] = symbol.module.empty() ? Json(nullptr) : Json(escape(symbol.module));
  }
  if (!answer.places.empty()) {
    put_place(out, answer.places.back());
    out["inlined"] = Json::array();
    for (auto place = answer.places.begin(); std::next(place) != answer.places.end(); ++place) {
      Json call = Json::object();
      if (place->function) {
        call["symbol"] = escape(*place->function);
      }
      put_place(call, *place);
      out["inlined"].push_back(std::move(call));
    }
  }
  return out.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace xstack
