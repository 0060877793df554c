// SPDX-License-Identifier: BSD-3-Clause
// Stands in for libFuzzer in normal builds: runs a target over every file of a folder, and over mutations of each
// (every prefix of a step, single flipped bytes), so that the seeds are worth something without clang.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

constexpr std::size_t kVariations = 64;  // of each kind, a seed

void run(const std::string& bytes) {
    // An exact heap copy, so that a sanitizer sees a read past the end.
    const std::vector<std::uint8_t> copy(bytes.begin(), bytes.end());
    (void)LLVMFuzzerTestOneInput(copy.data(), copy.size());
}

void run_seed(const std::string& bytes) {
    run(bytes);
    const std::size_t step = std::max<std::size_t>(1, bytes.size() / kVariations);
    for (std::size_t at = 0; at < bytes.size(); at += step) {
        run(bytes.substr(0, at));
        std::string flipped = bytes;
        flipped[at] = static_cast<char>(static_cast<unsigned char>(flipped[at]) ^ (1u << (at % 8)));
        run(flipped);
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        (void)std::fprintf(stderr, "usage: %s FOLDER_OF_SEEDS\n", argv[0]);
        return 2;
    }
    std::vector<std::filesystem::path> paths;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[1])) {
        if (entry.is_regular_file()) {
            paths.push_back(entry.path());
        }
    }
    std::sort(paths.begin(), paths.end());
    for (const auto& path : paths) {
        std::ifstream file(path, std::ios::binary);
        const std::string bytes{std::istreambuf_iterator<char>(file), {}};
        if (!file) {
            (void)std::fprintf(stderr, "%s: cannot be read\n", path.c_str());
            return 1;
        }
        run_seed(bytes);
    }
    std::printf("%zu seeds\n", paths.size());
    return paths.empty() ? 1 : 0;
}
