// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/head/head.h"

#include "kernels/head/exp2_table.h"

#include <algorithm>
#include <array>
#include <string>

namespace weir::kernels {
namespace {

constexpr std::uint32_t kMaxClasses = 64;
constexpr std::int64_t kOneConfidence = 65535;
constexpr std::int32_t kMaxScaleQ16 = 1 << 24;
constexpr std::size_t kMinPoints = 2;
constexpr std::size_t kMaxPoints = 64;

// 2^(-distance·scale) in Q31: the weight of a class whose raw output is `distance` below the best.
// Non-rising in distance: linear between table entries, and halving meets the table's ends exactly.
std::int64_t weight_q31(std::int64_t distance, std::int32_t scale_q16) noexcept {
    const std::int64_t exponent_q16 = distance * scale_q16;  // < 2^32 · 2^24
    const std::int64_t halvings = exponent_q16 >> 16;
    if (halvings > 31) {
        return 0;
    }
    const auto entry = static_cast<std::size_t>(exponent_q16 >> 8 & 0xff);
    const std::int64_t high = kExp2Q31[entry];
    const std::int64_t low = kExp2Q31[entry + 1];
    return (high - ((high - low) * (exponent_q16 & 0xff) >> 8)) >> halvings;
}

std::uint16_t share(std::int64_t weight, std::int64_t total) noexcept {
    return static_cast<std::uint16_t>((weight * kOneConfidence + total / 2) / total);
}

// Weights of all classes and their sum; returns the winner.
std::uint32_t softmax_weights(
    const HeadSpec& spec,
    const std::int32_t* raw,
    std::uint32_t outputs,
    std::int64_t* weights,
    std::int64_t& total) noexcept {
    const auto best = static_cast<std::uint32_t>(std::max_element(raw, raw + outputs) - raw);
    total = 0;  // ≤ 64 · 2^31
    for (std::uint32_t o = 0; o < outputs; ++o) {
        weights[o] = weight_q31(std::int64_t{raw[best]} - raw[o], spec.scale_q16);
        total += weights[o];
    }
    return best;
}

std::uint32_t softmax(
    const HeadSpec& spec,
    const std::int32_t* raw,
    std::uint32_t outputs,
    std::uint16_t* conf) noexcept {
    std::array<std::int64_t, kMaxClasses> weights;
    std::int64_t total = 0;
    const std::uint32_t best = softmax_weights(spec, raw, outputs, weights.data(), total);
    for (std::uint32_t o = 0; o < outputs; ++o) {
        conf[o] = share(weights[o], total);
    }
    return best;
}

std::uint32_t sigmoid(const HeadSpec& spec, std::int32_t raw, std::uint16_t* conf) noexcept {
    const std::int64_t distance = raw < 0 ? -std::int64_t{raw} : raw;
    const std::int64_t winner = std::int64_t{1} << 31;
    const std::uint16_t larger = share(winner, winner + weight_q31(distance, spec.scale_q16));
    const std::uint32_t best = raw > 0 ? 1 : 0;
    conf[best] = larger;
    conf[1 - best] = static_cast<std::uint16_t>(kOneConfidence - larger);
    return best;
}

// Fills all class confidences; returns the winner.
std::uint32_t confidences(
    const HeadSpec& spec,
    const std::int32_t* raw,
    std::uint32_t outputs,
    std::uint16_t* conf) noexcept {
    return spec.kind == HeadKind::sigmoid ? sigmoid(spec, raw[0], conf)
                                          : softmax(spec, raw, outputs, conf);
}

std::uint16_t calibrate(const std::vector<CalibrationPoint>& curve, std::uint16_t in) noexcept {
    if (curve.empty()) {
        return in;
    }
    const auto right = std::find_if(
        curve.begin() + 1, curve.end() - 1, [in](const auto& point) { return point.in >= in; });
    const CalibrationPoint& a = *(right - 1);
    const CalibrationPoint& b = *right;
    const std::int64_t rise = std::int64_t{b.out} - a.out;
    const std::int64_t run = std::int64_t{b.in} - a.in;
    const std::int64_t along = std::int64_t{in} - a.in;
    return static_cast<std::uint16_t>(a.out + (rise * along + run / 2) / run);
}

// The confidences that a verdict needs, the winner's and benign's: a division each, and no other.
std::uint32_t verdict_confidences(
    const HeadSpec& spec,
    const std::int32_t* raw,
    std::uint32_t outputs,
    int benign,
    std::uint16_t* conf) noexcept {
    if (spec.kind == HeadKind::sigmoid) {
        return sigmoid(spec, raw[0], conf);
    }
    std::array<std::int64_t, kMaxClasses> weights;
    std::int64_t total = 0;
    const std::uint32_t best = softmax_weights(spec, raw, outputs, weights.data(), total);
    conf[best] = share(weights[best], total);
    if (benign >= 0) {
        conf[benign] = share(weights[static_cast<std::size_t>(benign)], total);
    }
    return best;
}

HeadVerdict verdict(
    const HeadSpec& spec, const std::int32_t* raw, std::uint32_t outputs, int benign) noexcept {
    std::array<std::uint16_t, kMaxClasses> conf;
    const std::uint32_t classes = spec.kind == HeadKind::sigmoid ? 2 : outputs;
    const std::uint32_t best = verdict_confidences(spec, raw, outputs, benign, conf.data());
    HeadVerdict out;
    out.cls = static_cast<std::uint8_t>(best);
    out.confidence = conf[best];
    if (benign < 0) {
        out.confidence = calibrate(spec.calibration, out.confidence);
        return out;
    }
    const auto benign_class = static_cast<std::uint32_t>(benign);
    out.not_benign = calibrate(
        spec.calibration, static_cast<std::uint16_t>(kOneConfidence - conf[benign_class]));
    if (classes == 2) {
        out.confidence = best == benign_class
                             ? static_cast<std::uint16_t>(kOneConfidence - out.not_benign)
                             : out.not_benign;
    }
    return out;
}

Result<void> check_curve(const std::vector<CalibrationPoint>& curve) {
    const auto at = [](std::size_t i, const char* field) {
        return "head.calibration[" + std::to_string(i) + "]." + field;
    };
    if (curve.empty()) {
        return {};
    }
    if (curve.size() < kMinPoints || curve.size() > kMaxPoints) {
        return fail(
            "",
            "head.calibration",
            "has " + std::to_string(curve.size()) + " points",
            "use none, or 2 to 64");
    }
    if (curve.front().in != 0) {
        return fail("", at(0, "in"), "is not 0", "start the curve at 0");
    }
    if (curve.back().in != kOneConfidence) {
        return fail("", at(curve.size() - 1, "in"), "is not 65535", "end the curve at 65535");
    }
    for (std::size_t i = 1; i < curve.size(); ++i) {
        if (curve[i].in <= curve[i - 1].in) {
            return fail("", at(i, "in"), "does not rise", "sort the points by in, each once");
        }
        if (curve[i].out < curve[i - 1].out) {
            return fail("", at(i, "out"), "falls", "make the curve monotone");
        }
    }
    return {};
}

Result<void> check_classes(HeadKind kind, std::uint32_t raw_outputs, std::uint32_t classes) {
    if (classes < 2 || classes > kMaxClasses) {
        return fail(
            "", "classes", "has " + std::to_string(classes) + " entries", "use 2 to 64 classes");
    }
    switch (kind) {
        case HeadKind::softmax:
            if (raw_outputs != classes) {
                return fail(
                    "",
                    "head.kind",
                    "softmax over " + std::to_string(raw_outputs) + " raw outputs for " +
                        std::to_string(classes) + " classes",
                    "give the network one output a class");
            }
            return {};
        case HeadKind::sigmoid:
            if (raw_outputs != 1 || classes != 2) {
                return fail(
                    "",
                    "head.kind",
                    "sigmoid over " + std::to_string(raw_outputs) + " raw outputs for " +
                        std::to_string(classes) + " classes",
                    "use one raw output and two classes, or softmax");
            }
            return {};
    }
    return fail(
        "",
        "head.kind",
        "unknown kind " + std::to_string(static_cast<int>(kind)),
        "use softmax or sigmoid");
}

}  // namespace

Result<void> validate(const HeadSpec& spec, std::uint32_t raw_outputs, std::uint32_t classes) {
    if (spec.scale_q16 < 1 || spec.scale_q16 > kMaxScaleQ16) {
        return fail(
            "",
            "head.scale_q16",
            std::to_string(spec.scale_q16) + " is out of range",
            "use 1 to 2^24");
    }
    return check_classes(spec.kind, raw_outputs, classes).and_then([&] {
        return check_curve(spec.calibration);
    });
}

void apply_head(
    const HeadSpec& spec,
    const std::int32_t* raw,
    std::uint32_t outputs,
    std::uint32_t n,
    int benign,
    HeadVerdict* out) noexcept {
    for (std::uint32_t r = 0; r < n; ++r) {
        out[r] = verdict(spec, raw + std::size_t{r} * outputs, outputs, benign);
    }
}

void head_confidences(
    const HeadSpec& spec,
    const std::int32_t* raw,
    std::uint32_t outputs,
    std::uint16_t* conf) noexcept {
    confidences(spec, raw, outputs, conf);
}

}  // namespace weir::kernels
