// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "linux/kallsyms_tables.h"

namespace xstack::test {

struct KernelSymbol {
  std::uint64_t address = 0;
  char type = 'T';
  std::string name;
};

/// The form that a kernel's build gives its tables.
struct KallsymsForm {
  std::uint64_t at = 0xffff800081000000;  ///< where the first of them stands
  unsigned word_size = 8;
  unsigned alignment = 8;  ///< of every label: a word, and 4 since 7.0
  KallsymsTables::Addresses kind = KallsymsTables::Addresses::base_relative;
  bool addresses_last = false;  ///< after the token index, as since 6.4
  bool seqs = false;            ///< kallsyms_seqs_of_names, 6.2 on
  unsigned marker_size = 4;     ///< 8: 64-bit kernels before 4.20
  unsigned count_size = 4;      ///< the same
  std::uint64_t relative_base = 0;
};

/// Tables as a kernel's image holds them, and where each of them is in truth.
struct BuiltKallsyms {
  KallsymsTables tables;
  GuestVirt digits;  ///< of the token table
  GuestVirt at;
  std::vector<std::byte> bytes;
  std::vector<std::uint64_t> records;  ///< offset of each name's record after tables.names

  [[nodiscard]] std::byte& byte_at(GuestVirt address) { return bytes.at(address - at); }
};

/// What each of the 256 tokens stands for: printable characters are themselves.
inline std::string token_text(unsigned token) {
  if (token > ' ' && token < 0x7f) {
    return std::string(1, static_cast<char>(token));
  }
  static constexpr std::array<std::string_view, 4> kCommon = {"symbol_", "_of_", "init_", "__"};
  return token >= 0x80 && token < 0x80 + kCommon.size() ? std::string(kCommon[token - 0x80])
                                                        : "?" + std::to_string(token);
}

/// A record's token numbers.
inline std::string compress(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    unsigned best = static_cast<unsigned char>(text[0]);
    std::size_t length = 1;
    for (unsigned token = 0x80; token < 0x84; ++token) {
      if (const auto known = token_text(token); known.size() > length && text.starts_with(known)) {
        best = token;
        length = known.size();
      }
    }
    out.push_back(static_cast<char>(best));
    text.remove_prefix(length);
  }
  return out;
}

class KallsymsBuilder {
 public:
  KallsymsBuilder(const KallsymsForm& form, std::span<const KernelSymbol> symbols) : form_(form), symbols_(symbols) {
    built_.at = GuestVirt(form.at);
    KallsymsTables& t = built_.tables;
    t.kind = form.kind;
    t.count = static_cast<std::uint32_t>(symbols.size());
    t.marker_size = form.marker_size;
    t.word_size = form.word_size;
    t.has_seqs = form.seqs;
  }

  BuiltKallsyms build() {
    if (!form_.addresses_last) {
      addresses();
    }
    label();
    number(symbols_.size(), form_.count_size);
    names();
    if (form_.seqs && !form_.addresses_last) {
      sequences();
    }
    tokens();
    if (form_.addresses_last) {
      addresses();
      if (form_.seqs) {
        sequences();
      }
    }
    built_.bytes.resize(built_.bytes.size() + 64);
    return std::move(built_);
  }

 private:
  GuestVirt label() {
    while (here().value % form_.alignment != 0) {
      built_.bytes.push_back(std::byte{0});
    }
    return here();
  }
  [[nodiscard]] GuestVirt here() const { return built_.at + built_.bytes.size(); }
  void number(std::uint64_t value, unsigned size) {
    for (unsigned i = 0; i < size; ++i) {
      built_.bytes.push_back(static_cast<std::byte>(value >> (8 * i)));
    }
  }
  void text(std::string_view part) {
    for (const char c : part) {
      built_.bytes.push_back(static_cast<std::byte>(c));
    }
  }

  void addresses() {
    using Addresses = KallsymsTables::Addresses;
    built_.tables.addresses = label();
    for (const KernelSymbol& symbol : symbols_) {
      switch (form_.kind) {
        case Addresses::words:
          number(symbol.address, form_.word_size);
          break;
        case Addresses::base_relative:
          number(symbol.address - form_.relative_base, 4);
          break;
        case Addresses::absolute_percpu:
          number(symbol.address < form_.relative_base ? symbol.address : form_.relative_base - symbol.address - 1, 4);
          break;
        case Addresses::self_relative:
          number(symbol.address - here().value, 4);
          break;
      }
    }
    if (form_.kind == Addresses::base_relative || form_.kind == Addresses::absolute_percpu) {
      built_.tables.relative_base = form_.relative_base;
      label();
      number(form_.relative_base, form_.word_size);
    }
  }

  void names() {
    built_.tables.names = label();
    std::vector<std::uint64_t> markers;
    for (std::size_t i = 0; i < symbols_.size(); ++i) {
      const std::uint64_t offset = here() - built_.tables.names;
      built_.records.push_back(offset);
      if (i % 256 == 0) {
        markers.push_back(offset);
      }
      const std::string record = compress(symbols_[i].type + symbols_[i].name);
      if (record.size() > 0x7f) {
        number((record.size() & 0x7f) | 0x80, 1);
        number(record.size() >> 7, 1);
      } else {
        number(record.size(), 1);
      }
      text(record);
    }
    built_.tables.names_end = here();
    built_.tables.markers = label();
    for (const std::uint64_t marker : markers) {
      number(marker, form_.marker_size);
    }
  }

  void sequences() {
    label();
    for (std::size_t i = 0; i < symbols_.size(); ++i) {
      const std::size_t sequence = (i * 7) % symbols_.size();
      number(sequence >> 16, 1);
      number(sequence >> 8, 1);
      number(sequence, 1);
    }
  }

  void tokens() {
    built_.tables.token_table = label();
    std::vector<std::uint64_t> index;
    for (unsigned token = 0; token < 256; ++token) {
      index.push_back(here() - built_.tables.token_table);
      if (token == '0') {
        built_.digits = here();
      }
      text(token_text(token));
      number(0, 1);
    }
    built_.tables.token_bytes = static_cast<std::uint32_t>(here() - built_.tables.token_table);
    built_.tables.token_index = label();
    for (const std::uint64_t offset : index) {
      number(offset, 2);
    }
  }

  KallsymsForm form_;
  std::span<const KernelSymbol> symbols_;
  BuiltKallsyms built_;
};

inline BuiltKallsyms build_kallsyms(const KallsymsForm& form, std::span<const KernelSymbol> symbols) {
  return KallsymsBuilder(form, symbols).build();
}

/// `count` functions from `base` on, 0x20 to 0x50 bytes each; every seventh stands where the one before it does.
inline std::vector<KernelSymbol> some_symbols(std::size_t count, std::uint64_t base) {
  std::vector<KernelSymbol> symbols;
  std::uint64_t at = base;
  for (std::size_t i = 0; i < count; ++i) {
    symbols.push_back({at, i % 3 == 0 ? 'T' : 't', "symbol_" + std::to_string(i) + (i % 5 == 0 ? "_of_init_" : "")});
    if (i % 7 != 5) {
      at += 0x20 + 0x10 * (i % 4);
    }
  }
  return symbols;
}

}  // namespace xstack::test
