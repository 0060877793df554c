// SPDX-License-Identifier: BSD-3-Clause
// Within convert.h: kinds in memory and on the wire, for both directions.
#pragma once

#include "kernels/model/bundle.pb.h"

#include <array>

namespace weir::kernels {

/// In the order of SequencePooling.
inline constexpr std::array kPoolings{
    model::v1::SEQUENCE_POOLING_FLATTEN,
    model::v1::SEQUENCE_POOLING_MAX,
    model::v1::SEQUENCE_POOLING_AVERAGE};

/// In the order of RowNorm.
inline constexpr std::array kRowNorms{
    model::v1::ROW_NORM_L1, model::v1::ROW_NORM_L2, model::v1::ROW_NORM_MAX};

}  // namespace weir::kernels
