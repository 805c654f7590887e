// SPDX-License-Identifier: LGPL-2.1-or-later
// Runs a fuzz target without libFuzzer: over the files of the folders (or the files) that are named, over variations of
// them, and over a few generated inputs. The same inputs every time.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <system_error>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using Bytes = std::vector<std::uint8_t>;

std::size_t runs = 0;

void run(const Bytes& input) {
  // An exact copy on the heap: what reads past its end is seen by the address sanitizer.
  const Bytes exact(input.begin(), input.end());
  static_cast<void>(LLVMFuzzerTestOneInput(exact.data(), exact.size()));
  ++runs;
}

void run_with_variations(const Bytes& input, std::mt19937& random) {
  run(input);
  if (input.empty()) {
    return;
  }
  run(Bytes(input.begin(), input.begin() + static_cast<std::ptrdiff_t>(input.size() / 2)));
  for (unsigned i = 0; i < 16; ++i) {
    Bytes changed = input;
    for (unsigned n = 0; n <= i; ++n) {
      changed[random() % changed.size()] = static_cast<std::uint8_t>(random());
    }
    run(changed);
  }
}

void run_generated(std::mt19937& random) {
  for (const std::size_t size : {0U, 1U, 7U, 64U, 512U, 4096U, 9000U}) {
    run(Bytes(size, 0x00));
    run(Bytes(size, 0xff));
    for (unsigned i = 0; i < 8; ++i) {
      Bytes bytes(size);
      std::ranges::generate(bytes, [&] { return static_cast<std::uint8_t>(random()); });
      run(bytes);
    }
  }
}

bool run_file(const std::filesystem::path& path, std::mt19937& random) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    std::fprintf(stderr, "cannot read %s\n", path.c_str());
    return false;
  }
  run_with_variations(Bytes(std::istreambuf_iterator<char>(file), {}), random);
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  std::mt19937 random(1);
  run_generated(random);
  for (int i = 1; i < argc; ++i) {
    std::error_code ignored;
    std::vector<std::filesystem::path> files;
    if (std::filesystem::is_directory(argv[i], ignored)) {
      for (const auto& entry : std::filesystem::directory_iterator(argv[i], ignored)) {
        files.push_back(entry.path());
      }
    } else if (std::filesystem::exists(argv[i], ignored)) {
      files.emplace_back(argv[i]);
    }  // a target without a corpus yet has the generated inputs
    std::ranges::sort(files);
    for (const auto& file : files) {
      if (!run_file(file, random)) {
        return 1;
      }
    }
  }
  std::printf("%zu inputs\n", runs);
  return 0;
}
