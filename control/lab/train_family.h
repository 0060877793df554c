// SPDX-License-Identifier: BSD-3-Clause
// What training needs of a family of models: everything else of `weirlab train` is the same for all.
#pragma once

#include "config/error.h"
#include "control/lab/train_booster.h"
#include "control/lab/train_network.h"
#include "kernels/classifier.h"
#include "kernels/head/head.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace weir::lab {

enum class Family : std::uint8_t {
    gbdt,              ///< gradient boosted trees: XGBoost
    random_forest,     ///< bagged trees: XGBoost
    mlp,               ///< dense layers: oneDNN
    conv1d,            ///< convolutions over a flow's first packets: oneDNN
    autoencoder,       ///< dense layers that give benign rows back: oneDNN
    isolation_forest,  ///< how soon random splits tell a row from benign ones
};

/// By the name that --family takes; false for another word.
[[nodiscard]] bool family_named(std::string_view text, Family& out) noexcept;
[[nodiscard]] std::string_view family_name(Family family) noexcept;
/// Learns what is benign alone: two classes, benign and anomaly.
[[nodiscard]] constexpr bool is_one_class(Family family) noexcept {
    return family == Family::autoencoder || family == Family::isolation_forest;
}
/// Class of what a one-class model does not take for benign.
inline constexpr std::string_view kAnomalyClass = "anomaly";

struct FamilyOptions {
    Family family = Family::gbdt;
    BoostOptions boost;        ///< gbdt, random_forest; `rounds` trees a class
    NetworkOptions network;    ///< mlp, conv1d, autoencoder
    std::uint32_t epochs = 0;  ///< of the network's, where training stops; 0: all
    std::uint32_t isolation_trees = 100;
    std::uint32_t isolation_rows = 256;  ///< that each isolation tree splits
};

/// A network for the gateway, and its head before calibration.
struct QuantizedNetwork {
    kernels::Network network;
    kernels::HeadSpec head;
    double logit_per_raw = 0.0;  ///< logit, before the temperature, of one raw unit
    double logit_error = 0.0;    ///< bound on its distance from logits(); 0: they are the very same
};

/// A model fitted on rows of codes. Logits are rows × classes. Thread: any, one at a time.
class Fitted {
  public:
    Fitted() = default;
    Fitted(const Fitted&) = delete;
    Fitted& operator=(const Fitted&) = delete;
    virtual ~Fitted() = default;

    /// Stages that training went through, for early stopping; 1 where it has none.
    [[nodiscard]] virtual std::uint32_t stages() const noexcept = 0;
    /// After the first `stage` stages, as validation counts them: trees in float, networks in the gateway's integers.
    [[nodiscard]] virtual Result<std::vector<float>> logits(
        const CodeMatrix& data, std::uint32_t stage) const = 0;
    /// The same model in float, nothing rounded.
    [[nodiscard]] virtual Result<std::vector<float>> float_logits(
        const CodeMatrix& data, std::uint32_t stage) const = 0;
    /// What the gateway runs of it.
    [[nodiscard]] virtual Result<QuantizedNetwork> quantized(
        double temperature, std::uint32_t stage) const = 0;
};

/// Fits a model of `options.family` on rows with labels and weights. One-class families: on those of class `benign`.
[[nodiscard]] Result<std::unique_ptr<Fitted>> fit_family(
    const CodeMatrix& data, const FamilyOptions& options, std::uint32_t benign);

/// Raw outputs of a network's best kernel on this machine: rows × outputs.
[[nodiscard]] Result<std::vector<std::int32_t>> kernel_raw(
    const kernels::Network& network, const CodeMatrix& data);
/// Logits from them, rows × classes: a single raw output z stands for the classes' logits 0 and z.
[[nodiscard]] std::vector<float> logits_of_raw(
    std::span<const std::int32_t> raw, std::uint32_t outputs, double logit_per_raw);

// One a file: see fit_family().
[[nodiscard]] Result<std::unique_ptr<Fitted>> fit_trees(
    const CodeMatrix& data, const FamilyOptions& options);
[[nodiscard]] Result<std::unique_ptr<Fitted>> fit_network(
    const CodeMatrix& data, const FamilyOptions& options);
[[nodiscard]] Result<std::unique_ptr<Fitted>> fit_autoencoder(
    const CodeMatrix& benign, const FamilyOptions& options);
[[nodiscard]] Result<std::unique_ptr<Fitted>> fit_isolation_forest(
    const CodeMatrix& benign, const FamilyOptions& options);

}  // namespace weir::lab
