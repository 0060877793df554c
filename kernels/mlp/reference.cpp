// SPDX-License-Identifier: BSD-3-Clause
// The definition of an MLP's answer: plain scalar code, compiled without the vectorizer.
#include "kernels/mlp/reference.h"

#include "kernels/mlp/variants.h"

#include <algorithm>
#include <array>

namespace weir::kernels {
namespace {

using Activations = std::array<std::uint8_t, kMlpMaxWidth>;

class ReferenceMlp final : public Classifier {
  public:
    explicit ReferenceMlp(const MlpSpec& spec) : spec_(spec) {}

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
        Activations a;
        Activations b;
        const std::uint8_t* x = row;
        Activations* y = &a;
        for (std::size_t i = 0; i + 1 < spec_.layers.size(); ++i) {
            reference_hidden(spec_.layers[i], x, y->data());
            x = y->data();
            y = y == &a ? &b : &a;
        }
        for (std::uint32_t j = 0; j < outputs(); ++j) {
            out[j] = reference_neuron(spec_.layers.back(), j, x);
        }
    }

    MlpSpec spec_;
};

}  // namespace

std::int32_t reference_neuron(
    const MlpLayer& layer, std::uint32_t j, const std::uint8_t* x) noexcept {
    std::int32_t acc = layer.bias[j];
    for (std::uint32_t k = 0; k < layer.in; ++k) {
        acc += x[k] * layer.weights[std::size_t{j} * layer.in + k];
    }
    const std::int32_t v = std::clamp(acc >> layer.shift, -32768, 32767);
    return (v * layer.multiplier[j] + (1 << 14)) >> 15;
}

void reference_hidden(const MlpLayer& layer, const std::uint8_t* x, std::uint8_t* y) noexcept {
    for (std::uint32_t j = 0; j < layer.out; ++j) {
        y[j] = static_cast<std::uint8_t>(std::clamp(reference_neuron(layer, j, x), 0, 255));
    }
}

std::unique_ptr<Classifier> make_mlp_reference(const MlpSpec& spec) {
    return std::make_unique<ReferenceMlp>(spec);
}

}  // namespace weir::kernels
