// SPDX-License-Identifier: BSD-3-Clause
// The definition of the answers: plain scalar code, compiled without the vectorizer.
#include "kernels/mlp/reference.h"

#include "kernels/onednn/variants.h"

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

// The contract's bound of the last layer's error, computed beside the reference.
std::vector<double> f32_errors(const OnednnF32& net, const std::uint8_t* row) {
    std::vector<double> x(row, row + net.layers.front().in);
    std::vector<double> error(x.size(), 0);
    for (const OnednnF32Layer& layer : net.layers) {
        const double terms = (layer.in + 2.0) * std::ldexp(1.0, -24);
        const double gamma = terms / (1 - terms);
        std::vector<double> y(layer.out);
        std::vector<double> y_error(layer.out);
        for (std::uint32_t j = 0; j < layer.out; ++j) {
            double magnitude = std::abs(static_cast<double>(layer.bias[j]));
            for (std::uint32_t k = 0; k < layer.in; ++k) {
                const double weight =
                    std::abs(static_cast<double>(layer.weights[std::size_t{j} * layer.in + k]));
                magnitude += weight * (std::abs(x[k]) + error[k]);
                y_error[j] += weight * error[k];
            }
            y_error[j] += gamma * magnitude;
            y[j] = f32_neuron(layer, j, x.data());
        }
        if (&layer != &net.layers.back()) {
            std::transform(
                y.begin(), y.end(), y.begin(), [](double v) { return std::max(0.0, v); });
        }
        x = std::move(y);
        error = std::move(y_error);
    }
    return error;
}

}  // namespace

std::vector<double> onednn_tolerance(
    const OnednnSpec& spec, const std::uint8_t* row, std::span<const std::int32_t> reference) {
    const auto* f32 = std::get_if<OnednnF32>(&spec.network);
    if (f32 == nullptr) {
        return std::vector<double>(reference.size(), 0);
    }
    std::vector<double> off = f32_errors(*f32, row);
    for (std::size_t j = 0; j < off.size(); ++j) {
        const double raw = std::abs(static_cast<double>(reference[j]));
        off[j] = 1 + static_cast<double>(f32->raw_scale) * off[j] + std::ldexp(raw, -24);
    }
    return off;
}

std::unique_ptr<Classifier> make_onednn_reference(const OnednnSpec& spec) {
    return std::make_unique<ReferenceOnednn>(spec);
}

}  // namespace weir::kernels
