// SPDX-License-Identifier: LGPL-2.1-or-later
#include "unwind/walker.h"

#include <fmt/format.h>

#include <set>
#include <tuple>
#include <utility>

namespace xstack {

namespace {

/// `depth` is the first frame's: 0 for a vCPU's own.
Walk follow(StepContext& context, Frame first, unsigned depth, unsigned max_frames) {
  Walk walk;
  walk.frames.push_back(std::move(first));
  // A chain may move between stacks in either direction, so addresses need not rise; but the same place with the same
  // frame pointer can only come again in a circle.
  std::set<std::tuple<std::uint64_t, std::optional<std::uint64_t>, std::optional<std::uint64_t>>> seen;
  const auto key = [&](const Frame& f) {
    return std::tuple(f.pc.value, f.sp ? std::optional(f.sp->value) : std::nullopt, f.regs.get(context.cpu.arch->fp));
  };
  seen.insert(key(walk.frames.front()));
  while (walk.frames.size() < max_frames) {
    auto caller =
        context.cpu.arch->step(context, walk.frames.back(), static_cast<unsigned>(walk.frames.size() - 1) + depth);
    if (!caller) {
      walk.end = std::move(caller.error());
      return walk;
    }
    if (!seen.insert(key(*caller)).second) {
      walk.end = {EndReason::no_progress, fmt::format("the frame at pc {:#x} comes again", caller->pc.value), {}};
      return walk;
    }
    walk.frames.push_back(std::move(*caller));
  }
  walk.end = {EndReason::too_many_frames, fmt::format("more than {} frames", max_frames), {}};
  return walk;
}

Walk marked(StepContext& context, Walk walk) {
  if (context.cpu.arch->mark_stacks != nullptr) {
    context.cpu.arch->mark_stacks(context, walk.frames);
  }
  return walk;
}

}  // namespace

Walk walk_stack(StepContext& context, unsigned max_frames) {
  return marked(context, follow(context, context.cpu.arch->first_frame(context.cpu), 0, max_frames));
}

Walk walk_stack_from(StepContext& context, Frame first, unsigned max_frames) {
  return marked(context, follow(context, std::move(first), 1, max_frames));
}

}  // namespace xstack
