// SPDX-License-Identifier: BSD-3-Clause
// The definition of a sequence network's answer: plain scalar code, compiled without the vectorizer.
#include "kernels/mlp/reference.h"

#include "kernels/sequence/variants.h"

#include <algorithm>
#include <array>

namespace weir::kernels {
namespace {

// Positions × channels of codes, row by row.
using Codes = std::array<std::uint8_t, std::size_t{kSequenceMaxSteps} * kSequenceMaxChannels>;

void arrange(const SequenceSpec& spec, const std::uint8_t* row, Codes& x) noexcept {
    for (std::uint32_t t = 0; t < spec.steps; ++t) {
        x[t * kSequenceChannels] = row[t];
        x[t * kSequenceChannels + 1] = t == 0 ? kSequenceUnseen[1] : row[spec.steps + t - 1];
    }
}

// The codes that position p reads: kernel × in.
void patch(
    const Convolution& layer,
    bool first,
    const Codes& x,
    std::uint32_t given,
    std::uint32_t p,
    std::uint8_t* to) noexcept {
    for (std::uint32_t i = 0; i < layer.kernel; ++i) {
        const std::int64_t at = std::int64_t{p} * layer.stride + i - layer.padding;
        const bool outside = at < 0 || at >= given;
        for (std::uint32_t c = 0; c < layer.in; ++c) {
            const std::uint8_t unseen = first ? kSequenceUnseen[c] : 0;
            to[i * layer.in + c] =
                outside ? unseen : x[static_cast<std::size_t>(at) * layer.in + c];
        }
    }
}

// For one position a convolution is a hidden layer over its patch.
MlpLayer over_patch(const Convolution& layer) {
    return {
        layer.kernel * layer.in,
        layer.out,
        layer.weights,
        layer.bias,
        layer.shift,
        layer.multiplier};
}

class ReferenceSequence final : public Classifier {
  public:
    explicit ReferenceSequence(const SequenceSpec& spec) : spec_(spec) {
        for (const Convolution& layer : spec.convolutions) {
            over_patch_.push_back(over_patch(layer));
        }
    }

    std::uint32_t inputs() const noexcept override { return spec_.inputs(); }
    std::uint32_t outputs() const noexcept override { return spec_.outputs(); }
    std::size_t scratch_bytes() const noexcept override { return 0; }
    Isa isa() const noexcept override { return Isa::scalar; }

    void score(
        const std::uint8_t* rows,
        std::size_t stride,
        std::uint32_t n,
        std::int32_t* out,
        std::byte* /*scratch*/) const noexcept override {
        for (std::uint32_t r = 0; r < n; ++r) {
            score_row(rows + r * stride, out + std::size_t{r} * outputs());
        }
    }

  private:
    void score_row(const std::uint8_t* row, std::int32_t* out) const noexcept {
        Codes x;
        Codes y;
        arrange(spec_, row, x);
        std::uint32_t positions = spec_.steps;
        for (std::size_t i = 0; i < spec_.convolutions.size(); ++i) {
            convolve(i, x, positions, y);
            pool(spec_.convolutions[i], y, spec_.convolutions[i].pooled(positions), x);
            positions = spec_.convolutions[i].pooled(positions);
        }
        reduce(positions, x);
        std::uint8_t* taken = x.data();
        std::uint8_t* free = y.data();
        for (std::size_t i = 0; i + 1 < spec_.dense.size(); ++i) {
            reference_hidden(spec_.dense[i], taken, free);
            std::swap(taken, free);
        }
        for (std::uint32_t j = 0; j < outputs(); ++j) {
            out[j] = reference_neuron(spec_.dense.back(), j, taken);
        }
    }

    void convolve(std::size_t i, const Codes& x, std::uint32_t given, Codes& y) const noexcept {
        const Convolution& layer = spec_.convolutions[i];
        std::array<std::uint8_t, kSequenceMaxKernel * kSequenceMaxChannels> codes;
        for (std::uint32_t p = 0; p < layer.convolved(given); ++p) {
            patch(layer, i == 0, x, given, p, codes.data());
            reference_hidden(over_patch_[i], codes.data(), y.data() + std::size_t{p} * layer.out);
        }
    }

    static void pool(
        const Convolution& layer, const Codes& y, std::uint32_t positions, Codes& z) noexcept {
        for (std::uint32_t q = 0; q < positions; ++q) {
            for (std::uint32_t c = 0; c < layer.out; ++c) {
                std::uint8_t most = 0;
                for (std::uint32_t m = 0; m < layer.pool; ++m) {
                    most = std::max(most, y[(q * layer.pool + m) * layer.out + c]);
                }
                z[q * layer.out + c] = most;
            }
        }
    }

    void reduce(std::uint32_t positions, Codes& z) const noexcept {
        const std::uint32_t channels = spec_.convolutions.back().out;
        for (std::uint32_t c = 0; c < channels && spec_.pooling != SequencePooling::flatten; ++c) {
            std::uint32_t sum = positions / 2;
            std::uint8_t most = 0;
            for (std::uint32_t p = 0; p < positions; ++p) {
                sum += z[p * channels + c];
                most = std::max(most, z[p * channels + c]);
            }
            z[c] = spec_.pooling == SequencePooling::max
                       ? most
                       : static_cast<std::uint8_t>(sum / positions);
        }
    }

    SequenceSpec spec_;
    std::vector<MlpLayer> over_patch_;
};

}  // namespace

std::unique_ptr<Classifier> make_sequence_reference(const SequenceSpec& spec) {
    return std::make_unique<ReferenceSequence>(spec);
}

}  // namespace weir::kernels
