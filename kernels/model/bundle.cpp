// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/model/bundle.h"

#include <algorithm>

namespace weir::kernels {

int Bundle::benign_class() const noexcept {
    const auto it = std::find(classes.begin(), classes.end(), "benign");
    return it == classes.end() ? -1 : static_cast<int>(it - classes.begin());
}

}  // namespace weir::kernels
