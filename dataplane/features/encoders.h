// SPDX-License-Identifier: BSD-3-Clause
// The arithmetic of the encoders. Only exact or correctly rounded IEEE single operations: equal on every machine.
#pragma once

#include "dataplane/features/catalog.h"
#include "dataplane/features/well_known_ports.h"

#include <array>
#include <bit>
#include <cstdint>

namespace weir::dataplane {

inline constexpr std::uint32_t kLogShift =
    20;  ///< keeps the exponent and three bits of the mantissa
inline constexpr std::int32_t kLogUnit =
    1015;  ///< parameter of values counted in whole units: log code 1 is [1, 1.125), code 0 is below 1
inline constexpr std::int32_t kSequenceStepBytes = 12;

/// Log code of a raw value ≥ 0.
[[nodiscard]] constexpr std::uint8_t log_code(float raw, std::int32_t param) noexcept {
    const std::int32_t code =
        static_cast<std::int32_t>(std::bit_cast<std::uint32_t>(raw) >> kLogShift) - param;
    return static_cast<std::uint8_t>(code < 0 ? 0 : code > 255 ? 255 : code);
}

/// The least raw value with that log code; 0 for code 0.
[[nodiscard]] constexpr float log_decode(std::uint8_t code, std::int32_t param) noexcept {
    const std::uint32_t bits =
        (static_cast<std::uint32_t>(code) + static_cast<std::uint32_t>(param)) << kLogShift;
    return code == 0 ? 0.0F : std::bit_cast<float>(bits);
}

/// Every encoder but log and port is code = trunc(clamp(raw · scale + bias, 0, 255)).
struct LinearStep {
    float scale = 0.0F;
    float bias = 0.0F;
};

[[nodiscard]] constexpr LinearStep linear_step(EncoderKind kind, std::int32_t param) noexcept {
    switch (kind) {
        case EncoderKind::identity:
            return {1.0F, 0.0F};
        case EncoderKind::shift:
            return {1.0F / static_cast<float>(1 << param), 0.0F};
        case EncoderKind::ratio:
            return {255.0F, 0.0F};
        case EncoderKind::signed_step:
            return {1.0F / static_cast<float>(param), 128.0F};
        case EncoderKind::log:
        case EncoderKind::port:
            break;
    }
    return {};
}

[[nodiscard]] constexpr std::uint8_t linear_code(float raw, LinearStep step) noexcept {
    const float scaled = raw * step.scale + step.bias;
    const float low = scaled > 0.0F ? scaled : 0.0F;
    return static_cast<std::uint8_t>(static_cast<std::int32_t>(low < 255.0F ? low : 255.0F));
}

/// Signed length of a packet for the sequence: whole steps, rounded away from zero, negative from the responder.
/// Stored as two's complement, so that zeroed state means "no packet".
[[nodiscard]] constexpr std::uint8_t sequence_length(
    std::uint32_t ip_bytes, bool forward) noexcept {
    constexpr std::uint32_t kMost = 127;
    const std::uint32_t steps =
        ip_bytes / kSequenceStepBytes + (ip_bytes % kSequenceStepBytes != 0 ? 1 : 0);
    const std::int32_t size = static_cast<std::int32_t>(steps < kMost ? steps : kMost);
    return static_cast<std::uint8_t>(forward ? size : -size);
}
[[nodiscard]] constexpr std::uint8_t sequence_length_code(std::uint8_t stored) noexcept {
    return static_cast<std::uint8_t>(stored ^ 0x80U);
}
[[nodiscard]] constexpr float sequence_length_raw(std::uint8_t stored) noexcept {
    return static_cast<float>(static_cast<std::int8_t>(stored) * kSequenceStepBytes);
}

/// 2i for ports between well-known ones, 2i + 1 for the i-th.
inline constexpr std::uint32_t kPorts = 65536;
extern const std::array<std::uint8_t, kPorts> kPortCodes;

}  // namespace weir::dataplane
