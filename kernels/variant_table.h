// SPDX-License-Identifier: BSD-3-Clause
// A family's table of variants, ascending by ISA: what all variants.cpp do with theirs.
#pragma once

#include "kernels/classifier.h"

#include <array>
#include <cstddef>
#include <memory>

namespace weir::kernels {

/// One variant: its ISA, and what packs a model for it.
template <typename... Arguments>
struct Variant {
    Isa isa;
    std::unique_ptr<Classifier> (*make)(Arguments...);
};

/// The table's ISAs, in its order.
template <typename Entry, std::size_t kCount>
[[nodiscard]] constexpr std::array<Isa, kCount> isas_of(const std::array<Entry, kCount>& table) {
    std::array<Isa, kCount> isas{};
    for (std::size_t i = 0; i < kCount; ++i) {
        isas[i] = table[i].isa;
    }
    return isas;
}

/// The model packed by the table's variant for `isa`; nullptr if there is none.
template <typename Entry, std::size_t kCount, typename... Arguments>
[[nodiscard]] std::unique_ptr<Classifier> make_variant(
    const std::array<Entry, kCount>& table, Isa isa, const Arguments&... arguments) {
    for (const Entry& entry : table) {
        if (entry.isa == isa) {
            return entry.make(arguments...);
        }
    }
    return nullptr;
}

}  // namespace weir::kernels
