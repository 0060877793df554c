// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/forest/variants.h"

#include "kernels/forest/costs.h"
#include "kernels/forest/pack.h"
#include "kernels/variant_table.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <new>

namespace weir::kernels {
namespace {

using ForestVariant = Variant<const ForestSpec&>;

constexpr std::array kVariants {
    ForestVariant{Isa::scalar, make_forest_reference},
#if defined(__x86_64__)
        ForestVariant{Isa::avx2, make_forest_avx2}, ForestVariant{Isa::avx512, make_forest_avx512},
        ForestVariant{Isa::avx512_gfni, make_forest_avx512_gfni},
#endif
};

constexpr auto kIsas = isas_of(kVariants);

// What decides the bit-sliced variants' cost; nullptr for the reference, also where nothing wider runs.
const ForestPackShape* shape_of(Isa isa) noexcept {
    switch (isa) {
        case Isa::avx2:
            return &kForestAvx2;
        case Isa::avx512:
        case Isa::avx512_vnni:
            return &kForestAvx512;
        case Isa::avx512_gfni:
            return &kForestAvx512Gfni;
        default:
            return nullptr;
    }
}

// The reference's cost depends on the rows: it waits for mispredicted ends of walks, and for nodes beyond the first
// cache. Fitted by hand to trained ensembles of 100 to 800 trees and to random ones, for even codes from 0 to one above
// the largest threshold: within a third.
constexpr double kReferenceTree = 2.5;
constexpr double kReferenceNode = 4;
constexpr double kReferenceSurprise = 60;  // a walk whose length is not its tree's most common
constexpr double kReferenceFarNode =
    1.5;  // a node, for each doubling of the forest beyond kNearBytes
constexpr double kReferenceFarSurprise = 7;
constexpr double kNearBytes = 64 * 1024;

using DepthShares = std::array<double, kForestMaxDepth + 1>;

// As deep as the tree.
void add_depths(
    const ForestTree& tree,
    std::int32_t child,
    double codes,
    double share,
    std::uint32_t depth,
    DepthShares& shares) noexcept {
    if (child < 0) {
        shares[depth] += share;
        return;
    }
    const ForestNode& node = tree.nodes[static_cast<std::size_t>(child)];
    const double left = std::min(1.0, (node.threshold + 1.0) / codes);
    add_depths(tree, node.left, codes, share * left, depth + 1, shares);
    add_depths(tree, node.right, codes, share * (1 - left), depth + 1, shares);
}

double reference_cycles(const ForestSpec& spec) noexcept {
    std::size_t bytes = 0;
    std::uint8_t largest = 0;
    for (const ForestTree& tree : spec.trees) {
        bytes += tree.nodes.size() * sizeof(ForestNode);
        for (const ForestNode& node : tree.nodes) {
            largest = std::max(largest, node.threshold);
        }
    }
    const double doublings = std::max(0.0, std::log2(static_cast<double>(bytes) / kNearBytes));
    double cycles = static_cast<double>(spec.base.size());
    for (const ForestTree& tree : spec.trees) {
        DepthShares shares{};
        add_depths(tree, tree.nodes.empty() ? ~0 : 0, largest + 2.0, 1, 0, shares);
        double path = 0;
        for (std::uint32_t depth = 0; depth <= kForestMaxDepth; ++depth) {
            path += depth * shares[depth];
        }
        const double surprise = 1 - *std::max_element(shares.begin(), shares.end());
        cycles += kReferenceTree + path * (kReferenceNode + kReferenceFarNode * doublings) +
                  surprise * (kReferenceSurprise + kReferenceFarSurprise * doublings);
    }
    return cycles;
}

}  // namespace

std::span<const Isa> forest_isas() noexcept {
    return kIsas;
}

std::unique_ptr<Classifier> make_forest_classifier(const ForestSpec& spec, Isa isa) {
    return make_variant(kVariants, isa, spec);
}

double forest_cycles_per_row(const ForestSpec& spec, Isa isa) noexcept {
    const ForestPackShape* const shape = shape_of(isa);
    if (shape == nullptr) {
        return reference_cycles(spec);
    }
    try {
        return ForestPacked(spec, *shape).narrow_cycles() / 64;
    } catch (const std::bad_alloc&) {
        return std::numeric_limits<double>::infinity();  // what cannot be packed fits no budget
    }
}

}  // namespace weir::kernels
