// SPDX-License-Identifier: BSD-3-Clause
// The definition of the answers: plain scalar code, compiled without the vectorizer.
#include "kernels/mlp/reference.h"

#include "kernels/onednn/onednn.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace weir::kernels {
namespace {

constexpr double kMaxRaw = 1 << 30;

void score_int8(
    const OnednnInt8& net,
    const std::uint8_t* row,
    std::int32_t* out,
    std::uint8_t* x,
    std::uint8_t* y) noexcept {
    std::copy_n(row, net.layers.front().in, x);
    for (std::size_t i = 0; i + 1 < net.layers.size(); ++i) {
        for (std::uint32_t j = 0; j < net.layers[i].out; ++j) {
            const std::int32_t t = reference_neuron(net.layers[i], j, x);
            y[j] = static_cast<std::uint8_t>(std::clamp(t, 0, 255));
        }
        std::swap(x, y);
    }
    for (std::uint32_t j = 0; j < net.layers.back().out; ++j) {
        out[j] = reference_neuron(net.layers.back(), j, x);
    }
}

double f32_neuron(const OnednnF32Layer& layer, std::uint32_t j, const double* x) noexcept {
    double sum = layer.bias[j];
    for (std::uint32_t k = 0; k < layer.in; ++k) {
        sum += static_cast<double>(layer.weights[std::size_t{j} * layer.in + k]) * x[k];
    }
    return sum;
}

void score_f32(
    const OnednnF32& net,
    const std::uint8_t* row,
    std::int32_t* out,
    double* x,
    double* y) noexcept {
    std::copy_n(row, net.layers.front().in, x);
    for (std::size_t i = 0; i + 1 < net.layers.size(); ++i) {
        for (std::uint32_t j = 0; j < net.layers[i].out; ++j) {
            y[j] = std::max(0.0, f32_neuron(net.layers[i], j, x));
        }
        std::swap(x, y);
    }
    for (std::uint32_t j = 0; j < net.layers.back().out; ++j) {
        const double scaled = f32_neuron(net.layers.back(), j, x) * net.raw_scale;
        out[j] = static_cast<std::int32_t>(std::nearbyint(std::clamp(scaled, -kMaxRaw, kMaxRaw)));
    }
}

class ReferenceOnednn final : public Classifier {
  public:
    explicit ReferenceOnednn(const OnednnSpec& spec) : spec_(spec) {}

    [[nodiscard]] std::uint32_t inputs() const noexcept override { return spec_.inputs(); }
    [[nodiscard]] std::uint32_t outputs() const noexcept override { return spec_.outputs(); }
    [[nodiscard]] std::size_t scratch_bytes() const noexcept override {
        return 2 * std::size_t{kOnednnMaxWidth} * sizeof(double);
    }
    [[nodiscard]] Isa isa() const noexcept override { return Isa::scalar; }

    void score(
        const std::uint8_t* rows,
        std::size_t stride,
        std::uint32_t n,
        std::int32_t* out,
        std::byte* scratch) const noexcept override {
        for (std::uint32_t r = 0; r < n; ++r) {
            score_row(rows + r * stride, out + std::size_t{r} * outputs(), scratch);
        }
    }

  private:
    void score_row(const std::uint8_t* row, std::int32_t* out, std::byte* scratch) const noexcept {
        if (const auto* int8 = std::get_if<OnednnInt8>(&spec_.network)) {
            auto* x = reinterpret_cast<std::uint8_t*>(scratch);
            score_int8(*int8, row, out, x, x + kOnednnMaxWidth);
        } else if (const auto* f32 = std::get_if<OnednnF32>(&spec_.network)) {
            auto* x = reinterpret_cast<double*>(scratch);
            score_f32(*f32, row, out, x, x + kOnednnMaxWidth);
        }
    }

    OnednnSpec spec_;
};

}  // namespace

std::unique_ptr<Classifier> make_onednn_reference(const OnednnSpec& spec) {
    return std::make_unique<ReferenceOnednn>(spec);
}

}  // namespace weir::kernels
