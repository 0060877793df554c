// SPDX-License-Identifier: BSD-3-Clause
// Strict reading of protobuf bytes: everything that protobuf's own parser forgives is refused here, first.
#pragma once

#include "config/error.h"

#include <cstddef>
#include <span>
#include <string>

namespace google::protobuf {
class Descriptor;
}  // namespace google::protobuf

namespace weir::kernels {

/// Walks `bytes` as one message of `type` and checks, without allocating for its contents: only known fields, each
/// with the wire type the schema writes (packable repeated fields packed); singular fields, packed fields and the
/// members of a oneof at most once; required fields and each oneof present; lengths and counts within the limits
/// that bundle.proto states; varints minimal and in range; strings valid UTF-8 without control characters other
/// than newline and tab. The error's field is the path ("head.calibration[3].in"), under `root` if that is given.
/// Time linear in the bytes; recursion as deep as the schema. Thread: any.
[[nodiscard]] Result<void> check_wire(
    std::span<const std::byte> bytes,
    const google::protobuf::Descriptor& type,
    const std::string& where,
    const std::string& root = {});

}  // namespace weir::kernels
