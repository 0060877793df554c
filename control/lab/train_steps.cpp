// SPDX-License-Identifier: BSD-3-Clause
#include "control/lab/train_steps.h"

#include <algorithm>
#include <cmath>

namespace weir::lab {

void max_pool(
    const std::vector<float>& in,
    std::uint32_t rows,
    std::uint32_t positions,
    std::uint32_t channels,
    std::uint32_t window,
    std::vector<float>& to,
    std::vector<std::uint32_t>& from) {
    const std::uint32_t kept = positions / window;
    to.resize(std::size_t{rows} * kept * channels);
    from.resize(to.size());
    std::size_t at = 0;
    for (std::uint32_t r = 0; r < rows; ++r) {
        for (std::uint32_t q = 0; q < kept; ++q) {
            const std::size_t first = (std::size_t{r} * positions + q * window) * channels;
            for (std::uint32_t c = 0; c < channels; ++c, ++at) {
                std::size_t best = first + c;
                for (std::uint32_t i = 1; i < window; ++i) {
                    const std::size_t other = first + std::size_t{i} * channels + c;
                    best = in[other] > in[best] ? other : best;
                }
                to[at] = in[best];
                from[at] = static_cast<std::uint32_t>(best);
            }
        }
    }
}

void max_pool_back(
    const std::vector<float>& given,
    const std::vector<std::uint32_t>& from,
    std::vector<float>& to) {
    std::fill(to.begin(), to.end(), 0.0F);
    for (std::size_t i = 0; i < given.size(); ++i) {
        to[from[i]] += given[i];
    }
}

void mean_code(
    const std::vector<float>& in,
    std::uint32_t positions,
    std::uint32_t channels,
    float scale,
    std::vector<float>& to) {
    to.resize(in.size() / positions);
    for (std::size_t i = 0; i < to.size(); ++i) {
        const std::size_t first = i / channels * positions * channels + i % channels;
        std::uint32_t sum = positions / 2;
        for (std::size_t p = 0; p < positions; ++p) {
            sum += static_cast<std::uint32_t>(std::nearbyint(in[first + p * channels] / scale));
        }
        to[i] = static_cast<float>(sum / positions) * scale;
    }
}

void spread_mean(
    std::uint32_t positions,
    std::uint32_t channels,
    const std::vector<float>& given,
    std::vector<float>& to) {
    to.resize(given.size() * positions);
    for (std::size_t i = 0; i < to.size(); ++i) {
        const std::size_t row = i / (std::size_t{positions} * channels);
        to[i] = given[row * channels + i % channels] / static_cast<float>(positions);
    }
}

double cross_entropy(
    std::uint32_t label,
    std::span<const float> logits,
    std::uint32_t batch,
    std::span<float> gradient) {
    const float top = *std::max_element(logits.begin(), logits.end());
    double sum = 0.0;
    for (const float z : logits) {
        sum += std::exp(static_cast<double>(z - top));
    }
    for (std::size_t c = 0; c < logits.size(); ++c) {
        const double p = std::exp(static_cast<double>(logits[c] - top)) / sum;
        gradient[c] = static_cast<float>((p - (c == label ? 1.0 : 0.0)) / batch);
    }
    return std::log(sum) - static_cast<double>(logits[label] - top);
}

double squared_errors(
    std::span<const std::uint8_t> codes,
    std::span<const float> given,
    std::span<const float> weights,
    std::uint32_t batch,
    std::span<float> gradient) {
    const auto width = static_cast<float>(given.size());
    double loss = 0.0;
    for (std::size_t k = 0; k < given.size(); ++k) {
        const float back = std::nearbyint(std::clamp(given[k], 0.0F, 255.0F));
        const float off = back - static_cast<float>(codes[k]);
        loss += static_cast<double>(off * off * weights[k] / width);
        gradient[k] = 2.0F * off * weights[k] / width / static_cast<float>(batch);
    }
    return loss;
}

}  // namespace weir::lab
