// SPDX-License-Identifier: BSD-3-Clause
// The autoencoder as a family: strangeness is the weighted error of giving a row back.
#include "control/lab/quantize_mlp.h"
#include "control/lab/train_family.h"
#include "control/lab/train_one_class.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace weir::lab {
namespace {

constexpr double kMostWeight = 65535.0;
constexpr double kSpanRaw = 8192.0;  ///< raw units between strangeness of logit 0 and of logit 5
constexpr double kMostError = 255.0 * 255.0;
constexpr int kMaxShift = 24;
constexpr std::uint32_t kBlock = 256;

Result<kernels::AutoencoderSpec> quantize_layers(const NetworkSnapshot& snapshot) {
    kernels::AutoencoderSpec spec;
    LayerQuantizer quantizer(snapshot.layers.front().in);
    for (const FloatLayer& layer : snapshot.layers) {
        spec.layers.push_back(quantizer.hidden(layer, layer.out_scale));
    }
    if (quantizer.scale() != 1.0) {
        return fail(
            "train",
            "layers",
            "the reconstruction's weights are too large for codes",
            "lower --learning-rate");
    }
    return spec;
}

/// A feature counts by how little it varies among benign rows.
std::vector<std::uint16_t> error_weights(const CodeMatrix& benign) {
    const auto spread = column_scale(benign).spread;
    const float least = *std::min_element(spread.begin(), spread.end());
    std::vector<std::uint16_t> out;
    for (const float s : spread) {
        const double ratio = static_cast<double>(least) / static_cast<double>(s);
        out.push_back(static_cast<std::uint16_t>(std::max(1.0, kMostWeight * ratio * ratio)));
    }
    return out;
}

std::vector<double> sums(const kernels::AutoencoderSpec& spec, const CodeMatrix& data) {
    std::vector<double> out;
    std::vector<std::uint32_t> errors(std::size_t{kBlock} * data.columns);
    for (std::uint32_t at = 0; at < data.rows(); at += kBlock) {
        const std::uint32_t n = std::min(kBlock, data.rows() - at);
        kernels::reconstruction_errors(
            spec,
            data.codes.data() + std::size_t{at} * data.columns,
            data.columns,
            n,
            errors.data());
        for (std::uint32_t r = 0; r < n; ++r) {
            const auto first = errors.begin() + std::ptrdiff_t{r} * data.columns;
            out.push_back(std::accumulate(first, first + data.columns, 0.0));
        }
    }
    return out;
}

class Autoencoder final : public Fitted {
  public:
    static Result<std::unique_ptr<Fitted>> make(
        const NetworkShape& shape, NetworkSnapshot snapshot, const CodeMatrix& benign) {
        auto spec = quantize_layers(snapshot);
        if (!spec) {
            return tl::unexpected(spec.error());
        }
        spec->weights = error_weights(benign);
        std::vector<std::pair<double, double>> strangeness;
        const auto errors = sums(*spec, benign);
        for (std::size_t r = 0; r < errors.size(); ++r) {
            strangeness.emplace_back(errors[r], static_cast<double>(benign.weights[r]));
        }
        const auto scale = scale_strangeness(std::move(strangeness));
        const double span = 5.0 / scale.logit_per_unit;
        const double most =
            kMostError * std::accumulate(spec->weights.begin(), spec->weights.end(), 0.0);
        int shift = 0;
        while (shift < kMaxShift &&
               (span / std::exp2(shift) > kSpanRaw || most / std::exp2(shift) >= 2147483647.0)) {
            ++shift;
        }
        spec->shift = static_cast<std::uint8_t>(shift);
        spec->offset = static_cast<std::int32_t>(scale.zero / std::exp2(shift));
        if (auto ok = kernels::validate(*spec); !ok) {
            return tl::unexpected(ok.error());
        }
        auto out = std::make_unique<Autoencoder>();
        out->spec_ = std::move(*spec);
        out->shape_ = shape;
        out->latent_ = std::move(snapshot.latent);
        out->logit_per_raw_ = scale.logit_per_unit * std::exp2(shift);
        return out;
    }

    [[nodiscard]] std::uint32_t stages() const noexcept override { return 1; }

    [[nodiscard]] Result<std::vector<float>> logits(
        const CodeMatrix& data, std::uint32_t /*stage*/) const override {
        const auto raw = kernel_raw(spec_, data);
        if (!raw) {
            return tl::unexpected(raw.error());
        }
        return logits_of_raw(*raw, 1, logit_per_raw_);
    }

    [[nodiscard]] Result<std::vector<float>> float_logits(
        const CodeMatrix& data, std::uint32_t /*stage*/) const override {
        std::vector<float> out;
        for (std::uint32_t r = 0; r < data.rows(); ++r) {
            const std::uint8_t* codes = data.codes.data() + std::size_t{r} * data.columns;
            const auto back = float_forward(shape_, latent_, codes);
            double error = 0.0;
            for (std::uint32_t k = 0; k < data.columns; ++k) {
                const double off = std::clamp(back[k], 0.0, 255.0) - codes[k];
                error += off * off * spec_.weights[k];
            }
            const double raw = error / std::exp2(spec_.shift) - spec_.offset;
            out.push_back(0.0F);
            out.push_back(static_cast<float>(raw * logit_per_raw_));
        }
        return out;
    }

    [[nodiscard]] Result<QuantizedNetwork> quantized(
        double temperature, std::uint32_t /*stage*/) const override {
        return QuantizedNetwork{
            spec_,
            {kernels::HeadKind::sigmoid, head_scale(logit_per_raw_, temperature), {}},
            logit_per_raw_,
            0.0};
    }

  private:
    kernels::AutoencoderSpec spec_;
    NetworkShape shape_;
    std::vector<FloatLayer> latent_;
    double logit_per_raw_ = 0.0;
};

}  // namespace

Result<std::unique_ptr<Fitted>> fit_autoencoder(
    const CodeMatrix& benign, const FamilyOptions& options) {
    const auto shape = autoencoder_shape(benign.columns, options.network);
    if (!shape) {
        return tl::unexpected(shape.error());
    }
    auto snapshots = train_network(*shape, benign, options.network, options.network.epochs);
    if (!snapshots) {
        return tl::unexpected(snapshots.error());
    }
    return Autoencoder::make(*shape, std::move(snapshots->back()), benign);
}

}  // namespace weir::lab
