// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/linear/variants.h"

#include "kernels/mlp/cost.h"
#include "kernels/mlp/variants.h"

namespace weir::kernels {

std::span<const Isa> linear_isas() noexcept {
    return mlp_isas();
}

std::unique_ptr<Classifier> make_linear_classifier(const LinearSpec& spec, Isa isa) {
    return make_mlp_classifier(MlpSpec{{spec.layer}}, isa);
}

double linear_cycles_per_row(const LinearSpec& spec, Isa isa) noexcept {
    return dense_call_cycles(spec.inputs(), isa) +
           dense_layer_cycles(spec.inputs(), spec.outputs(), true, isa);
}

}  // namespace weir::kernels
