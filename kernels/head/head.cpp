// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/head/head.h"

#include "kernels/head/variants.h"
#include "kernels/head/weights.h"

#include <algorithm>
#include <array>
#include <string>

namespace weir::kernels {
namespace {

constexpr std::int64_t kOneConfidence = 65535;
constexpr std::int32_t kMaxScaleQ16 = 1 << 24;
constexpr std::size_t kMinPoints = 2;
constexpr std::size_t kMaxPoints = 64;

std::uint16_t share(std::uint32_t weight, std::uint32_t total) noexcept {
    return static_cast<std::uint16_t>((std::uint64_t{weight} * kOneConfidence + total / 2) / total);
}

/// A head's scale, ready for weights.
class Scale {
  public:
    explicit Scale(const HeadSpec& spec) noexcept
        : scale_(static_cast<std::uint32_t>(spec.scale_q16)),
          zero_(head_weights::zero_distance(spec.scale_q16)) {}

    [[nodiscard]] std::uint32_t weight(std::uint32_t distance) const noexcept {
        return head_weights::weight(distance, scale_, zero_);
    }

  private:
    std::uint32_t scale_;
    std::uint32_t zero_;
};

std::uint32_t distance(std::int32_t best, std::int32_t raw) noexcept {
    return static_cast<std::uint32_t>(best) - static_cast<std::uint32_t>(raw);
}

// Weights of all classes and their sum; returns the winner.
std::uint32_t softmax_weights(
    const Scale& scale,
    const std::int32_t* raw,
    std::uint32_t outputs,
    std::uint32_t* weights,
    std::uint32_t& total) noexcept {
    const auto best = static_cast<std::uint32_t>(std::max_element(raw, raw + outputs) - raw);
    total = 0;  // ≤ 64 · 2^25
    for (std::uint32_t o = 0; o < outputs; ++o) {
        weights[o] = scale.weight(distance(raw[best], raw[o]));
        total += weights[o];
    }
    return best;
}

std::uint32_t sigmoid(const Scale& scale, std::int32_t raw, std::uint16_t* conf) noexcept {
    const std::uint32_t loser = scale.weight(raw < 0 ? distance(0, raw) : distance(raw, 0));
    const std::uint16_t larger = share(head_weights::kWhole, head_weights::kWhole + loser);
    const std::uint32_t best = raw > 0 ? 1 : 0;
    conf[best] = larger;
    conf[1 - best] = static_cast<std::uint16_t>(kOneConfidence - larger);
    return best;
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
    const Scale& scale,
    const std::int32_t* raw,
    std::uint32_t outputs,
    int benign,
    std::uint16_t* conf) noexcept {
    if (spec.kind == HeadKind::sigmoid) {
        return sigmoid(scale, raw[0], conf);
    }
    std::array<std::uint32_t, head_weights::kMaxClasses> weights;
    std::uint32_t total = 0;
    const std::uint32_t best = softmax_weights(scale, raw, outputs, weights.data(), total);
    conf[best] = share(weights[best], total);
    if (benign >= 0) {
        conf[benign] = share(weights[static_cast<std::size_t>(benign)], total);
    }
    return best;
}

HeadVerdict verdict(
    const HeadSpec& spec,
    const Scale& scale,
    const std::int32_t* raw,
    std::uint32_t outputs,
    int benign) noexcept {
    std::array<std::uint16_t, head_weights::kMaxClasses> conf;
    const std::uint32_t classes = spec.kind == HeadKind::sigmoid ? 2 : outputs;
    const std::uint32_t best = verdict_confidences(spec, scale, raw, outputs, benign, conf.data());
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

void apply_head_scalar(
    const HeadSpec& spec,
    const std::int32_t* raw,
    std::uint32_t outputs,
    std::uint32_t n,
    int benign,
    HeadVerdict* out) noexcept {
    const Scale scale(spec);
    for (std::uint32_t r = 0; r < n; ++r) {
        out[r] = verdict(spec, scale, raw + std::size_t{r} * outputs, outputs, benign);
    }
}

struct HeadVariant {
    Isa isa;
    ApplyHead apply;
};

constexpr std::array kVariants {
    HeadVariant{Isa::scalar, apply_head_scalar},
#if defined(__x86_64__)
        HeadVariant{Isa::avx512, apply_head_avx512},
#endif
};

constexpr auto kIsas = [] {
    std::array<Isa, kVariants.size()> isas{};
    std::transform(kVariants.begin(), kVariants.end(), isas.begin(), [](const HeadVariant& v) {
        return v.isa;
    });
    return isas;
}();

ApplyHead best_variant() noexcept {
    const auto best = std::find_if(kVariants.rbegin(), kVariants.rend(), [](const HeadVariant& v) {
        return isa_supported(v.isa);
    });
    return best->apply;  // scalar runs everywhere
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
    if (classes < 2 || classes > head_weights::kMaxClasses) {
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

std::span<const Isa> head_isas() noexcept {
    return kIsas;
}

ApplyHead head_variant(Isa isa) noexcept {
    const auto* found = std::find_if(
        kVariants.begin(), kVariants.end(), [isa](const auto& v) { return v.isa == isa; });
    return found == kVariants.end() ? nullptr : found->apply;
}

void apply_head(
    const HeadSpec& spec,
    const std::int32_t* raw,
    std::uint32_t outputs,
    std::uint32_t n,
    int benign,
    HeadVerdict* out) noexcept {
    static const ApplyHead kBest = best_variant();
    kBest(spec, raw, outputs, n, benign, out);
}

void head_confidences(
    const HeadSpec& spec,
    const std::int32_t* raw,
    std::uint32_t outputs,
    std::uint16_t* conf) noexcept {
    const Scale scale(spec);
    if (spec.kind == HeadKind::sigmoid) {
        sigmoid(scale, raw[0], conf);
        return;
    }
    std::array<std::uint32_t, head_weights::kMaxClasses> weights;
    std::uint32_t total = 0;
    softmax_weights(scale, raw, outputs, weights.data(), total);
    for (std::uint32_t o = 0; o < outputs; ++o) {
        conf[o] = share(weights[o], total);
    }
}

}  // namespace weir::kernels
