// SPDX-License-Identifier: BSD-3-Clause
// Where tests find labelled captures, if there are any on this machine.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

namespace weir::test {

/// $WEIR_CORPUS, else ../shared/data beside the source tree; empty if it does not exist.
[[nodiscard]] inline std::filesystem::path corpus_dir() {
    const char* set = std::getenv("WEIR_CORPUS");
    const std::filesystem::path dir =
        set != nullptr ? std::filesystem::path(set)
                       : std::filesystem::path(WEIR_SOURCE_ROOT) / "../shared/data";
    std::error_code error;
    return std::filesystem::is_directory(dir, error) ? dir : std::filesystem::path();
}

/// All captures below the corpus, in order of path.
[[nodiscard]] inline std::vector<std::string> corpus_captures() {
    std::vector<std::string> captures;
    if (const auto dir = corpus_dir(); !dir.empty()) {
        for (const auto& entry : std::filesystem::recursive_directory_iterator(dir)) {
            if (entry.is_regular_file() && entry.path().extension() == ".pcap") {
                captures.push_back(entry.path().string());
            }
        }
    }
    std::sort(captures.begin(), captures.end());
    return captures;
}

}  // namespace weir::test
