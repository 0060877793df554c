// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/mlp/variants.h"

#include "kernels/variant_table.h"

#include <array>

namespace weir::kernels {
namespace {

using MlpVariant = Variant<const MlpSpec&>;

constexpr std::array kVariants {
    MlpVariant{Isa::scalar, make_mlp_reference},
#if defined(__x86_64__)
        MlpVariant{Isa::avx2, make_mlp_avx2}, MlpVariant{Isa::avx512, make_mlp_avx512},
        MlpVariant{Isa::avx512_vnni, make_mlp_avx512_vnni},
#elif defined(__aarch64__)
        MlpVariant{Isa::neon_dotprod, make_mlp_neon_dotprod},
#endif
};

constexpr auto kIsas = isas_of(kVariants);

}  // namespace

std::span<const Isa> mlp_isas() noexcept {
    return kIsas;
}

std::unique_ptr<Classifier> make_mlp_classifier(const MlpSpec& spec, Isa isa) {
    return make_variant(kVariants, isa, spec);
}

}  // namespace weir::kernels
