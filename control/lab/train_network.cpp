// SPDX-License-Identifier: BSD-3-Clause
#include "control/lab/train_network.h"

#include "control/lab/train_layer.h"
#include "control/lab/train_steps.h"
#include "kernels/onednn/program.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <iterator>
#include <random>
#include <span>

#include <oneapi/tbb/parallel_for.h>

namespace weir::lab {
namespace {

constexpr std::uint32_t kShardRows = 64;
constexpr std::uint32_t kShards = 8;  // a batch: independent of the number of threads
constexpr std::uint32_t kBatch = kShardRows * kShards;
constexpr std::uint32_t kRescaleEvery = 64;  // steps
constexpr double kKept = 0.9995;  // share of a hidden layer's values that its codes need not clip
constexpr float kCodes = 255.0F;
constexpr float kUnseenGain = 1.0F / 64.0F;

/// What one shard of a batch needs for a layer's passes.
struct LayerBuffers {
    std::vector<float> x;             ///< its input
    std::vector<float> y;             ///< before the ReLU
    std::vector<float> a;             ///< after it, rounded, before pooling
    std::vector<std::uint32_t> from;  ///< per pooled value, where in `a` it is from
    std::vector<float> of_a;          ///< gradients
    std::vector<float> of_y;
    std::vector<float> of_x;
    std::vector<float> of_weights;
    std::vector<float> of_bias;
};

struct Shard {
    std::vector<LayerBuffers> layers;
    std::vector<float> out;  ///< of the last layer
    std::vector<float> of_out;
    std::vector<std::uint32_t> rows;  ///< of the table
    double loss = 0.0;
};

class Trainer {
  public:
    Trainer(const NetworkShape& shape, const CodeMatrix& data, const NetworkOptions& options)
        : shape_(shape), data_(data), options_(options), random_(options.seed) {
        const auto scale = column_scale(data);
        prepare(scale);
        for (Shard& shard : shards_) {
            allocate(shard);
        }
        for (std::uint32_t r = 0; r < data.rows(); ++r) {
            total_ += weight(r);
        }
    }

    std::vector<NetworkSnapshot> run(std::uint32_t epochs) {
        std::vector<NetworkSnapshot> out;
        const std::uint32_t steps = (std::max(1U, options_.rows_an_epoch) + kBatch - 1) / kBatch;
        for (std::uint32_t epoch = 0; epoch < epochs; ++epoch) {
            const auto drawn = draw(steps * kBatch);
            double loss = 0.0;
            for (std::uint32_t step = 0; step < steps; ++step) {
                const double done =
                    static_cast<double>(step_) / (static_cast<double>(steps) * options_.epochs);
                loss += train_on(
                    std::span(drawn).subspan(std::size_t{step} * kBatch, kBatch),
                    options_.learning_rate * 0.5 * (1.0 + std::cos(M_PI * done)));
            }
            out.push_back(snapshot(loss / steps));
        }
        return out;
    }

  private:
    [[nodiscard]] double weight(std::uint32_t r) const {
        return data_.weights.empty() ? 1.0 : static_cast<double>(data_.weights[r]);
    }

    void prepare(const ColumnScale& scale) {
        const std::size_t last = shape_.layers.size() - 1;
        for (std::size_t l = 0; l <= last; ++l) {
            const LayerShape& like = shape_.layers[l];
            LayerParameters::Units units;
            if (l == 0 && shape_.steps > 0) {
                units.in_gain.assign(like.channels, kUnseenGain);
                units.center.assign(
                    kernels::kSequenceUnseen.begin(), kernels::kSequenceUnseen.end());
            } else if (l == 0) {
                for (const float s : scale.spread) {
                    units.in_gain.push_back(1.0F / s);
                }
                units.center = scale.mean;
            }
            if (l == last && shape_.reconstructs) {
                units.out_gain = scale.spread;
                units.out_offset = scale.mean;
            }
            center_ = l == 0 ? units.center : center_;
            parameters_.emplace_back(like, std::move(units), options_.seed * 1000003 + l);
            passes_.emplace_back(like, kShardRows, engine_);
        }
        scales_.assign(last, 0.0F);
        for (const float s : scale.spread) {
            error_weights_.push_back(1.0F / (s * s));
        }
    }

    void allocate(Shard& shard) const {
        for (const LayerShape& like : shape_.layers) {
            LayerBuffers& b = shard.layers.emplace_back();
            b.x.resize(kShardRows * like.in_values());
            b.of_x = b.x;
            b.y.resize(kShardRows * like.own_values());
            b.a = b.of_a = b.of_y = b.y;
            b.from.resize(kShardRows * like.out_values());
            b.of_weights.resize(std::size_t{like.out} * like.fan_in());
            b.of_bias.resize(like.out);
        }
        shard.of_out.resize(kShardRows * std::size_t{shape_.layers.back().out});
    }

