// SPDX-License-Identifier: BSD-3-Clause
// The documents that XGBoost saves, JSON or UBJSON, from anyone.
#pragma once

#include "config/error.h"

#include <string_view>

#include <nlohmann/json_fwd.hpp>

namespace weir::lab {

/// Most bytes of a model that are read, of any format.
inline constexpr std::size_t kMaxModelBytes = std::size_t{256} << 20;

/// True if `bytes` begin as an object of JSON or UBJSON; what else there is, is ONNX.
[[nodiscard]] bool is_document(std::string_view bytes) noexcept;

/// Parses either form; time and memory are bounded by the number of bytes, depth by 64. Thread: any.
[[nodiscard]] Result<nlohmann::json> parse_document(std::string_view bytes);

}  // namespace weir::lab
