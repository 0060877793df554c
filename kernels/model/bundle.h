// SPDX-License-Identifier: BSD-3-Clause
// A model bundle in memory: what one signed protobuf file holds, after parsing.
#pragma once

#include "config/error.h"
#include "kernels/classifier.h"
#include "kernels/head/head.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace weir::kernels {

/// One input of the model: a catalog feature by name, and the encoder it was trained with, as the catalog writes it.
struct BundleInput {
    std::string feature;
    std::string encoder;
};

/// An input row and the raw outputs the model must give for it, on every ISA.
struct GoldenVector {
    std::vector<std::uint8_t> codes;
    std::vector<std::int32_t> raw;
};

/// Counts of each u8 code of one input over the training data (for drift). Empty or 256 long.
using CodeHistogram = std::vector<std::uint64_t>;

struct Bundle {
    std::string name;               ///< [a-z0-9._-]{1,64}
    std::string slot;               ///< the question it answers: "anomaly", "qos", …
    std::uint32_t version = 0;      ///< monotone per name, ≥ 1
    std::int64_t created_unix = 0;  ///< seconds
    std::string data_digest;        ///< hex sha256 of the training table
    std::string description;
    std::uint32_t catalog_version = 0;
    std::vector<BundleInput> inputs;
    std::vector<std::string>
        classes;  ///< 2…64, unique; "benign", where present, is the non-alarm class
    std::vector<double> thresholds;  ///< per class, 0…1: confidence needed to decide it; empty = 0
    Network network;
    HeadSpec head;
    std::vector<CodeHistogram> histograms;  ///< empty or one an input
    std::vector<GoldenVector> golden;       ///< 1…1024

    /// Index of class "benign" or −1.
    [[nodiscard]] int benign_class() const noexcept;
};

/// What the gateway knows of its features; verification needs nothing else of the catalog.
struct CatalogView {
    std::uint32_t version = 0;
    std::span<const std::string_view> names;     ///< by feature id
    std::span<const std::string_view> encoders;  ///< by feature id
};

}  // namespace weir::kernels
