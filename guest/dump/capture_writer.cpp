// SPDX-License-Identifier: LGPL-2.1-or-later
#include "guest/dump/capture_writer.h"

#include <elf.h>
#include <fmt/format.h>

#include <cstring>
#include <limits>
#include <vector>

#include "guest/dump/byte_buffer.h"
#include "guest/dump/capture_notes.h"
#include "guest/dump/output_file.h"

namespace xstack {
namespace {

using dump::append;
using dump::Buffer;
using dump::pad;

struct Run {
  GuestPhys first;
  std::uint64_t count;
};

std::vector<Run> runs_of(std::span<const PageCache::Kept> pages) {
  std::vector<Run> runs;
  for (const auto& page : pages) {
    if (!runs.empty() && runs.back().first + runs.back().count * kXenPageSize == page.at) {
      ++runs.back().count;
    } else {
      runs.push_back({page.at, 1});
    }
  }
  return runs;
}

Elf64_Ehdr core_header(std::size_t segments) {
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = ET_CORE;
  header.e_machine = EM_NONE;  // the notes say what the guest is
  header.e_version = EV_CURRENT;
  header.e_phoff = sizeof header;
  header.e_ehsize = sizeof header;
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = static_cast<Elf64_Half>(segments);
  return header;
}

}  // namespace

Result<void> write_capture_file(const std::string& path, const GuestIdentity& identity,
                                std::span<const VcpuContext> vcpus, std::span<const PageCache::Kept> pages,
                                const std::map<std::string, std::string>& facts) {
  const auto runs = runs_of(pages);
  if (runs.size() + 1 >= PN_XNUM) {
    return fail(Errc::too_large, fmt::format("{}: {} separate pieces of memory are too many", path, runs.size()));
  }
  for (const auto& [key, value] : facts) {
    if (key.size() + value.size() > std::numeric_limits<std::uint32_t>::max() / 2) {
      return fail(Errc::too_large, fmt::format("{}: a fact of {} bytes is too long", path, value.size()));
    }
  }
  const Buffer notes = capture_notes(identity, vcpus, facts, false, false);

  Buffer head;
  const Elf64_Ehdr header = core_header(runs.size() + 1);
  append(head, &header, sizeof header);
  const std::uint64_t notes_at = sizeof header + (runs.size() + 1) * sizeof(Elf64_Phdr);
  std::uint64_t at = (notes_at + notes.size() + kXenPageSize - 1) / kXenPageSize * kXenPageSize;
  Elf64_Phdr note{};
  note.p_type = PT_NOTE;
  note.p_offset = notes_at;
  note.p_filesz = notes.size();
  note.p_align = 4;
  append(head, &note, sizeof note);
  for (const auto& run : runs) {
    Elf64_Phdr load{};
    load.p_type = PT_LOAD;
    load.p_flags = PF_R;
    load.p_offset = at;
    load.p_paddr = run.first.value;
    load.p_filesz = run.count * kXenPageSize;
    load.p_memsz = load.p_filesz;
    load.p_align = kXenPageSize;
    append(head, &load, sizeof load);
    at += load.p_filesz;
  }
  append(head, notes.data(), notes.size());
  pad(head, kXenPageSize);

  auto out = OutputFile::create(path);
  if (!out) {
    return tl::unexpected(out.error());
  }
  if (auto ok = out->append(head); !ok) {
    return ok;
  }
  for (const auto& page : pages) {
    if (auto ok = out->append(page.bytes); !ok) {
      return ok;
    }
  }
  return out->commit();
}

Result<void> write_capture_file(const std::string& path, const GuestIdentity& identity,
                                std::span<const VcpuContext> vcpus, const PageCache& pages,
                                const std::map<std::string, std::string>& facts) {
  const auto kept = pages.pages();
  return write_capture_file(path, identity, vcpus, kept, facts);
}

}  // namespace xstack
