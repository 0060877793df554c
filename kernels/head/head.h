// SPDX-License-Identifier: BSD-3-Clause
// From raw outputs to calibrated u16 confidences, in integers: the same answer on every machine.
#pragma once

#include "config/error.h"

#include <cstdint>
#include <vector>

namespace weir::kernels {

enum class HeadKind : std::uint8_t {
    softmax,  ///< outputs = classes
    sigmoid   ///< one raw output; class 1 has confidence σ(raw), class 0 the rest
};

/// One point of a monotone piecewise-linear calibration curve, both axes u16 confidences.
struct CalibrationPoint {
    std::uint16_t in = 0;
    std::uint16_t out = 0;
};

/// `scale_q16`: log2(e)·(float logit of one raw unit) in Q16, 1…2^24; so 2^(raw·scale) is e^logit.
/// `calibration`: empty, or 2…64 points with strictly rising `in` (first 0, last 65535) and non-falling `out`.
/// It maps 1 − P(benign) where there is a benign class, else the winning class's confidence.
struct HeadSpec {
    HeadKind kind = HeadKind::softmax;
    std::int32_t scale_q16 = 1 << 16;
    std::vector<CalibrationPoint> calibration;
};

/// The verdict of one row.
struct HeadVerdict {
    std::uint8_t cls =
        0;  ///< class with the largest raw output, so the largest confidence; ties: the lowest index
    /// Of that class, 0…65535 standing for 0…1. Without a benign class: calibrated. With one and two classes in all:
    /// not_benign or 65535 − not_benign. With one among several: uncalibrated.
    std::uint16_t confidence = 0;
    std::uint16_t not_benign =
        0;  ///< 65535 − P(class `benign`), calibrated; 0 where there is no benign class
};

[[nodiscard]] Result<void> validate(
    const HeadSpec& spec, std::uint32_t raw_outputs, std::uint32_t classes);

/// Applies the head, which validate() passed, to `n` rows of `outputs` raw s32 values, row-major.
/// `benign` = index of the benign class or −1. Integer arithmetic only; no allocation. Thread: any.
void apply_head(
    const HeadSpec& spec,
    const std::int32_t* raw,
    std::uint32_t outputs,
    std::uint32_t n,
    int benign,
    HeadVerdict* out) noexcept;

/// All class confidences of one row (softmax: `outputs` values, sigmoid: 2), u16, uncalibrated; for evaluation and
/// explanation. Each is its share of 65535 rounded to nearest, so they sum to 65535 ± outputs/2 (sigmoid: exactly).
void head_confidences(
    const HeadSpec& spec,
    const std::int32_t* raw,
    std::uint32_t outputs,
    std::uint16_t* conf) noexcept;

}  // namespace weir::kernels
