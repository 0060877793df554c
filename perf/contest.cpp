// SPDX-License-Identifier: BSD-3-Clause
#include "perf/contest.h"

#include "perf/cpu_peak.h"

#include <algorithm>
#include <cmath>
#include <random>

namespace weir::perf {
namespace {

constexpr double kNano = 1e9;
constexpr double kMicro = 1e6;
constexpr std::size_t kMeterRows = 4096;  // more than a branch predictor learns by heart

// Seconds a call.
double time_calls(const std::function<void()>& call, int calls) {
    const double start = thread_seconds();
    for (int i = 0; i < calls; ++i) {
        call();
    }
    return (thread_seconds() - start) / calls;
}

int calls_for(const std::function<void()>& call, double round_us) {
    time_calls(call, 3);
    const double once = std::max(time_calls(call, 10), 1e-9);
    return std::max(1, static_cast<int>(round_us / kMicro / once));
}

double deviation(const std::vector<double>& values) {
    const double middle = median(values);
    std::vector<double> off;
    for (const double value : values) {
        off.push_back(std::abs(value - middle));
    }
    return median(off);
}

}  // namespace

Scorer::Scorer(
    const kernels::Classifier& classifier,
    const std::uint8_t* rows,
    std::size_t count,
    std::uint32_t batch)
    : classifier_(classifier),
      rows_(rows),
      count_(count),
      batch_(batch),
      out_(std::size_t{batch} * classifier.outputs()),
      scratch_(classifier.scratch_bytes() / sizeof(Line) + 1) {}

void Scorer::run() noexcept {
    const std::size_t width = classifier_.inputs();
    classifier_.score(
        rows_ + at_ * width,
        width,
        batch_,
        out_.data(),
        reinterpret_cast<std::byte*>(scratch_.data()));
    at_ = at_ + 2 * std::size_t{batch_} <= count_ ? at_ + batch_ : 0;
}

bool Scorer::equals(const std::vector<std::int32_t>& want) {
    at_ = 0;
    for (std::size_t r = 0; r + batch_ <= count_; r += batch_) {
        run();
        const auto* const part = want.data() + r * classifier_.outputs();
        if (!std::equal(out_.begin(), out_.end(), part)) {
            return false;
        }
    }
    at_ = 0;
    return true;
}

std::vector<std::int32_t> reference_answers(
    const kernels::Network& network, const std::uint8_t* rows, std::size_t count) {
    const auto reference = kernels::make_classifier(network, kernels::Isa::scalar);
    std::vector<std::int32_t> raw;
    for (std::size_t r = 0; r < count; r += kernels::kMaxRows) {
        const auto batch =
            static_cast<std::uint32_t>(std::min<std::size_t>(count - r, kernels::kMaxRows));
        Scorer scorer(**reference, rows + r * (*reference)->inputs(), batch, batch);
        scorer.run();
        raw.insert(raw.end(), scorer.out().begin(), scorer.out().end());
    }
    return raw;
}

Figures fight(
    const Contest& contest,
    const TimingOptions& options,
    const std::function<bool()>& next_round,
    const std::function<void(double)>& row_seconds) {
    const int our_calls = calls_for(contest.ours, options.round_us);
    std::vector<int> peer_calls;
    for (const Peer& peer : contest.peers) {
        peer_calls.push_back(calls_for(peer.run, options.round_us));
    }
    std::vector<double> ns;
    std::vector<double> cycles;
    Undisturbed undisturbed;
    Undisturbed shares;
    std::vector<std::vector<double>> peer_ns(contest.peers.size());
    std::vector<std::vector<double>> ratios(contest.peers.size());
    while (next_round()) {
        const double row = time_calls(contest.ours, our_calls) / contest.batch;
        const CoreProbe core = probe_core();
        row_seconds(row);
        ns.push_back(row * kNano);
        cycles.push_back(row / core.cycle);
        shares.add(contest.peak_row_dots / core.dots / row, core.share);
        undisturbed.add(row / core.cycle, core.share);
        for (std::size_t i = 0; i < contest.peers.size(); ++i) {
            const double theirs = time_calls(contest.peers[i].run, peer_calls[i]) / contest.batch;
            peer_ns[i].push_back(theirs * kNano);
            ratios[i].push_back(theirs / row);
        }
    }
    Figures figures{
        median(ns), deviation(ns), median(cycles), undisturbed.value(), shares.value(), {}};
    for (std::size_t i = 0; i < contest.peers.size(); ++i) {
        figures.peers.push_back({contest.peers[i].name, median(peer_ns[i]), median(ratios[i])});
    }
    return figures;
}

double Undisturbed::value() const {
    std::vector<std::pair<double, double>> rounds = rounds_;
    std::sort(rounds.rbegin(), rounds.rend());
    rounds.resize((rounds.size() + 3) / 4);
    std::vector<double> values;
    for (const auto& [share, value] : rounds) {
        values.push_back(value);
    }
    return median(values);
}

CycleMeter::CycleMeter(
    std::unique_ptr<kernels::Classifier> classifier, const TimingOptions& options)
    : classifier_(std::move(classifier)), codes_(kMeterRows * classifier_->inputs()) {
    std::mt19937 random(7);
    std::generate(
        codes_.begin(), codes_.end(), [&] { return static_cast<std::uint8_t>(random() % 256); });
    scorer_ =
        std::make_unique<Scorer>(*classifier_, codes_.data(), kPredictedBatch, kPredictedBatch);
    calls_ = calls_for([this] { scorer_->run(); }, options.round_us);
}

void CycleMeter::measure() {
    scorer_->run();  // others had the caches meanwhile
    const double before = probe_core().share;
    const double row = time_calls([this] { scorer_->run(); }, calls_) / kPredictedBatch;
    const CoreProbe core = probe_core();
    rounds_.add(row / core.cycle, std::min(before, core.share));
}

void add_rows(const Contest& contest, const Figures& figures, Report& report) {
    const std::string isa(kernels::isa_name(contest.isa));
    const std::string name =
        "kernels." + contest.model + ".b" + std::to_string(contest.batch) + ".";
    const auto plain = [&](const std::string& what, double value, const char* unit) {
        report.add({name + what, value, unit, std::nullopt, false});
    };
    const std::string prefix = contest.best ? "" : isa + "_";
    plain(prefix + "row_ns", figures.row_ns, "ns");
    plain(prefix + "row_cycles", figures.cycles, "cycles");
    if (contest.predicted_cycles) {
        const double error = std::abs(*contest.predicted_cycles / figures.undisturbed_cycles - 1);
        report.add({name + isa + "_predicted_error", error, "x", kPredictionGoal, false});
    }
    if (!contest.best) {
        return;
    }
    plain("row_ns_mad", figures.row_ns_mad, "ns");
    if (figures.share_of_peak > 0) {
        report.add({name + "share_of_peak", figures.share_of_peak, "x", contest.peak_goal, true});
    }
    for (std::size_t i = 0; i < figures.peers.size(); ++i) {
        const PeerFigures& peer = figures.peers[i];
        plain(peer.name + "_row_ns", peer.row_ns, "ns");
        report.add({name + "vs_" + peer.name, peer.ratio, "x", contest.peers[i].goal, true});
    }
}

}  // namespace weir::perf
