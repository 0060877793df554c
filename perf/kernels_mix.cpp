// SPDX-License-Identifier: BSD-3-Clause
// What stands around the kernels: encoding rows, and several models in turn as a worker runs them.
#include "dataplane/features/encoders.h"
#include "perf/cpu_peak.h"
#include "perf/kernels_cases.h"
#include "tests/kernels/family_cases.h"
#include "tests/kernels/forest_cases.h"

#include <array>
#include <cstdio>

namespace weir::perf {
namespace {

constexpr std::size_t kFeatures = 32;
constexpr std::size_t kRows = 1024;  // of the pools below
constexpr int kTurns = 400;          // calls a round

// The worker's own loop over the lanes of a group.
void encode_rows(const std::vector<float>& raw, std::vector<std::uint8_t>& codes) {
    for (std::size_t r = 0; r < kRows; ++r) {
        for (std::size_t i = 0; i < kFeatures; ++i) {
            const std::size_t at = r * kFeatures + i;
            codes[at] = dataplane::log_code(raw[at], dataplane::kLogUnit);
        }
    }
    __asm__ volatile("" : : "r"(codes.data()) : "memory");
}

/// A model, its rows, and the calls it gets: ragged sizes from 1 to kMaxRows.
class Guest {
  public:
    Guest(const kernels::Network& network, std::mt19937& random)
        : classifier_(kernels::make_classifier(network).value()),
          codes_(kRows * classifier_->inputs()),
          out_(std::size_t{kernels::kMaxRows} * classifier_->outputs()) {
        std::generate(
            codes_.begin(), codes_.end(), [&] { return static_cast<std::uint8_t>(random()); });
        for (std::uint32_t& size : sizes_) {
            // As many small batches as large ones: sizes are even on a logarithmic scale.
            const std::uint32_t most = 1U << random() % 10;
            size = 1 + static_cast<std::uint32_t>(random() % most);
        }
    }

    [[nodiscard]] std::size_t scratch_bytes() const { return classifier_->scratch_bytes(); }

    void call(int turn, std::byte* scratch) noexcept {
        const std::uint32_t n = sizes_[static_cast<std::size_t>(turn) % sizes_.size()];
        const std::size_t first = static_cast<std::size_t>(turn) * 37 % (kRows - n + 1);
        classifier_->score(
            codes_.data() + first * classifier_->inputs(),
            classifier_->inputs(),
            n,
            out_.data(),
            scratch);
    }

  private:
    std::unique_ptr<kernels::Classifier> classifier_;
    std::vector<std::uint8_t> codes_;
    std::vector<std::int32_t> out_;
    std::array<std::uint32_t, 64> sizes_{};
};

std::vector<Guest> guests() {
    std::mt19937 random(20260104);
    const auto values = testing::Values::trained;
    testing::ForestShape forest;
    forest.inputs = kFeatures;
    forest.trees = 100;
    forest.depth = 6;
    testing::SequenceCase sequence;
    std::vector<Guest> made;
    made.emplace_back(testing::make_spec({32, 32, 16, 8}, values, random), random);
    made.emplace_back(testing::ForestMaker(random).make(forest), random);
    made.emplace_back(testing::make_autoencoder({32, 16, 8, 16}, values, random), random);
    made.emplace_back(testing::make_linear(32, 2, values, random), random);
    made.emplace_back(testing::make_sequence(sequence, values, random), random);
    made.emplace_back(testing::make_spec({64, 128, 64, 8}, values, random), random);
    return made;
}

}  // namespace

void bench_encoding(const TimingOptions& options, Report& report) {
    std::mt19937 random(3);
    std::vector<float> raw(kRows * kFeatures);
    for (float& value : raw) {
        value = static_cast<float>(random() % 100000);
    }
    std::vector<std::uint8_t> codes(raw.size());
    std::vector<double> row_ns;
    for (int round = 0; round < options.rounds; ++round) {
        const double start = thread_seconds();
        encode_rows(raw, codes);
        row_ns.push_back((thread_seconds() - start) * 1e9 / kRows);
    }
    std::printf("encoding %zu float features: %.2f ns a row\n", kFeatures, median(row_ns));
    report.add({"kernels.encoding.32_features.row_ns", median(row_ns), "ns", std::nullopt, false});
}

void bench_ragged_mix(const TimingOptions& options, Report& report) {
    std::vector<Guest> all = guests();
    struct alignas(64) Line {
        std::byte bytes[64];
    };
    std::size_t most = 0;
    for (const Guest& guest : all) {
        most = std::max(most, guest.scratch_bytes());
    }
    std::vector<Line> lines(most / sizeof(Line) + 1);
    auto* const scratch = reinterpret_cast<std::byte*>(lines.data());
    std::vector<double> ratios;
    for (int round = 0; round < options.rounds; ++round) {
        const double start = thread_seconds();
        for (Guest& guest : all) {
            for (int turn = 0; turn < kTurns; ++turn) {
                guest.call(turn, scratch);
            }
        }
        const double middle = thread_seconds();
        for (int turn = 0; turn < kTurns; ++turn) {
            for (Guest& guest : all) {
                guest.call(turn, scratch);
            }
        }
        ratios.push_back((thread_seconds() - middle) / (middle - start));
    }
    std::printf(
        "%zu models in turn, batches of 1 to %u rows: %.3f times as long as each alone\n",
        all.size(),
        kernels::kMaxRows,
        median(ratios));
    report.add({"kernels.ragged_mix.over_alone", median(ratios), "x", std::nullopt, false});
}

}  // namespace weir::perf