    /// Row numbers by weight: systematic sampling, then a shuffle.
    std::vector<std::uint32_t> draw(std::uint32_t n) {
        std::vector<std::uint32_t> out;
        const double stride = total_ / n;
        double at = stride * (static_cast<double>(random_() >> 11U) / 9007199254740992.0);
        double sum = 0.0;
        for (std::uint32_t r = 0; r < data_.rows(); ++r) {
            for (sum += weight(r); at < sum && out.size() < n; at += stride) {
                out.push_back(r);
            }
        }
        while (out.size() < n) {
            out.push_back(out.empty() ? 0 : out.back());
        }
        for (std::size_t i = out.size(); i > 1; --i) {
            std::swap(out[i - 1], out[random_() % i]);
        }
        return out;
    }

    void load(Shard& shard, std::span<const std::uint32_t> rows) const {
        shard.rows.assign(rows.begin(), rows.end());
        float* to = shard.layers.front().x.data();
        for (const std::uint32_t r : rows) {
            const std::uint8_t* codes = data_.codes.data() + std::size_t{r} * data_.columns;
            if (shape_.steps == 0) {
                for (std::uint32_t c = 0; c < data_.columns; ++c) {
                    *to++ = static_cast<float>(codes[c]) - center_[c];
                }
                continue;
            }
            for (std::uint32_t t = 0; t < shape_.steps; ++t) {
                *to++ = static_cast<float>(codes[t]) - center_[0];
                *to++ =
                    t == 0 ? 0.0F : static_cast<float>(codes[shape_.steps + t - 1]) - center_[1];
            }
        }
    }

    [[nodiscard]] bool is_last(std::size_t l) const { return l + 1 == shape_.layers.size(); }

    void linear(Shard& shard, std::size_t l) const {
        auto& b = shard.layers[l];
        passes_[l].forward(b.x.data(), parameters_[l].weights(), parameters_[l].bias(), b.y.data());
    }

    /// ReLU, rounding to codes, pooling, into the next layer's input.
    void activate(Shard& shard, std::size_t l) const {
        auto& b = shard.layers[l];
        const float s = scales_[l];
        passes_[l].clip(b.y.data(), kCodes * s, b.a.data());
        for (float& v : b.a) {
            v = std::nearbyint(v / s) * s;
        }
        const LayerShape& like = shape_.layers[l];
        auto& next = shard.layers[l + 1].x;
        const std::uint32_t positions = like.convolved();
        if (averages(l)) {
            max_pool(b.a, kShardRows, positions, like.out, like.pool, pooled(shard), b.from);
            mean_code(pooled(shard), like.pooled(), like.out, s, next);
        } else {
            max_pool(b.a, kShardRows, positions, like.out, window(l), next, b.from);
        }
    }

    /// Codes that one value of the next layer's input is the largest of, a position.
    [[nodiscard]] std::uint32_t window(std::size_t l) const {
        const LayerShape& like = shape_.layers[l];
        return ends_convolutions(l) && shape_.pooling == kernels::SequencePooling::max
                   ? like.pool * like.pooled()
                   : like.pool;
    }
    [[nodiscard]] bool ends_convolutions(std::size_t l) const {
        return shape_.layers[l].convolution && !shape_.layers[l + 1].convolution;
    }
    [[nodiscard]] bool averages(std::size_t l) const {
        return ends_convolutions(l) && shape_.pooling == kernels::SequencePooling::average;
    }
    /// Values between max pooling and the mean over positions.
    static std::vector<float>& pooled(Shard& shard) { return shard.out; }

    /// Gradients of the layer's ReLU values from those of the next layer's input.
    void unpool(Shard& shard, std::size_t l) const {
        auto& b = shard.layers[l];
        const LayerShape& like = shape_.layers[l];
        const auto& given = shard.layers[l + 1].of_x;
        if (averages(l)) {
            spread_mean(like.pooled(), like.out, given, pooled(shard));
            max_pool_back(pooled(shard), b.from, b.of_a);
        } else {
            max_pool_back(given, b.from, b.of_a);
        }
    }

    /// Loss of the shard and the gradient of its outputs.
    void judge(Shard& shard) const {
        const std::size_t width = shape_.layers.back().out;
        const auto& y = shard.layers.back().y;
        shard.loss = 0.0;
        for (std::size_t i = 0; i < shard.rows.size(); ++i) {
            const auto out = std::span(y).subspan(i * width, width);
            const auto gradient = std::span(shard.of_out).subspan(i * width, width);
            const std::uint32_t row = shard.rows[i];
            const auto codes =
                std::span(data_.codes).subspan(std::size_t{row} * data_.columns, data_.columns);
            shard.loss += shape_.reconstructs
                              ? squared_errors(codes, out, error_weights_, kBatch, gradient)
                              : cross_entropy(data_.labels[row], out, kBatch, gradient);
        }
    }

