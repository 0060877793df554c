// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/features/catalog.h"

#include "dataplane/features/catalog_table.h"
#include "dataplane/features/encoders.h"
#include "dataplane/features/features.h"

#include <algorithm>
#include <array>

namespace weir::dataplane {

namespace {

constexpr auto kCatalog = [] {
    std::array<FeatureInfo, kFeatureCount> infos{};
    for (std::uint16_t id = 0; id < kFeatureCount; ++id) {
        const CatalogRow& row = kCatalogRows[id];
        infos[id] = {
            id,
            row.name,
            row.unit,
            row.group,
            row.encoder.kind,
            row.encoder.param,
            row.encoder.text,
            row.description,
            row.caution};
    }
    return infos;
}();

constexpr auto kNames = [] {
    std::array<std::string_view, kFeatureCount> names{};
    std::transform(kCatalog.begin(), kCatalog.end(), names.begin(), [](const FeatureInfo& feature) {
        return feature.name;
    });
    return names;
}();

constexpr auto kEncoderTexts = [] {
    std::array<std::string_view, kFeatureCount> texts{};
    std::transform(kCatalog.begin(), kCatalog.end(), texts.begin(), [](const FeatureInfo& feature) {
        return feature.encoder_text;
    });
    return texts;
}();

static_assert(kFeatureCount >= 64 && kFeatureCount <= kMaxFeatures);

}  // namespace

constexpr std::array<std::uint8_t, kPorts> kPortCodes = [] {
    std::array<std::uint8_t, kPorts> codes{};
    std::uint32_t below = 0;  // well-known ports that are smaller
    for (std::uint32_t port = 0; port < kPorts; ++port) {
        const bool known = below < kWellKnownPorts.size() && kWellKnownPorts[below] == port;
        codes[port] = static_cast<std::uint8_t>(2 * below + (known ? 1 : 0));
        below += known ? 1 : 0;
    }
    return codes;
}();

std::span<const FeatureInfo> catalog() noexcept {
    return kCatalog;
}

std::uint32_t feature_count() noexcept {
    return kFeatureCount;
}

kernels::CatalogView catalog_view() noexcept {
    return {kCatalogVersion, kNames, kEncoderTexts};
}

std::optional<std::uint16_t> find_feature(std::string_view name) noexcept {
    const auto found = std::find(kNames.begin(), kNames.end(), name);
    if (found == kNames.end()) {
        return std::nullopt;
    }
    return static_cast<std::uint16_t>(found - kNames.begin());
}

std::uint8_t encode(const FeatureInfo& feature, float raw) noexcept {
    switch (feature.encoder) {
        case EncoderKind::log:
            return log_code(raw > 0.0F ? raw : 0.0F, feature.param);
        case EncoderKind::port: {
            const float top = static_cast<float>(kPorts - 1);
            const float port = raw > 0.0F ? (raw < top ? raw : top) : 0.0F;
            return kPortCodes[static_cast<std::size_t>(port)];
        }
        case EncoderKind::identity:
        case EncoderKind::shift:
        case EncoderKind::ratio:
        case EncoderKind::signed_step:
            break;
    }
    return linear_code(raw, linear_step(feature.encoder, feature.param));
}

std::string_view group_name(FeatureGroup group) noexcept {
    constexpr std::array<std::string_view, kFeatureGroups> kGroupNames{
        "packet", "flow", "length", "gap", "tcp", "sequence", "host", "payload"};
    const auto index = static_cast<std::size_t>(group);
    return index < kGroupNames.size() ? kGroupNames[index] : "unknown";
}

std::string_view caution_name(Caution caution) noexcept {
    switch (caution) {
        case Caution::none:
            return "";
        case Caution::identity:
            return "identity";
        case Caution::port:
            return "port";
        case Caution::payload:
            return "payload";
    }
    return "unknown";
}

}  // namespace weir::dataplane
