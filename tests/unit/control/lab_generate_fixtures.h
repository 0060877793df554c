// SPDX-License-Identifier: BSD-3-Clause
// Captures generated into a directory of the test's own.
#pragma once

#include "control/lab/generate_scenarios.h"
#include "tests/unit/control/lab_fixtures.h"
#include "tests/unit/control/lab_generate_reader.h"

#include <iterator>

namespace weir::lab::synth {

using test::read_capture;
using test::Seen;
using test::TempDir;

inline GenerateOptions options_in(const TempDir& dir, std::uint64_t seconds) {
    GenerateOptions options;
    options.out = dir.path("t.pcap");
    options.labels = dir.path("t.csv");
    options.seconds = seconds;
    return options;
}

inline GenerateSummary must(const GenerateOptions& options) {
    const auto summary = generate(options);
    EXPECT_TRUE(summary) << summary.error().line();
    return summary ? *summary : GenerateSummary{};
}

inline std::string contents(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

inline std::size_t files_in(const TempDir& dir) {
    const std::filesystem::directory_iterator all(dir.path(""));
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

}  // namespace weir::lab::synth