    void backward(Shard& shard) const {
        for (std::size_t l = shape_.layers.size(); l-- > 0;) {
            auto& b = shard.layers[l];
            const float* of_y = shard.of_out.data();
            if (!is_last(l)) {
                unpool(shard, l);
                passes_[l].clip_back(b.y.data(), kCodes * scales_[l], b.of_a.data(), b.of_y.data());
                of_y = b.of_y.data();
            }
            passes_[l].backward(
                b.x.data(),
                parameters_[l].weights(),
                of_y,
                b.of_weights.data(),
                b.of_bias.data(),
                l == 0 ? nullptr : b.of_x.data());
        }
    }

    void each_shard(const std::function<void(Shard&)>& work) {
        oneapi::tbb::parallel_for(std::uint32_t{0}, kShards, [&](std::uint32_t i) {
            const kernels::OneThread alone;
            work(shards_[i]);
        });
    }

    /// The scale of each hidden layer's codes, from the batch that the shards hold.
    void rescale() {
        for (std::size_t l = 0; !is_last(l); ++l) {
            each_shard([&](Shard& shard) { linear(shard, l); });
            std::vector<float> values;
            for (const Shard& shard : shards_) {
                const auto& y = shard.layers[l].y;
                std::copy_if(y.begin(), y.end(), std::back_inserter(values), [](float v) {
                    return v > 0.0F;
                });
            }
            float most = 1.0F;
            if (!values.empty()) {
                const auto at =
                    values.begin() +
                    static_cast<std::ptrdiff_t>(kKept * static_cast<double>(values.size() - 1));
                std::nth_element(values.begin(), at, values.end());
                most = *at;
            }
            scales_[l] = std::max(most, 1e-6F) / kCodes;
            each_shard([&](Shard& shard) { activate(shard, l); });
        }
    }

    double train_on(std::span<const std::uint32_t> rows, double rate) {
        for (std::uint32_t i = 0; i < kShards; ++i) {
            load(shards_[i], rows.subspan(std::size_t{i} * kShardRows, kShardRows));
        }
        if (step_ % kRescaleEvery == 0) {
            rescale();
        }
        each_shard([&](Shard& shard) {
            for (std::size_t l = 0; l < shape_.layers.size(); ++l) {
                linear(shard, l);
                if (!is_last(l)) {
                    activate(shard, l);
                }
            }
            judge(shard);
            backward(shard);
        });
        double loss = 0.0;
        ++step_;
        for (const Shard& shard : shards_) {
            loss += shard.loss / kBatch;
        }
        for (std::size_t l = 0; l < shape_.layers.size(); ++l) {
            auto weights = shards_[0].layers[l].of_weights;
            auto bias = shards_[0].layers[l].of_bias;
            for (std::uint32_t i = 1; i < kShards; ++i) {
                const auto& b = shards_[i].layers[l];
                std::transform(
                    weights.begin(),
                    weights.end(),
                    b.of_weights.begin(),
                    weights.begin(),
                    std::plus<>());
                std::transform(
                    bias.begin(), bias.end(), b.of_bias.begin(), bias.begin(), std::plus<>());
            }
            parameters_[l].update(weights, bias, step_, rate, options_.decay);
            parameters_[l].round();
        }
        return loss;
    }

    [[nodiscard]] NetworkSnapshot snapshot(double loss) const {
        NetworkSnapshot out;
        out.loss = loss;
        for (std::size_t l = 0; l < shape_.layers.size(); ++l) {
            out.layers.push_back(parameters_[l].exported(true));
            out.layers.back().out_scale =
                is_last(l) ? (shape_.reconstructs ? 1.0 : 0.0) : static_cast<double>(scales_[l]);
            out.latent.push_back(parameters_[l].exported(false));
            out.latent.back().out_scale = out.layers.back().out_scale;
        }
        return out;
    }

    const NetworkShape& shape_;
    const CodeMatrix& data_;
    const NetworkOptions& options_;
    std::mt19937_64 random_;
    dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
    std::vector<LayerParameters> parameters_;
    std::vector<LayerPasses> passes_;
    std::vector<float> center_;
    std::vector<float> error_weights_;
    std::vector<float> scales_;  ///< of one code, per hidden layer
    std::array<Shard, kShards> shards_;
    double total_ = 0.0;
    std::uint32_t step_ = 0;
};

}  // namespace

Result<std::vector<NetworkSnapshot>> train_network(
    const NetworkShape& shape,
    const CodeMatrix& data,
    const NetworkOptions& options,
    std::uint32_t epochs) {
    if (data.rows() == 0 || data.columns != shape.inputs) {
        return fail("train", "features", "no rows to train on", "label more flows");
    }
    try {
        const kernels::OneThread alone;  // primitives are planned for the threads that they see
        return Trainer(shape, data, options).run(epochs);
    } catch (const dnnl::error& error) {
        return fail("train", "oneDNN", error.what());
    }
}

}  // namespace weir::lab
