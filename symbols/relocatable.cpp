// SPDX-License-Identifier: LGPL-2.1-or-later
#include "symbols/relocatable.h"

#include <gelf.h>
#include <unistd.h>

#include "guest/dump/scratch_file.h"

namespace xstack {
namespace {

constexpr std::uint64_t kMaxSize = 1U << 30;

int find_no_elf(Dwfl_Module*, void**, const char*, Dwarf_Addr, char**, Elf**) {
  return -1;
}

int find_no_debuginfo(Dwfl_Module*, void**, const char*, Dwarf_Addr, const char*, const char*, GElf_Word, char**) {
  return -1;
}

}  // namespace

std::unique_ptr<RelocatableDwarf> RelocatableDwarf::open(std::span<const std::byte> bytes) {
  // libdwfl writes the relocated values over the file's, and wants a descriptor to map for that.
  auto copy = ScratchFile::create(kMaxSize);
  if (!copy || !copy->append(bytes) || !copy->finish()) {
    return nullptr;
  }
  static const Dwfl_Callbacks kCallbacks = {find_no_elf, find_no_debuginfo, dwfl_offline_section_address, nullptr};
  std::unique_ptr<RelocatableDwarf> file(new RelocatableDwarf);
  file->dwfl_.reset(dwfl_begin(&kCallbacks));
  if (!file->dwfl_) {
    return nullptr;
  }
  UniqueFd fd(::dup(copy->fd()));
  Dwfl_Module* module = dwfl_report_offline(file->dwfl_.get(), "module", "module", fd.get());
  if (module == nullptr) {
    return nullptr;
  }
  (void)fd.release();  // libdwfl's now
  if (dwfl_report_end(file->dwfl_.get(), nullptr, nullptr) != 0) {
    return nullptr;
  }
  GElf_Addr bias = 0;
  file->elf_ = dwfl_module_getelf(module, &bias);
  if (file->elf_ == nullptr || bias != 0) {
    return nullptr;
  }
  file->dwarf_ = dwfl_module_getdwarf(module, &bias);
  if (bias != 0) {
    file->dwarf_ = nullptr;
  }
  return file;
}

std::optional<std::uint64_t> RelocatableDwarf::section_address(std::size_t section) const {
  Elf_Scn* found = section == SHN_UNDEF || section >= SHN_LORESERVE ? nullptr : elf_getscn(elf_, section);
  GElf_Shdr header;
  if (found == nullptr || gelf_getshdr(found, &header) == nullptr || (header.sh_flags & SHF_ALLOC) == 0) {
    return std::nullopt;
  }
  return header.sh_addr;
}

}  // namespace xstack
