// SPDX-License-Identifier: BSD-3-Clause
#include "control/lab/train_calibrate.h"

#include <algorithm>
#include <cmath>

namespace weir::lab {
namespace {

double log_loss(
    std::span<const float> logits,
    std::uint32_t classes,
    std::span<const std::uint32_t> labels,
    std::span<const float> weights,
    double temperature) {
    double loss = 0.0;
    double total = 0.0;
    for (std::size_t r = 0; r < labels.size(); ++r) {
        const auto row = logits.subspan(r * classes, classes);
        const double top = static_cast<double>(*std::max_element(row.begin(), row.end()));
        double sum = 0.0;
        for (const float z : row) {
            sum += std::exp((static_cast<double>(z) - top) / temperature);
        }
        const double own = (static_cast<double>(row[labels[r]]) - top) / temperature;
        loss += static_cast<double>(weights[r]) * (std::log(sum) - own);
        total += static_cast<double>(weights[r]);
    }
    return total > 0.0 ? loss / total : 0.0;
}

struct Block {
    double weight = 0.0;
    double score = 0.0;  ///< weighted sum
    double truth = 0.0;  ///< weighted sum
    [[nodiscard]] double mean() const { return truth / weight; }
};

/// Bins of about equal weight; equal scores stay together.
std::vector<Block> bin(const std::vector<Observation>& sorted, double total, std::uint32_t bins) {
    std::vector<Block> blocks;
    Block open;
    for (std::size_t i = 0; i < sorted.size(); ++i) {
        const auto& o = sorted[i];
        open.weight += o.weight;
        open.score += o.weight * o.score;
        open.truth += o.truth ? o.weight : 0.0;
        const bool tie = i + 1 < sorted.size() && sorted[i + 1].score == o.score;
        if ((open.weight >= total / bins && !tie) || i + 1 == sorted.size()) {
            blocks.push_back(open);
            open = {};
        }
    }
    return blocks;
}

/// Pool adjacent violators.
std::vector<Block> pool(const std::vector<Block>& bins) {
    std::vector<Block> out;
    for (const Block& block : bins) {
        out.push_back(block);
        while (out.size() > 1 && out[out.size() - 2].mean() >= out.back().mean()) {
            const Block last = out.back();
            out.pop_back();
            out.back().weight += last.weight;
            out.back().score += last.score;
            out.back().truth += last.truth;
        }
    }
    return out;
}

std::uint16_t to_u16(double x) {
    return static_cast<std::uint16_t>(std::lround(std::clamp(x, 0.0, 1.0) * 65535.0));
}

}  // namespace

double fit_temperature(
    std::span<const float> logits,
    std::uint32_t classes,
    std::span<const std::uint32_t> labels,
    std::span<const float> weights) {
    // The loss is convex in 1/T; golden-section search on log T needs no derivative.
    const double ratio = (std::sqrt(5.0) - 1.0) / 2.0;
    double low = std::log(0.2);
    double high = std::log(5.0);
    const auto at = [&](double x) {
        return log_loss(logits, classes, labels, weights, std::exp(x));
    };
    double a = high - ratio * (high - low);
    double b = low + ratio * (high - low);
    double fa = at(a);
    double fb = at(b);
    for (int i = 0; i < 24; ++i) {
        if (fa < fb) {
            high = b;
            b = a;
            fb = fa;
            a = high - ratio * (high - low);
            fa = at(a);
        } else {
            low = a;
            a = b;
            fa = fb;
            b = low + ratio * (high - low);
            fb = at(b);
        }
    }
    return std::exp((low + high) / 2.0);
}

std::vector<kernels::CalibrationPoint> fit_isotonic(
    std::vector<Observation> observations, std::uint32_t bins) {
    std::erase_if(observations, [](const Observation& o) { return !(o.weight > 0.0); });
    std::sort(
        observations.begin(), observations.end(), [](const Observation& a, const Observation& b) {
            return a.score < b.score;
        });
    double total = 0.0;
    for (const auto& o : observations) {
        total += o.weight;
    }
    const auto blocks = pool(bin(observations, total, std::clamp(bins, 2U, 60U)));
    if (blocks.size() < 2) {
        return {{0, 0}, {65535, 65535}};
    }
    std::vector<kernels::CalibrationPoint> curve{{0, 0}};
    for (const auto& block : blocks) {
        const std::uint16_t in = to_u16(block.score / block.weight);
        // A whole number of steps above the last point keeps the order of scores.
        const auto floor = static_cast<std::uint16_t>(curve.back().out + 1);
        const std::uint16_t out = std::clamp<std::uint16_t>(to_u16(block.mean()), floor, 65533);
        if (in > curve.back().in && in < 65535 && curve.back().out < 65533) {
            curve.push_back({in, out});
        }
    }
    // Beyond the best bin there is nothing to learn from: half its remaining doubt.
    const double last = curve.back().out / 65535.0;
    curve.push_back({65535, std::max<std::uint16_t>(to_u16((1.0 + last) / 2.0), curve.back().out)});
    return curve;
}

double apply_curve(std::span<const kernels::CalibrationPoint> curve, double in) {
    if (curve.empty()) {
        return in;
    }
    const double x = std::clamp(in, 0.0, 1.0) * 65535.0;
    for (std::size_t i = 1; i < curve.size(); ++i) {
        if (x <= curve[i].in) {
            const double part = (x - curve[i - 1].in) / (curve[i].in - curve[i - 1].in);
            return (curve[i - 1].out + part * (curve[i].out - curve[i - 1].out)) / 65535.0;
        }
    }
    return curve.back().out / 65535.0;
}

}  // namespace weir::lab
