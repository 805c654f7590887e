// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/arm32/translations.h"

#include <array>
#include <cstdint>

#include "arch/arm32/lpae.h"
#include "arch/arm32/registers.h"
#include "arch/arm32/short_descriptors.h"

namespace xstack::arm32 {
namespace {

using Translations = std::vector<std::shared_ptr<const Translation>>;

constexpr std::uint64_t kEae = std::uint64_t{1} << 31;
constexpr unsigned kShortLevels = 2;
constexpr unsigned kLpaeLevels = 3;

/// SCTLR.M = 0: virtual addresses are physical ones.
class Identity final : public Translation {
 public:
  tl::expected<Mapping, Fault> walk(PhysMemory& memory, GuestVirt va) const override {
    (void)memory;
    if (va.value >> 32 != 0) {
      return tl::unexpected(Fault{FaultKind::out_of_range, va.value});
    }
    return Mapping{GuestPhys(va.value), kXenPageSize - va.value % kXenPageSize, kXenPageSize, 0};
  }
  std::string describe() const override { return "MMU off"; }
};

bool bit(std::uint64_t value, unsigned n) {
  return (value >> n & 1) != 0;
}

Translations short_translations(std::uint64_t ttbcr, std::uint64_t ttbr0, std::uint64_t ttbr1) {
  ShortRegime own;
  own.ttbr0 = static_cast<std::uint32_t>(ttbr0);
  own.ttbr1 = static_cast<std::uint32_t>(ttbr1);
  own.n = static_cast<unsigned>(ttbcr & 7);
  own.pd0 = bit(ttbcr, 4);
  own.pd1 = bit(ttbcr, 5);
  Translations list{std::make_shared<ShortDescriptors>(own)};
  if (!own.pd1 && own.ttbr1 >> 14 != 0) {
    list.push_back(std::make_shared<ShortDescriptors>(ShortRegime{own.ttbr1, own.ttbr1, 0, false, false}));
  }
  return list;
}

Translations lpae_translations(std::uint64_t ttbcr, std::uint64_t ttbr0, std::uint64_t ttbr1) {
  LpaeRegime own;
  own.ttbr0 = ttbr0;
  own.ttbr1 = ttbr1;
  own.t0sz = static_cast<unsigned>(ttbcr & 7);
  own.t1sz = static_cast<unsigned>(ttbcr >> 16 & 7);
  own.epd0 = bit(ttbcr, 7);
  own.epd1 = bit(ttbcr, 23);
  Translations list{std::make_shared<Lpae>(own)};
  const std::uint64_t base = lpae_base(ttbr1, own.t1sz);
  if (!own.epd1 && base != 0) {
    if (own.t1sz == 0) {  // TTBR1 is swapper_pg_dir itself
      list.push_back(std::make_shared<Lpae>(LpaeRegime{base, 0, 0, 0, false, true}));
    } else if (own.t1sz == 1 && base % 32 == 16) {  // a 2G/2G split: TTBR1 skips two of four level-1 entries
      list.push_back(std::make_shared<Lpae>(LpaeRegime{base - 16, 0, 0, 0, false, true}));
    } else if (own.t1sz == 2) {
      list.push_back(std::make_shared<LpaeKernelLevel1>(base));
    }
  }
  if ((own.epd0 || own.t0sz != 0) && ttbr0 != 0) {
    list.push_back(std::make_shared<Lpae>(LpaeRegime{ttbr0, 0, 0, 0, false, true}));
  }
  return list;
}

}  // namespace

Translations translations_of(const RegisterFile& regs) {
  const std::uint64_t ttbcr = regs.get(kTtbcr).value_or(0);
  const std::uint64_t ttbr0 = regs.get(kTtbr0).value_or(0);
  const std::uint64_t ttbr1 = regs.get(kTtbr1).value_or(0);
  if (!bit(regs.get(kSctlr).value_or(0), 0)) {
    return {std::make_shared<Identity>()};
  }
  return (ttbcr & kEae) != 0 ? lpae_translations(ttbcr, ttbr0, ttbr1) : short_translations(ttbcr, ttbr0, ttbr1);
}

std::shared_ptr<const Translation> with_root(const RegisterFile& regs, GuestPhys root) {
  const bool lpae = (regs.get(kTtbcr).value_or(0) & kEae) != 0;
  return translation_of({.levels = lpae ? kLpaeLevels : kShortLevels}, root);
}

std::span<const TableForm> table_forms() {
  static constexpr std::array<TableForm, 2> kForms = {{{kShortLevels}, {kLpaeLevels}}};
  return kForms;
}

std::shared_ptr<const Translation> translation_of(const TableForm& form, GuestPhys root) {
  if (form.levels == kLpaeLevels) {
    return std::make_shared<Lpae>(LpaeRegime{root.value, 0, 0, 0, false, true});
  }
  const auto base = static_cast<std::uint32_t>(root.value);
  return std::make_shared<ShortDescriptors>(ShortRegime{base, base, 0, false, false});
}

}  // namespace xstack::arm32
