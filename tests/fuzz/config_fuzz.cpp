// SPDX-License-Identifier: BSD-3-Clause
// weir.yaml from anyone: never a crash; a refusal says why and how to mend it; what is accepted keeps its promises.
#include "config/load.h"
#include "tests/fuzz/require.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace {

using weir::fuzz::require;
void check_refusal(const std::vector<weir::Error>& findings) {
    require(!findings.empty());
    for (const weir::Error& finding : findings) {
        require(
            finding.where.rfind("fuzz.yaml", 0) == 0 && !finding.what.empty() &&
            !finding.fix.empty());
        for (const char c : finding.line()) {
            require(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
        }
    }
}

void check_accepted(const weir::config::Config& config) {
    require(!config.ports.empty() && config.ports.size() <= 32);
    require(!config.slots.empty() && config.slots.size() <= 4);
    require(
        !config.workers.lcores.empty() && config.workers.burst >= 1 && config.workers.burst <= 64);
    require(config.pairs.size() * 2 + config.taps.size() == config.ports.size());
    for (const auto& pair : config.pairs) {
        require(pair.a < config.ports.size() && pair.b < config.ports.size() && pair.a != pair.b);
    }
    for (const std::uint32_t tap : config.taps) {
        require(tap < config.ports.size());
    }
    for (const auto& slot : config.slots) {
        require(slot.hysteresis >= 1 && slot.hysteresis <= 16 && slot.rules.size() <= 64);
        for (const auto& [name, rule] : slot.rules) {
            require(!name.empty() && rule.dscp < 64);
            require(rule.min_confidence >= 0.0 && rule.min_confidence <= 1.0);
        }
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto loaded = weir::config::load_text(
        std::string_view(reinterpret_cast<const char*>(data), size), "fuzz.yaml");
    if (loaded) {
        check_accepted(*loaded);
    } else {
        check_refusal(loaded.error());
    }
    return 0;
}
