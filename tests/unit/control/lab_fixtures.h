// SPDX-License-Identifier: BSD-3-Clause
// Tables made in memory: a few sources, three classes, codes that tell them apart with noise.
#pragma once

#include "control/lab/train_table.h"

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>

#include <unistd.h>

namespace weir::lab::test {

inline FeatureTable make_table(std::uint32_t groups, std::uint32_t flows_each, std::uint64_t seed) {
    FeatureTable table;
    table.features = {"flow_packets", "length_mean", "gap_mean", "noise"};
    table.classes = {"benign", "scan", "flood"};
    std::mt19937_64 random(seed);
    const auto draw = [&](std::uint32_t n) { return static_cast<std::uint32_t>(random() % n); };
    for (std::uint32_t g = 0; g < groups; ++g) {
        table.groups.push_back("source" + std::to_string(g));
        for (std::uint32_t f = 0; f < flows_each; ++f) {
            const std::uint32_t label = draw(3);
            TableFlow flow{label, g, table.rows(), 1 + draw(3)};
            for (std::uint32_t r = 0; r < flow.rows; ++r) {
                table.packets.push_back(1U << r);
                table.flow_of.push_back(static_cast<std::uint32_t>(table.flows.size()));
                const std::uint32_t shift = draw(40);
                for (const std::uint32_t code :
                     {label * 60 + shift,
                      label == 2 ? draw(30) : 80 + draw(170),
                      200 - label * 70 + shift,
                      draw(256)}) {
                    table.codes.push_back(static_cast<std::uint8_t>(code));
                }
            }
            table.flows.push_back(flow);
        }
    }
    table.digest = std::string(64, 'a');
    return table;
}

/// A directory of this test's own, emptied before and removed after.
class TempDir {
  public:
    TempDir() {
        static std::uint32_t count = 0;
        path_ = std::filesystem::temp_directory_path() /
                ("weir_lab_" + std::to_string(::getpid()) + "_" + std::to_string(count++));
        std::filesystem::create_directories(path_);
    }
    TempDir(const TempDir&) = delete;
    TempDir& operator=(const TempDir&) = delete;
    ~TempDir() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    [[nodiscard]] std::string path(const std::string& name) const {
        return (path_ / name).string();
    }
    std::string write(const std::string& name, const std::string& text) const {
        std::filesystem::create_directories((path_ / name).parent_path());
        std::ofstream(path_ / name, std::ios::binary) << text;
        return path(name);
    }

  private:
    std::filesystem::path path_;
};

}  // namespace weir::lab::test
