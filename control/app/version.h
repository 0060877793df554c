// SPDX-License-Identifier: BSD-3-Clause
#pragma once

namespace weir::app {

inline constexpr const char* kVersion = WEIR_VERSION;

}  // namespace weir::app
