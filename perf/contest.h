// SPDX-License-Identifier: BSD-3-Clause
// One variant of one model at one batch size, against what a user would otherwise link: timed in turn, a round each, so
// that a change of clock or a neighbour hits all sides. A ratio is the median of the rounds' ratios.
#pragma once

#include "kernels/classifier.h"
#include "perf/report.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace weir::perf {

inline constexpr std::uint32_t kBatches[] = {1, 32, 64, 256, 512};
inline constexpr std::uint32_t kPredictedBatch = 64;  ///< what predicted_cycles_per_row() is about
inline constexpr double kPredictionGoal = 0.25;

struct TimingOptions {
    int rounds = 41;        ///< a figure
    double round_us = 500;  ///< microseconds a round and side
    bool roam = false;      ///< follow the freest core between rounds; else stay pinned
};

/// Rows of codes, and a classifier that goes through them batch by batch.
class Scorer {
  public:
    /// `rows`: row-major, `count` × classifier.inputs(), to outlive this. Batches of up to `count`.
    Scorer(
        const kernels::Classifier& classifier,
        const std::uint8_t* rows,
        std::size_t count,
        std::uint32_t batch);

    /// Scores the next batch.
    void run() noexcept;
    /// The last batch's raw outputs.
    [[nodiscard]] const std::vector<std::int32_t>& out() const noexcept { return out_; }
    /// Scores all whole batches in order and compares with `want`, count × outputs().
    [[nodiscard]] bool equals(const std::vector<std::int32_t>& want);

  private:
    struct alignas(64) Line {
        std::byte bytes[64];
    };
    const kernels::Classifier& classifier_;
    const std::uint8_t* rows_;
    std::size_t count_;
    std::uint32_t batch_;
    std::size_t at_ = 0;
    std::vector<std::int32_t> out_;
    std::vector<Line> scratch_;
};

/// What the scalar reference says of `count` rows: count × outputs.
[[nodiscard]] std::vector<std::int32_t> reference_answers(
    const kernels::Network& network, const std::uint8_t* rows, std::size_t count);

/// Another library at the same batch. `run` scores one batch.
struct Peer {
    std::string name;  ///< "onednn_int8"
    std::function<void()> run;
    std::optional<double> goal;  ///< its time over ours
};

struct Contest {
    std::string model;  ///< "mlp_32_32_16_8"
    kernels::Isa isa = kernels::Isa::scalar;
    bool best = false;  ///< the variant this machine would choose
    std::uint32_t batch = 0;
    double peak_row_dots = 0;         ///< 512-bit operations that a row takes at least
    std::optional<double> peak_goal;  ///< share of the peak
    std::optional<double> predicted_cycles;
    std::function<void()> ours;  ///< scores one batch
    std::vector<Peer> peers;
    std::shared_ptr<void> keep;  ///< whatever the functions use
};

struct PeerFigures {
    std::string name;
    double row_ns = 0;
    double ratio = 0;
};

/// Medians over rounds.
struct Figures {
    double row_ns = 0;
    double row_ns_mad = 0;
    double cycles = 0;
    double undisturbed_cycles = 0;  ///< what predictions are about
    double share_of_peak =
        0;  ///< of two 512-bit operations a cycle, measured beside each round; undisturbed
    std::vector<PeerFigures> peers;
};

/// Times the sides in turn. `row_ns`, called a round, is given our time (Google Benchmark's manual time).
[[nodiscard]] Figures fight(
    const Contest& contest,
    const TimingOptions& options,
    const std::function<bool()>& next_round,
    const std::function<void(double)>& row_seconds);

/// A figure while nobody else has the core: the median of the quarter of rounds beside which most of the core was
/// ours. A neighbour on the same core takes of its pipes, and a chain of additions does not notice.
class Undisturbed {
  public:
    void add(double value, double core_share) { rounds_.emplace_back(core_share, value); }
    [[nodiscard]] double value() const;

  private:
    std::vector<std::pair<double, double>> rounds_;  // core's share, figure
};

/// Times one classifier at kPredictedBatch on random codes, round after round.
class CycleMeter {
  public:
    CycleMeter(std::unique_ptr<kernels::Classifier> classifier, const TimingOptions& options);
    /// One more round.
    void measure();
    /// Cycles a row.
    [[nodiscard]] double undisturbed() const { return rounds_.value(); }

  private:
    std::unique_ptr<kernels::Classifier> classifier_;
    std::vector<std::uint8_t> codes_;
    std::unique_ptr<Scorer> scorer_;
    int calls_ = 1;
    Undisturbed rounds_;
};

/// Rows of a contest: time, share of peak and ratios of the best variant with their goals, time alone of others.
void add_rows(const Contest& contest, const Figures& figures, Report& report);

}  // namespace weir::perf
