// SPDX-License-Identifier: BSD-3-Clause
#include "control/lab/train_family.h"

#include <algorithm>
#include <array>

namespace weir::lab {
namespace {

constexpr std::size_t kAlign = 64;
constexpr std::array<std::pair<std::string_view, Family>, 6> kFamilies{
    {{"gbdt", Family::gbdt},
     {"random_forest", Family::random_forest},
     {"mlp", Family::mlp},
     {"conv1d", Family::conv1d},
     {"autoencoder", Family::autoencoder},
     {"isolation_forest", Family::isolation_forest}}};

/// Rows of class `benign` that weigh something.
CodeMatrix benign_rows(const CodeMatrix& data, std::uint32_t benign) {
    CodeMatrix out;
    out.columns = data.columns;
    for (std::uint32_t r = 0; r < data.rows(); ++r) {
        const float weight = data.weights.empty() ? 1.0F : data.weights[r];
        if (data.labels[r] == benign && weight > 0.0F) {
            const std::uint8_t* codes = data.codes.data() + std::size_t{r} * data.columns;
            out.codes.insert(out.codes.end(), codes, codes + data.columns);
            out.labels.push_back(benign);
            out.weights.push_back(weight);
        }
    }
    return out;
}

}  // namespace

bool family_named(std::string_view text, Family& out) noexcept {
    for (const auto& [name, family] : kFamilies) {
        if (name == text) {
            out = family;
            return true;
        }
    }
    return false;
}

std::string_view family_name(Family family) noexcept {
    for (const auto& [name, of] : kFamilies) {
        if (of == family) {
            return name;
        }
    }
    return "";
}

Result<std::unique_ptr<Fitted>> fit_family(
    const CodeMatrix& data, const FamilyOptions& options, std::uint32_t benign) {
    switch (options.family) {
        case Family::gbdt:
        case Family::random_forest:
            return fit_trees(data, options);
        case Family::mlp:
        case Family::conv1d:
            return fit_network(data, options);
        case Family::autoencoder:
        case Family::isolation_forest:
            break;
    }
    const CodeMatrix rows = benign_rows(data, benign);
    if (rows.rows() == 0) {
        return fail(
            "train",
            "label",
            "no row of class 'benign' to learn from in a fold's training set",
            "label benign flows of more sources");
    }
    return options.family == Family::autoencoder ? fit_autoencoder(rows, options)
                                                 : fit_isolation_forest(rows, options);
}

Result<std::vector<std::int32_t>> kernel_raw(
    const kernels::Network& network, const CodeMatrix& data) {
    const auto classifier = kernels::make_classifier(network);
    if (!classifier) {
        return tl::unexpected(classifier.error());
    }
    const std::size_t outputs = (*classifier)->outputs();
    std::vector<std::byte> memory((*classifier)->scratch_bytes() + kAlign);
    void* scratch = memory.data();
    std::size_t space = memory.size();
    std::align(kAlign, memory.size() - kAlign, scratch, space);
    std::vector<std::int32_t> raw(data.rows() * outputs);
    for (std::uint32_t at = 0; at < data.rows(); at += kernels::kMaxRows) {
        (*classifier)
            ->score(
                data.codes.data() + std::size_t{at} * data.columns,
                data.columns,
                std::min(kernels::kMaxRows, data.rows() - at),
                raw.data() + at * outputs,
                static_cast<std::byte*>(scratch));
    }
    return raw;
}

std::vector<float> logits_of_raw(
    std::span<const std::int32_t> raw, std::uint32_t outputs, double logit_per_raw) {
    std::vector<float> out;
    out.reserve(outputs == 1 ? 2 * raw.size() : raw.size());
    for (const std::int32_t r : raw) {
        if (outputs == 1) {
            out.push_back(0.0F);
        }
        out.push_back(static_cast<float>(r * logit_per_raw));
    }
    return out;
}

}  // namespace weir::lab
