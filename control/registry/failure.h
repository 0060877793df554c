// SPDX-License-Identifier: BSD-3-Clause
// Why a control call was refused: an Error for people and a kind for programs.
#pragma once

#include "config/error.h"

#include <cstdint>
#include <string>
#include <utility>

namespace weir::control {

/// One gRPC status code each; see proto/control.proto.
enum class FailureKind : std::uint8_t {
    invalid,       ///< bad input, a bundle that does not verify included
    not_found,     ///< no such slot or model
    precondition,  ///< the gateway's state does not allow it
    exhausted,     ///< a limit
    unavailable,   ///< shutting down
    internal       ///< the gateway's own trouble (disk)
};

struct Failure {
    FailureKind kind = FailureKind::internal;
    Error error;
};

template <typename T>
using Outcome = tl::expected<T, Failure>;

[[nodiscard]] inline tl::unexpected<Failure> refuse(FailureKind kind, Error error) {
    return tl::unexpected<Failure>(Failure{kind, std::move(error)});
}

}  // namespace weir::control
