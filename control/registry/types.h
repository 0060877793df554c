// SPDX-License-Identifier: BSD-3-Clause
// What the registry knows of a model.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace weir::control {

/// A model's place in a slot's life. In the state file and on the wire by name, so stages can be added between.
enum class Stage : std::uint8_t {
    verified,  ///< passed every check, never active since
    shadow,    ///< scores what the active model scores, acts on nothing
    canary,    ///< the same, and acts for a share of flows
    active,    ///< its verdicts are acted on
    retired    ///< was active, may be again
};

enum class Source : std::uint8_t { builtin, config, pushed };

/// Names a model within the gateway.
struct ModelKey {
    std::string slot;
    std::string name;
    std::uint32_t version = 0;

    friend bool operator==(const ModelKey&, const ModelKey&) = default;
    /// "name@version"
    [[nodiscard]] std::string label() const { return name + "@" + std::to_string(version); }
};

/// Facts of one model, for people. Plain data.
struct ModelInfo {
    ModelKey key;
    Stage stage = Stage::verified;
    Source source = Source::pushed;
    std::string signer;
    std::string digest;
    std::string description;
    std::uint64_t size_bytes = 0;
    std::int64_t created_unix = 0;
    std::int64_t added_unix = 0;
    std::int64_t activated_unix = 0;  ///< 0 = never
    std::vector<std::string> classes;
    std::uint32_t inputs = 0;
    double cycles_per_row = 0.0;
    std::string isa;
    std::uint32_t canary_permyriad = 0;  ///< share of flows in 1/10000, if canary
    double measured_cycles = 0.0;        ///< a row, on a control core, when pushed; 0: not measured
    bool sealed = false;                 ///< came encrypted to this gateway's key
    std::string barred;                  ///< why a guardrail rolled it back; empty: it did not
};

inline constexpr std::uint32_t kWholeShare = 10'000;  ///< in 1/10000

}  // namespace weir::control
