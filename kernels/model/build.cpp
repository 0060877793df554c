// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/model/build.h"

#include "kernels/model/check.h"
#include "kernels/model/guarded.h"

#include <algorithm>
#include <random>

namespace weir::kernels {
namespace {

using Codes = std::vector<std::uint8_t>;

constexpr std::size_t kMaxGolden = 1024;
constexpr std::size_t kLoneInputs = 16;
constexpr std::size_t kBoundaryRows = 32;

// The generator's output is fixed by the standard, distributions' is not: so only `% n` is used on it.
using Random = std::mt19937_64;

void add_extremes(std::size_t inputs, std::vector<Codes>& rows) {
    rows.emplace_back(inputs, std::uint8_t{0});
    rows.emplace_back(inputs, std::uint8_t{255});
    for (const std::size_t phase : {0U, 1U}) {
        Codes row(inputs);
        for (std::size_t i = 0; i < inputs; ++i) {
            row[i] = (i + phase) % 2 == 0 ? 0 : 255;
        }
        rows.push_back(std::move(row));
    }
    for (std::size_t i = 0; i < std::min(inputs, kLoneInputs); ++i) {
        Codes row(inputs, 0);
        row[i] = 255;
        rows.push_back(std::move(row));
    }
}

// Codes where a comparison of the forest turns, on both sides of it.
void add_boundaries(const ForestSpec& spec, Random& random, std::vector<Codes>& rows) {
    std::vector<Codes> edges(spec.inputs);
    for (const ForestTree& tree : spec.trees) {
        for (const ForestNode& node : tree.nodes) {
            Codes& of_feature = edges[node.feature];
            for (const int code : {int{node.threshold}, std::min(node.threshold + 1, 255)}) {
                const auto c = static_cast<std::uint8_t>(code);
                const auto it = std::lower_bound(of_feature.begin(), of_feature.end(), c);
                if (it == of_feature.end() || *it != c) {
                    of_feature.insert(it, c);
                }
            }
        }
    }
    for (std::size_t r = 0; r < kBoundaryRows; ++r) {
        Codes row(spec.inputs, 0);
        for (std::size_t i = 0; i < row.size(); ++i) {
            if (!edges[i].empty()) {
                row[i] = edges[i][random() % edges[i].size()];
            }
        }
        rows.push_back(std::move(row));
    }
}

void add_random(std::size_t inputs, std::size_t n, Random& random, std::vector<Codes>& rows) {
    for (std::size_t r = 0; r < n; ++r) {
        Codes row(inputs);
        for (std::uint8_t& code : row) {
            code = static_cast<std::uint8_t>(random() % 256);
        }
        rows.push_back(std::move(row));
    }
}

std::vector<GoldenVector> by_reference(const Classifier& reference, std::vector<Codes> rows) {
    constexpr std::size_t kAlign = 64;
    std::vector<std::byte> memory(reference.scratch_bytes() + kAlign);
    void* start = memory.data();
    std::size_t space = memory.size();
    auto* scratch =
        static_cast<std::byte*>(std::align(kAlign, reference.scratch_bytes(), start, space));
    std::vector<GoldenVector> golden;
    golden.reserve(rows.size());
    for (Codes& row : rows) {
        GoldenVector& g = golden.emplace_back();
        g.codes = std::move(row);
        g.raw.resize(reference.outputs());
        reference.score(g.codes.data(), g.codes.size(), 1, g.raw.data(), scratch);
    }
    return golden;
}

Result<void> compute(Bundle& bundle, const std::string& where, const GoldenOptions& options) {
    auto valid = std::visit([](const auto& spec) { return validate(spec); }, bundle.network);
    if (!valid) {
        valid.error().where = where;
        return valid;
    }
    auto reference = build_classifier(bundle, where, Isa::scalar);
    if (!reference) {
        return tl::unexpected(std::move(reference.error()));
    }
    const std::size_t inputs = network_inputs(bundle.network);
    Random random(options.seed);
    std::vector<Codes> rows;
    add_extremes(inputs, rows);
    if (const auto* forest = std::get_if<ForestSpec>(&bundle.network)) {
        add_boundaries(*forest, random, rows);
    }
    const std::size_t room = kMaxGolden - rows.size();
    add_random(inputs, std::min<std::size_t>(options.random_rows, room), random, rows);
    bundle.golden = by_reference(**reference, std::move(rows));
    return {};
}

}  // namespace

Result<void> compute_golden(Bundle& bundle, const GoldenOptions& options) {
    const std::string where = "bundle " + bundle.name;
    return guarded(where, [&] { return compute(bundle, where, options); });
}

Result<Bytes> build_bundle(Bundle bundle, const SecretKey* secret, const GoldenOptions& options) {
    if (auto ok = compute_golden(bundle, options); !ok) {
        return tl::unexpected(std::move(ok.error()));
    }
    if (auto ok = check_bundle(bundle, "bundle " + bundle.name); !ok) {
        return tl::unexpected(std::move(ok.error()));
    }
    return secret == nullptr ? serialize_bundle(bundle) : sign_bundle(bundle, secret->bytes());
}

}  // namespace weir::kernels
