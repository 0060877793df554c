// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/explain/attribution.h"

#include "kernels/explain/score_rows.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <numeric>
#include <variant>

namespace weir::kernels {

std::string_view method_name(AttributionMethod method) noexcept {
    static constexpr std::
        array<std::string_view, static_cast<std::size_t>(AttributionMethod::count_)>
            kNames{"paths", "reconstruction error", "occlusion"};
    return kNames.at(static_cast<std::size_t>(method));
}

bool Attribution::adds_up() const noexcept {
    return std::accumulate(by_input.begin(), by_input.end(), bias) == score;
}

Attribution attribute_errors(
    const AutoencoderSpec& spec,
    std::span<const std::uint8_t> row,
    std::span<const std::int32_t> weights) {
    assert(row.size() == spec.inputs() && weights.size() == 1);
    std::vector<std::uint32_t> errors(row.size());
    reconstruction_errors(spec, row.data(), row.size(), 1, errors.data());
    Attribution out;
    out.method = AttributionMethod::errors;
    out.shift = spec.shift;
    out.bias = -std::int64_t{weights[0]} * (std::int64_t{spec.offset} << spec.shift);
    out.score = out.bias;
    for (const std::uint32_t error : errors) {
        out.by_input.push_back(std::int64_t{weights[0]} * error);
        out.score += out.by_input.back();
    }
    return out;
}

Attribution attribute_occlusion(
    const Classifier& classifier,
    std::span<const std::uint8_t> row,
    std::span<const std::uint8_t> reference,
    std::span<const std::int32_t> weights) {
    const std::size_t inputs = classifier.inputs();
    assert(row.size() == inputs && reference.size() == inputs);
    assert(weights.size() == classifier.outputs());
    // The row; the reference; for each input the row with the reference's, and the reference with the row's.
    std::vector<std::uint8_t> rows;
    rows.reserve((2 * inputs + 2) * inputs);
    rows.insert(rows.end(), row.begin(), row.end());
    rows.insert(rows.end(), reference.begin(), reference.end());
    for (std::size_t i = 0; i < inputs; ++i) {
        rows.insert(rows.end(), row.begin(), row.end());
        rows[rows.size() - inputs + i] = reference[i];
        rows.insert(rows.end(), reference.begin(), reference.end());
        rows[rows.size() - inputs + i] = row[i];
    }
    const std::vector<std::int64_t> got = score_rows(classifier, rows, weights);
    Attribution out;
    out.shift = 1;
    out.score = 2 * got[0];
    out.bias = 2 * got[1];
    for (std::size_t i = 0; i < inputs; ++i) {
        out.by_input.push_back((got[0] - got[2 + 2 * i]) + (got[3 + 2 * i] - got[1]));
    }
    return out;
}

std::vector<std::uint8_t> reference_row(std::uint32_t inputs, std::span<const CodeCounts> counts) {
    std::vector<std::uint8_t> out(inputs, 0);
    for (std::size_t i = 0; i < inputs && i < counts.size(); ++i) {
        const double total = std::accumulate(counts[i].begin(), counts[i].end(), 0.0);
        double below = 0.0;
        for (std::size_t code = 0; code < counts[i].size() && total > 0.0; ++code) {
            below += static_cast<double>(counts[i][code]);
            if (2.0 * below >= total) {
                out[i] = static_cast<std::uint8_t>(code);
                break;
            }
        }
    }
    return out;
}

Attribution attribute(
    const Network& network,
    const Classifier& classifier,
    std::span<const std::uint8_t> row,
    std::span<const CodeCounts> counts,
    std::span<const std::int32_t> weights) {
    if (const auto* forest = std::get_if<ForestSpec>(&network)) {
        return attribute_paths(*forest, row, counts, weights);
    }
    if (const auto* autoencoder = std::get_if<AutoencoderSpec>(&network)) {
        return attribute_errors(*autoencoder, row, weights);
    }
    return attribute_occlusion(
        classifier, row, reference_row(classifier.inputs(), counts), weights);
}

std::vector<std::int32_t> raw_outputs(
    const Classifier& classifier, std::span<const std::uint8_t> row) {
    return raw_of_rows(classifier, row);
}

}  // namespace weir::kernels
