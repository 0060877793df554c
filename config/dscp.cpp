// SPDX-License-Identifier: BSD-3-Clause
#include "config/load.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace weir::config {

namespace {

struct DscpName {
    std::string_view name;
    std::uint8_t value;
};

// RFC 2474 (CS, DF), RFC 2597 (AF), RFC 3246 (EF), RFC 5865 (VOICE-ADMIT), RFC 8622 (LE). The first name of a value is
// the one that is printed.
constexpr std::array kNames{
    DscpName{"DF", 0},    DscpName{"CS0", 0},   DscpName{"LE", 1},    DscpName{"CS1", 8},
    DscpName{"AF11", 10}, DscpName{"AF12", 12}, DscpName{"AF13", 14}, DscpName{"CS2", 16},
    DscpName{"AF21", 18}, DscpName{"AF22", 20}, DscpName{"AF23", 22}, DscpName{"CS3", 24},
    DscpName{"AF31", 26}, DscpName{"AF32", 28}, DscpName{"AF33", 30}, DscpName{"CS4", 32},
    DscpName{"AF41", 34}, DscpName{"AF42", 36}, DscpName{"AF43", 38}, DscpName{"CS5", 40},
    DscpName{"VA", 44},   DscpName{"EF", 46},   DscpName{"CS6", 48},  DscpName{"CS7", 56}};

constexpr unsigned kMaxDscp = 63;

}  // namespace

std::optional<std::uint8_t> parse_dscp(std::string_view text) {
    const auto at = std::find_if(
        kNames.begin(), kNames.end(), [&](const DscpName& entry) { return entry.name == text; });
    if (at != kNames.end()) {
        return at->value;
    }
    unsigned value = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    const bool number = error == std::errc{} && stop == end && !text.empty();
    if (!number || value > kMaxDscp) {
        return std::nullopt;
    }
    return static_cast<std::uint8_t>(value);
}

std::string dscp_name(std::uint8_t dscp) {
    const auto at = std::find_if(
        kNames.begin(), kNames.end(), [&](const DscpName& entry) { return entry.value == dscp; });
    return at != kNames.end() ? std::string(at->name) : std::to_string(dscp);
}

}  // namespace weir::config
