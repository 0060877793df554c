// SPDX-License-Identifier: BSD-3-Clause
// The feature catalog's form. catalog_table.h holds the one table; nothing else names a feature.
#pragma once

#include "kernels/model/bundle.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace weir::dataplane {

/// Cheap to dear. A group is computed only if a loaded model (or an extract) reads one of its features.
enum class FeatureGroup : std::uint8_t {
    packet,    ///< this packet's headers
    flow,      ///< flow counters each way
    length,    ///< length statistics
    gap,       ///< inter-arrival statistics
    tcp,       ///< TCP behaviour
    sequence,  ///< the first 16 packets' signed lengths and gaps
    host,      ///< aggregates of the source's and destination's hosts
    payload,   ///< what the first payloads look like; only where the gateway is configured so
    count_
};
inline constexpr std::uint32_t kFeatureGroups = static_cast<std::uint32_t>(FeatureGroup::count_);
inline constexpr std::uint32_t kAllGroups = (1U << kFeatureGroups) - 1;

/// Monotone encoders from a raw value to a u8 code, all integer or exact float operations.
enum class EncoderKind : std::uint8_t {
    log,  ///< 8 codes an octave: code = clamp((float_bits(raw) >> 20) − param, 0, 255); raw ≥ 0
    identity,     ///< code = clamp(raw, 0, 255), raw an integer
    shift,        ///< code = clamp(floor(raw / 2^param), 0, 255); raw ≥ 0
    ratio,        ///< code = clamp(floor(raw · 255), 0, 255); raw in 0…1
    signed_step,  ///< code = clamp(floor(128 + raw / param), 0, 255); raw of either sign
    port  ///< ports in order, each well-known one (well_known_ports.h, list `param`) with a code of its own
};

/// Why a feature may teach a model something else than the class. Training leaves such features out by default.
enum class Caution : std::uint8_t {
    none,
    identity,  ///< tells capture points, operating systems or links apart rather than classes
    port,      ///< a port number: what a service claims to be
    payload    ///< read from payloads: a gateway has it only if configured so
};

struct FeatureInfo {
    std::uint16_t id;
    std::string_view name;  ///< snake_case with the unit, e.g. "fwd_length_max_bytes"
    std::string_view unit;
    FeatureGroup group;
    EncoderKind encoder;
    std::int32_t param;
    std::string_view
        encoder_text;  ///< canonical text, stored in bundles and compared at load: "log:1015"
    std::string_view description;
    Caution caution;
};

/// Rises whenever a feature's meaning or encoder changes; features are only ever appended.
inline constexpr std::uint32_t kCatalogVersion = 1;

/// The whole catalog by id.
[[nodiscard]] std::span<const FeatureInfo> catalog() noexcept;
[[nodiscard]] std::uint32_t feature_count() noexcept;
/// The catalog as bundle verification wants it.
[[nodiscard]] kernels::CatalogView catalog_view() noexcept;
/// The feature of that name; nullopt if there is none.
[[nodiscard]] std::optional<std::uint16_t> find_feature(std::string_view name) noexcept;

/// Encodes one raw value as the worker does. NaN gives 0.
[[nodiscard]] std::uint8_t encode(const FeatureInfo& feature, float raw) noexcept;

[[nodiscard]] std::string_view group_name(FeatureGroup group) noexcept;
[[nodiscard]] std::string_view caution_name(Caution caution) noexcept;
/// The catalog as a docs page. Thread: any; allocates.
[[nodiscard]] std::string catalog_markdown();

}  // namespace weir::dataplane
