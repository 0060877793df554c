// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/explain/score_rows.h"

#include <algorithm>
#include <cstddef>
#include <memory>

namespace weir::kernels {

std::vector<std::int32_t> raw_of_rows(
    const Classifier& classifier, std::span<const std::uint8_t> rows) {
    constexpr std::size_t kAlignment = 64;
    const std::size_t stride = classifier.inputs();
    const std::size_t outputs = classifier.outputs();
    const std::size_t count = rows.size() / stride;
    std::vector<std::int32_t> raw(count * outputs);
    std::vector<std::byte> scratch(classifier.scratch_bytes() + kAlignment);
    void* at = scratch.data();
    std::size_t space = scratch.size();
    (void)std::align(kAlignment, classifier.scratch_bytes(), at, space);
    for (std::size_t first = 0; first < count; first += kMaxRows) {
        const auto n = static_cast<std::uint32_t>(std::min<std::size_t>(kMaxRows, count - first));
        classifier.score(
            rows.data() + first * stride,
            stride,
            n,
            raw.data() + first * outputs,
            static_cast<std::byte*>(at));
    }
    return raw;
}

std::vector<std::int64_t> score_rows(
    const Classifier& classifier,
    std::span<const std::uint8_t> rows,
    std::span<const std::int32_t> weights) {
    const std::vector<std::int32_t> raw = raw_of_rows(classifier, rows);
    std::vector<std::int64_t> out(raw.size() / weights.size());
    for (std::size_t r = 0; r < out.size(); ++r) {
        for (std::size_t o = 0; o < weights.size(); ++o) {
            out[r] += std::int64_t{weights[o]} * raw[r * weights.size() + o];
        }
    }
    return out;
}

}  // namespace weir::kernels
