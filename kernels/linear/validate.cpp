// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/mlp/validate.h"

#include "kernels/classifier.h"
#include "kernels/linear/linear.h"

namespace weir::kernels {

Result<void> validate(const LinearSpec& spec) {
    return validate_layer("linear", spec.layer, kMlpMaxWidth, kMaxOutputs);
}

}  // namespace weir::kernels
