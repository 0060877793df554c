// SPDX-License-Identifier: BSD-3-Clause
// MLPs and convolutions as families: snapshots of training, in the gateway's integers and in float.
#include "control/lab/quantize_mlp.h"
#include "control/lab/train_family.h"
#include "control/lab/train_one_class.h"

#include <utility>

namespace weir::lab {
namespace {

class Neural final : public Fitted {
  public:
    Neural(NetworkShape shape, std::vector<NetworkSnapshot> snapshots)
        : shape_(std::move(shape)), snapshots_(std::move(snapshots)) {}

    [[nodiscard]] std::uint32_t stages() const noexcept override {
        return static_cast<std::uint32_t>(snapshots_.size());
    }

    [[nodiscard]] Result<std::vector<float>> logits(
        const CodeMatrix& data, std::uint32_t stage) const override {
        const auto network = quantized(1.0, stage);
        if (!network) {
            return tl::unexpected(network.error());
        }
        const auto raw = kernel_raw(network->network, data);
        if (!raw) {
            return tl::unexpected(raw.error());
        }
        return logits_of_raw(*raw, shape_.layers.back().out, network->logit_per_raw);
    }

    [[nodiscard]] Result<std::vector<float>> float_logits(
        const CodeMatrix& data, std::uint32_t stage) const override {
        const auto& layers = snapshots_[stage - 1].latent;
        std::vector<float> out;
        for (std::uint32_t r = 0; r < data.rows(); ++r) {
            const std::uint8_t* codes = data.codes.data() + std::size_t{r} * data.columns;
            const auto row = float_forward(shape_, layers, codes);
            out.insert(out.end(), row.begin(), row.end());
        }
        return out;
    }

    [[nodiscard]] Result<QuantizedNetwork> quantized(
        double temperature, std::uint32_t stage) const override {
        const NetworkSnapshot& snapshot = snapshots_[stage - 1];
        QuantizedNetwork out;
        if (shape_.steps > 0) {
            std::int32_t scale = 0;
            auto spec = quantize_sequence(shape_, snapshot, scale, out.logit_per_raw);
            if (!spec) {
                return tl::unexpected(spec.error());
            }
            out.network = std::move(*spec);
        } else {
            auto made = quantize(FloatMlp{snapshot.layers}, {});
            if (!made) {
                return tl::unexpected(made.error());
            }
            out.network = std::move(made->spec);
            out.logit_per_raw = made->logit_per_raw;
        }
        out.head = {kernels::HeadKind::softmax, head_scale(out.logit_per_raw, temperature), {}};
        return out;
    }

  private:
    NetworkShape shape_;
    std::vector<NetworkSnapshot> snapshots_;
};

}  // namespace

Result<std::unique_ptr<Fitted>> fit_network(const CodeMatrix& data, const FamilyOptions& options) {
    const auto shape = options.family == Family::conv1d
                           ? sequence_shape(
                                 (data.columns + 1) / kernels::kSequenceChannels,
                                 options.boost.classes,
                                 options.network)
                           : mlp_shape(data.columns, options.boost.classes, options.network);
    if (!shape) {
        return tl::unexpected(shape.error());
    }
    const std::uint32_t epochs = options.epochs == 0 ? options.network.epochs : options.epochs;
    auto snapshots = train_network(*shape, data, options.network, epochs);
    if (!snapshots) {
        return tl::unexpected(snapshots.error());
    }
    return std::make_unique<Neural>(*shape, std::move(*snapshots));
}

}  // namespace weir::lab
